import ArgumentParser
import Kamune

/// `kamune demo`
struct DemoCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Watch two peers meet and talk, on this machine alone.",
        discussion: """
            Two peers in this process, Ada and Bob, connect over real TCP on the loopback interface, show the steps of their \
            handshake and each other's fingerprints, and exchange a few messages. Nothing is stored, and nothing leaves \
            this machine.
            """)

    @Option(name: .long, help: ArgumentHelp("The algorithm of both identities: ed25519 or ml-dsa-65."))
    var algorithm: IdentityAlgorithm = .ed25519

    func run(in context: CommandContext) async throws {
        try await Demo(algorithm: algorithm, context: context).run()
    }
}
