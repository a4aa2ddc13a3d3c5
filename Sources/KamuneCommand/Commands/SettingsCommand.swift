import ArgumentParser
import Kamune
import KamuneNode

/// `kamune settings`
struct SettingsCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "Show or change what holds for all conversations.",
        discussion: """
            tell-routes: whether peers whom you have accepted are told where you can be reached, so that they find you again \
            when your address changes. Addresses of a private network are told only to who is on it. On unless you say no.

            take-requests: whether strangers can leave a request when nobody is there to be asked; they are shown your key \
            for it. Off unless you say yes.

            EXAMPLES:
              kamune settings
              kamune settings --tell-routes no
              kamune settings --take-requests yes
            """)

    /// On or off.
    enum Switch: String, ExpressibleByArgument, CaseIterable {
        case yes, no
    }

    @Option(name: .long, help: "Whether accepted peers are told where you can be reached: yes or no.")
    var tellRoutes: Switch?

    @Option(name: .long, help: "Whether strangers can leave a request: yes or no.")
    var takeRequests: Switch?

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        let change = NodeSettings(
            tellsRoutes: tellRoutes.map { $0 == .yes }, takesRequests: takeRequests.map { $0 == .yes })
        let isChange = tellRoutes != nil || takeRequests != nil
        try await store.withNode(isChange ? .creating : .reading, in: context) { node in
            let settings =
                isChange ? try await node.ask(ChangeSettings(change)) : try await node.ask(GetSettings())
            if json { return try context.output.print(try JSONText.encoding(settings)) }
            try context.output.print("tell-routes    \(settings.tellsRoutes != false ? "yes" : "no")")
            try context.output.print("take-requests  \(settings.takesRequests == true ? "yes" : "no")")
        }
    }
}
