import ArgumentParser
import Kamune
import KamuneNode
import KamuneSystem
import KamuneTerminal

/// `kamune dial`
struct DialCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "dial",
        abstract: "Connect to somebody who listens, and talk.",
        discussion: """
            In a terminal, a line is a message, and what the other side says appears with its time and name. /quit, Ctrl-D \
            or Ctrl-C end the conversation with a goodbye; a second Ctrl-C ends the program at once.

            When standard input is a pipe or file, each of its lines is sent as a message; then, when the other side has \
            confirmed that it has read them, the conversation is ended. What arrives until then is written to standard \
            output as it was sent, with a line feed after each message; --linger waits longer for answers. Everything else is written to standard \
            error.

            A peer whom you have not met is shown by name and fingerprint, for you to accept or refuse, at the terminal also \
            when a pipe carries the messages. Without a terminal such peers are refused, unless --verify all is given, or --expect names their key's fingerprint.

            EXAMPLES:
              kamune dial Ada
              kamune dial example.org:9000
              kamune dial '[2001:db8::1]:9000' --name Ada
              echo hello | kamune dial example.org:9000
              date | kamune dial 192.0.2.7:9000 --verify all --linger 2

            \(ExitStatus.table)
            """)

    @Argument(
        help: ArgumentHelp(
            "Somebody whom you know, by name; or where the other side listens: host:port, without a port 9000.",
            valueName: "name or address"))
    var whom: String

    @OptionGroup var expectation: ExpectationOptions

    @OptionGroup var options: EndpointOptions

    @Option(name: .long, help: ArgumentHelp("How long finding the host and connecting may take.", valueName: "seconds"))
    var dialTimeout: Double = EndpointOptions.standardDialTimeout

    func validate() throws {
        guard dialTimeout > 0, dialTimeout <= 3_600 else {
            throw ValidationError("--dial-timeout takes a number of seconds above 0, up to an hour.")
        }
    }

    func run(in context: CommandContext) async throws {
        // Before a passphrase is asked for.
        let expected = try expectation.fingerprint()
        let address = AddressText.completed(whom)
        let isAddress = (try? Endpoint.checkAddress(address, isForListening: false)) != nil
        // What can be nobody's name but an address, and is none, is told as such.
        if !isAddress, whom.isEmpty || whom.contains(where: { ":/[".contains($0) }) {
            try Endpoint.checkAddress(address, isForListening: false)
        }
        let stage = try await ChatStage(options, in: context, asksAtTerminal: true) {
            $0.dialTimeout = .seconds(dialTimeout)
        }
        try await stage.begin()
        // The other side compares it before ours is asked.
        await stage.tellOwnFingerprint()
        let request: Dial
        do {
            request = try await self.request(stage, isAddress ? address : nil, expected)
        } catch {
            await stage.end()
            throw error
        }
        switch stage.setting {
        case .terminal(let console): try await runTerminal(stage, console, request)
        case .pipe: try await runPipe(stage, request)
        }
    }

    /// What is asked of the node. Whoever has this name is meant, and else the address.
    private func request(_ stage: ChatStage, _ address: String?, _ expected: KeyFingerprint?) async throws -> Dial {
        let peers = try await PeerList(stage.window.access)
        let named = peers.named(whom)
        if named.count > 1 { _ = try peers.select(whom) }
        if let peer = named.first {
            await stage.tell("Looking for \(PeerName.shown(for: peer))…")
            return Dial(
                contact: peer.id, expecting: expected, ownName: options.name, options: options.link(dialTimeout))
        }
        // Nobody else may learn the name, or be taken for them.
        if try await stage.window.access.ask(ListExpected()).expected.contains(where: { $0.name == whom }) {
            throw Failure(.noSuchPeerOrAddress(TerminalText(whom, maximumColumns: TextLimit.name), nearest: nil))
        }
        // A word without a dot or a port may be a host's name, but rather is a name mistyped.
        let nearest = Suggestion.nearest(to: whom, among: peers.peers.map(\.name))
        guard let address else {
            throw Failure(
                .noSuchPeerOrAddress(
                    TerminalText(whom, maximumColumns: TextLimit.name), nearest: nearest.map { TerminalText($0) }))
        }
        if let nearest, !whom.contains(where: { ".:/[".contains($0) }) {
            await stage.tell(
                "Nobody is called “\(TerminalText(whom))”; if you mean “\(TerminalText(nearest))”, say so.")
        }
        await stage.tell("Connecting to \(TerminalText(address))…")
        return Dial(
            address: options.keyed(address, in: stage.context), expecting: expected, ownName: options.name,
            options: options.link(dialTimeout))
    }

    private func runTerminal(_ stage: ChatStage, _ console: Console, _ request: Dial) async throws(Failure) {
        try await stage.runTerminal(console, isStandingOffer: false) { chat in
            do throws(NodeError) {
                let conversation = try await stage.desk.dial(request)
                if let end = await chat.converse(conversation) {
                    stage.log.ended(end)
                    if end.by != .us {
                        await stage.tell(
                            stage.keepsMessages
                                ? "What you write now waits until they are back; /quit or Ctrl-D ends."
                                : "Nobody is connected any more; /quit or Ctrl-D ends.")
                    }
                }
                // The person ends it: what they are typing must not go to whoever comes after this program.
                return nil
            } catch {
                return .failed(Failure(error))
            }
        }
    }

    private func runPipe(_ stage: ChatStage, _ request: Dial) async throws {
        let dialing = Promise<Result<ChatConversation, NodeError>>()
        let attempt = Task {
            do throws(NodeError) {
                dialing.fulfill(.success(try await stage.desk.dial(request)))
            } catch {
                dialing.fulfill(.failure(error))
            }
        }
        let watching = Task {
            guard await stage.context.signals.first.wait() != nil else { return }
            dialing.fulfill(.failure(NodeError(.cancelled, "The program was told to end.")))
            attempt.cancel()
        }
        let conversation: ChatConversation
        do throws(NodeError) {
            conversation = try await (dialing.wait() ?? .failure(NodeError(.cancelled, ""))).get()
        } catch {
            await stage.finish()
            if let signal = stage.context.signals.first.value { throw Failure(signal: signal) }
            throw error
        }
        watching.cancel()
        _ = await stage.reception.connected(conversation.contact)
        let chat = PipeChat(
            conversation: conversation, name: await stage.name(of: conversation), stage: stage,
            input: stage.lineSource(), linger: options.linger.map { .time(.seconds($0)) } ?? .none,
            staysForEmptyInput: false)
        var failure: Failure?
        do throws(Failure) {
            try await chat.run()
        } catch {
            failure = error
        }
        stage.log.ended(await conversation.waitUntilEnded())
        await stage.finish()
        if let failure { throw failure }
    }
}
