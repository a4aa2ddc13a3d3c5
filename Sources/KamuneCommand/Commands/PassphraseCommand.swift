import ArgumentParser
import Kamune
import KamuneNode

/// `kamune passphrase`
struct PassphraseCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "passphrase",
        abstract: "Change the passphrase, set one, or remove it.",
        discussion: """
            Nothing else is written anew, so it is quick whatever the store's size. Backups and copies of the file that were \
            made before open with the old passphrase still.
            """)

    @Option(
        name: .customLong("new-passphrase-fd"),
        help: ArgumentHelp(
            "Read the new passphrase from this file descriptor, up to the end of the line.",
            discussion: "Without it, KAMUNE_DB_NEW_PASSPHRASE, else you are asked for it twice.", valueName: "number"))
    var descriptor: Int32?

    @Flag(name: .long, help: "Have none from now on: whoever gets the file can read it.")
    var remove = false

    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        try await store.withNode(in: context) { node in
            let opener = try StoreOpener(store, context)
            if remove {
                _ = try await opener.authorized(node) { try await node.ask(ChangePassphrase(from: $0, to: nil)) }
                context.tell(StoreOpener.warning, .warning)
                return try context.output.print("The passphrase is removed.")
            }
            let secret = try await OtherPassphrase(
                descriptor: descriptor, variable: "KAMUNE_DB_NEW_PASSPHRASE",
                what: "everything that is kept, the new one",
                option: "--new-passphrase-fd"
            ).read(context, isNew: true)
            _ = try await opener.authorized(node) {
                try await node.ask(ChangePassphrase(from: $0, to: SecretText(secret.secret.copy())))
            }
            try context.output.print("The passphrase is changed.")
        }
    }
}
