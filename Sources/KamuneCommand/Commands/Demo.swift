import Kamune
import KamuneSystem
import KamuneTerminal

/// The conversation that `kamune demo` shows.
struct Demo: Sendable {
    let algorithm: IdentityAlgorithm
    let context: CommandContext

    private var style: Style { context.style(for: context.output) }

    /// Who says what. The one who dials begins.
    private static let lines: [(isAda: Bool, text: String)] = [
        (true, "Hello Bob! Can anybody read this?"),
        (false, "Nobody but you and me, not even with a quantum computer. 🔒"),
        (true, "And if they change a byte on the way?"),
        (false, "Then its signature is wrong, and I hear of it."),
    ]

    func run() async throws {
        let ada = Endpoint(identity: try .generate(algorithm), name: "Ada", verifier: .anyone)
        let bob = Endpoint(identity: try .generate(algorithm), name: "Bob", verifier: .anyone)

        try heading("Two people")
        for endpoint in [ada, bob] {
            try print(style(.strong, endpoint.name))
            try FingerprintCard.rows(endpoint.identity.publicKey).forEach(print)
        }
        try print("Each would compare the other's, over a phone call for instance, before trusting the conversation.")

        let listener = try await bob.listen(on: "127.0.0.1:0")
        let start = context.time.monotonic
        async let accepted = first(of: listener)
        let atAda = try await ada.dial(listener.address)
        guard let atBob = try await accepted else {
            throw Failure(.demoListenerClosed)
        }
        let total = context.time.monotonic - start
        await listener.close()

        try heading("The handshake, over TCP to \(listener.address)")
        for session in [atAda, atBob] {
            try print(style(.strong, session.isInitiator ? "Ada dials" : "Bob listens"))
            for step in session.handshake {
                let time = Times.milliseconds(step.duration)
                let margin = String(repeating: " ", count: max(0, 10 - time.count))
                try print("  \(margin)\(style(.good, time))  \(Self.explanation(of: step.kind))")
            }
        }
        try print("together \(style(.good, Times.milliseconds(total))), connecting included")

        try heading("What they agreed on")
        for row in FingerprintCard.row("suite", [suite]) { try print(row) }
        for row in FingerprintCard.row(
            "tunnel", ["HPKE: X-Wing (ML-KEM-768 with X25519), HKDF-SHA512, ChaCha20-Poly1305"])
        {
            try print(row)
        }
        for row in FingerprintCard.row("version", [atAda.peer.version]) { try print(row) }
        for row in FingerprintCard.row("additions", [atAda.peer.capabilities.joined(separator: ", ")]) {
            try print(row)
        }
        for row in FingerprintCard.row("session", [atAda.id]) { try print(row) }

        try heading("A conversation")
        try await converse(atAda, atBob)
        try heading("Now you")
        try print(
            """
            \(style(.strong, "kamune listen"))                       wait for somebody; shows what they have to type
            \(style(.strong, "kamune dial HOST:9000"))               talk with whoever listens there
            \(style(.strong, "echo hello | kamune dial HOST:9000"))  the same in a script
            \(style(.strong, "kamune identity show"))                your own fingerprint, to be compared
            \(style(.strong, "kamune --help"))                       everything else

            Built from source, kamune is “scripts/run” or “.build/release/kamune”.
            """)
    }

    private func converse(_ ada: Session, _ bob: Session) async throws {
        var atAda = ada.messages.makeAsyncIterator()
        var atBob = bob.messages.makeAsyncIterator()
        for line in Self.lines {
            let start = context.time.monotonic
            try await (line.isAda ? ada : bob).send(line.text)
            guard let message = line.isAda ? try await atBob.next() : try await atAda.next() else {
                throw Failure(.demoSessionEnded)
            }
            let time = Times.milliseconds(context.time.monotonic - start)
            let name = line.isAda ? style(.own, "Ada") : style(.other, "Bob")
            try print(
                "\(style(.faint, Times.ofDay(message.receivedAt))) \(name): \(TerminalText(message.text))  "
                    + style(.faint, "(sent, sealed, opened and checked in \(time))"))
        }
        await ada.close()
        guard await bob.waitUntilEnded() == .closedByPeer else {
            throw Failure(.demoWithoutGoodbye)
        }
        try print(style(.faint, "Ada has said goodbye, and both have erased their keys."))
    }

    private var suite: String {
        switch algorithm {
        case .ed25519: CipherSuite.name
        case .mldsa65: CipherSuite.name.replacing("Ed25519", with: "ML-DSA-65")
        }
    }

    private func heading(_ text: String) throws(Failure) {
        try print("\n" + style(.strong, "— \(text) —"))
    }

    private func print(_ text: String) throws(Failure) {
        try context.output.print(text)
    }

    private func first(of listener: Listener) async throws(KamuneError) -> Session? {
        var sessions = listener.makeAsyncIterator()
        return try await sessions.next()
    }

    /// What a step is, for people.
    private static func explanation(of step: HandshakeStep.Kind) -> String {
        switch step {
        case .tunnelEstablished: "the keys of the HPKE tunnel are exchanged; from here on, nobody else sees names"
        case .peerIntroduced: "the other side has introduced itself, and signed it"
        case .peerAccepted: "the other side is accepted (here, everybody is)"
        case .established: "ML-KEM-768 has made the session's keys, and both have proven that they hold them"
        }
    }
}
