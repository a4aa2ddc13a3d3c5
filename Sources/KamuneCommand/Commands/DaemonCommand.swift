import ArgumentParser
import KamuneCrypto
import KamuneDaemon
import KamuneNode
import KamuneSystem

/// `kamune daemon`
struct DaemonCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "daemon",
        abstract: "Serve a program: commands and events as JSON on standard input and output.",
        discussion: """
            Speaks the protocol of the daemon of kamune 0.7, so that a program which was written for that runs on this one. \
            Each line is a JSON object. It ends with its input, at the command “shutdown”, and by a signal.

            EXAMPLE:
              echo '{"type":"cmd","cmd":"get_version","id":"1","params":{}}' | kamune daemon
            """)

    func run(in context: CommandContext) async throws {
        context.signals.concludeFirst()
        let signals = context.signals
        var environment = DaemonEnvironment.ofProgram
        environment.passphrase = context.environment.bytes(StoreOpener.variable)
            .map { JSONSecret(SecretBytes(copying: $0)) }
        let backend = NodeBackend(environment: .ofProgram)
        try await StandardDaemon.run(backend, environment) { _ = await signals.first.wait() }
    }
}

extension DaemonEnvironment {
    /// That of this program, without a passphrase.
    static var ofProgram: DaemonEnvironment {
        DaemonEnvironment(
            version: RootCommand.version, libraryVersion: NodeVersion.text, keychain: SystemKeychain())
    }
}
