import ArgumentParser
import Foundation
import Kamune
import KamuneNode
import KamuneSystem

/// `kamune identity rotate`
struct IdentityRotateCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Take a new identity that the old one vouches for.",
        discussion: """
            Makes a new identity, and has both sign that it takes the place of the old one. From then on everybody whom you \
            talk to is shown the statement. Peers who know the old identity see that it vouches for the new one, are told \
            of both fingerprints, and go on trusting you, with all that was said; the old one is good for nothing with them \
            any more. Programs of version 0.7 see simply another key.

            Rotate before an identity is lost, not after it was stolen: whoever has the old private key can make it vouch \
            for another one, too, and peers believe the first that they see. The old private key is kept until “kamune \
            identity erase-old”. Whoever you talk to learns that the two identities are one person's.
            """)

    @Option(name: .long, help: "The algorithm of the new one: ed25519 or ml-dsa-65.")
    var algorithm: IdentityAlgorithm = .ed25519

    @Flag(name: .long, help: "Do not ask.")
    var yes = false

    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        try await store.withNode(in: context) { node in
            let all = try await node.ask(ListIdentities()).identities
            guard let current = all.first(where: \.isCurrent), current.hasPrivateKey else { throw IdentityReport.none }
            try await Confirmation.ask(
                "Take a new identity in the place of \(current.fingerprint)?", isGiven: yes, context)
            let new = try await node.ask(RotateIdentity(to: algorithm, from: current.publicKey))
            try IdentityReport.print(to: context.output, new.publicKey.key, path: nil)
            try context.output.print(
                "The identity before it is retired, and vouches for this one to everybody whom you talk to. “kamune "
                    + "identity erase-old” erases its private key; what it has signed stays.")
        }
    }
}

/// `kamune identity erase-old`
struct IdentityEraseOldCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "erase-old",
        abstract: "Erase the private keys of retired identities.",
        discussion: """
            Nobody can sign with them any more, not even you. Their public keys and what they signed about their successors \
            stay, so that peers who know only an old identity can still be shown the way to yours. Backups that were made before have the private keys still.
            """)

    @Flag(name: .long, help: "Do not ask.")
    var yes = false

    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        try await store.withNode(in: context) { node in
            let retired = try await node.ask(ListIdentities()).identities.filter { !$0.isCurrent && $0.hasPrivateKey }
            guard !retired.isEmpty else {
                return try context.output.print("There is no private key of a retired identity.")
            }
            try context.output.print(retired.map { IdentityReport.line($0) }.joined(separator: "\n"))
            try await Confirmation.ask("Erase these private keys for good?", isGiven: yes, context)
            let erased = try await StoreOpener(store, context).authorized(node) {
                try await node.ask(EraseOldIdentities(retired.map(\.publicKey), passphrase: $0)).erased
            }
            try context.output.print("\(Count.of(erased, "private key", "private keys")) erased.")
        }
    }
}
