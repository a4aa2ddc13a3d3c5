import ArgumentParser
import Kamune
import KamuneNode
import KamuneSystem
import KamuneTerminal

/// `kamune listen`
struct ListenCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "listen",
        abstract: "Wait for somebody to connect, and talk.",
        discussion: """
            In a terminal, a line is a message, and what the other side says appears with its time and name. There is one \
            conversation at a time; whoever comes meanwhile is refused. When it is over, the next one may come, unless \
            --once is given. /quit, Ctrl-D or Ctrl-C end the conversation with a goodbye and the program; a second Ctrl-C \
            ends it at once.

            When standard input is a pipe or file, there is one conversation: each line is sent as a message to whoever \
            connects, and then, when the other side has confirmed that it has read them, the conversation is ended. An input \
            without any line (</dev/null) only receives, until the other side ends. What arrives is written to standard \
            output as it was sent, with a line feed after each message. With --keep-listening more may come, also at the same \
            time; nothing is sent to them, and what they say is written until they end. Everything else is written to \
            standard error, also the address: “Listening on …”.

            A peer whom you have not met is shown by name and fingerprint, for you to accept or refuse. Without a terminal \
            such peers are refused, unless --verify all is given. Peers who fail their handshake, in whatever way, end \
            nothing but their own connection.

            EXAMPLES:
              kamune listen
              kamune listen 127.0.0.1:0              a port that the system chooses
              kamune listen 192.0.2.7:9000 --once
              kamune listen relay+tls://relay.example.org
              kamune listen --verify known --keep-listening </dev/null >>received.txt

            \(ExitStatus.table)
            """)

    /// What to do after a conversation.
    enum Continuation: EnumerableFlag {
        case once
        case keepListening

        static func help(for value: Continuation) -> ArgumentHelp? {
            switch value {
            case .once: "End after the first conversation; the default for a pipe."
            case .keepListening: "Wait for the next one after a conversation; the default in a terminal."
            }
        }
    }

    @Argument(
        help: ArgumentHelp(
            "Where to listen: host:port, or only a port for every interface; port 0 lets the system choose. Or the relay to wait at: relay+tcp://host:port.",
            valueName: "address"))
    var address: String = ":9000"

    @Flag(exclusivity: .exclusive) var continuation: Continuation?

    @OptionGroup var expectation: ExpectationOptions
    @OptionGroup var options: EndpointOptions

    /// How many conversations of a pipe may go on at once.
    private static let pipeCapacity = 64

    func run(in context: CommandContext) async throws {
        let address = AddressText.completed(address)
        // Before a passphrase is asked for.
        try Endpoint.checkAddress(address, isForListening: true)
        let expected = try expectation.fingerprint()
        let stage = try await ChatStage(
            options, in: context, pipeCapacity: continuation == .keepListening ? Self.pipeCapacity : 1, letsWait: true)
        try await stage.begin()
        let listening: Listening
        do throws(NodeError) {
            listening = Listening(
                try await stage.desk.listen(
                    Listen(
                        on: options.keyed(address, in: context), expecting: expected, ownName: options.name,
                        options: options.link())),
                stage.desk)
        } catch {
            await stage.finish()
            throw error
        }
        await stage.tell("Listening on \(listening.address)", .good)
        for place in StatusReport.reachable(listening.reachable, at: listening.address) { await stage.tell(place) }
        await stage.tellOwnFingerprint()
        let failures = Task { await report(stage.desk.handshakeFailures, stage) }
        defer { failures.cancel() }
        switch stage.setting {
        case .terminal(let console): try await runTerminal(stage, console, listening)
        case .pipe: try await runPipe(stage, listening)
        }
    }

    /// An address that the node listens on for us.
    private struct Listening: Sendable {
        let address: String
        let reachable: [ReachableAddress]
        let conversations: AsyncStream<ChatConversation>
        private let desk: ChatDesk

        init(_ answer: (listening: Listen.Answer, conversations: AsyncStream<ChatConversation>), _ desk: ChatDesk) {
            (address, reachable) = (answer.listening.address, answer.listening.reachable)
            conversations = answer.conversations
            self.desk = desk
        }

        func close() async { await desk.stopListening() }

        /// Why it has come to an end by itself, if it has.
        var failure: NodeError? { get async { await desk.failure } }
    }

    // MARK: Terminal

    private func runTerminal(
        _ stage: ChatStage, _ console: Console, _ listener: Listening
    ) async throws(Failure) {
        let isOnce = continuation == .once
        await stage.tell("The other side types: kamune dial \(Self.hint(listener.address))")
        try await stage.runTerminal(console, isStandingOffer: true) { chat in
            let ending = await withTaskGroup(of: ChatEnding?.self) { group in
                group.addTask {
                    await Self.serve(listener, stage) { conversation in
                        if let end = await chat.converse(conversation), end.by != .us {
                            await stage.tell(
                                isOnce
                                    ? "Nobody else is let in (--once); /quit or Ctrl-D ends."
                                    : "Waiting for the next one; /quit ends.")
                        }
                        if isOnce { await listener.close() }
                        return nil
                    }
                }
                return await group.next() ?? nil
            }
            await listener.close()
            return ending
        }
    }

    /// Takes every conversation, until one of them or the listener is the end.
    private static func serve(
        _ listener: Listening, _ stage: ChatStage,
        _ converse: @escaping @Sendable (ChatConversation) async -> ChatEnding?
    ) async -> ChatEnding? {
        let stop = Promise<ChatEnding>()
        return await withDiscardingTaskGroup { group in
            group.addTask {
                if await stop.wait() != nil { await listener.close() }
            }
            for await conversation in listener.conversations {
                group.addTask {
                    if let ending = await converse(conversation) { stop.fulfill(ending) }
                    stage.log.ended(await conversation.waitUntilEnded())
                }
            }
            if let failure = await listener.failure { stop.fulfill(.failed(Failure(failure))) }
            let ending = stop.value
            group.cancelAll()
            return ending
        }
    }

    // MARK: Pipe

    private func runPipe(_ stage: ChatStage, _ listener: Listening) async throws {
        let keepsListening = continuation == .keepListening
        let linger = options.linger.map { PipeChat.Linger.time(.seconds($0)) } ?? .none
        let input = PipeInput(stage.lineSource())
        let stopping = Task {
            if await stage.context.signals.first.wait() != nil { await listener.close() }
        }
        defer { stopping.cancel() }
        let ending = await Self.serve(listener, stage) { conversation in
            guard await stage.reception.connected(conversation.contact) else {
                await conversation.close()
                return nil
            }
            let name = await stage.name(of: conversation)
            let chat = PipeChat(
                conversation: conversation, name: name, stage: stage, input: await input.take(), linger: linger,
                staysForEmptyInput: true)
            var failure: Failure?
            do throws(Failure) {
                try await chat.run()
            } catch {
                failure = error
            }
            await stage.reception.ended(conversation.contact)
            let wasStopped = stage.context.signals.first.value != nil
            // What more came could not be written either.
            if !wasStopped, let failure = await stage.output.failure { return .failed(failure) }
            guard keepsListening || wasStopped else {
                if let failure { return .failed(failure) }
                return .ended(await conversation.waitUntilEnded())
            }
            let message = failure?.message ?? (failure == nil ? "The conversation with \(name) is over." : nil)
            if let message { await stage.tell(message) }
            return nil
        }
        await listener.close()
        await stage.finish()
        if let failure = ending?.failure(wasUnderWay: true) { throw failure }
        if let signal = stage.context.signals.first.value { throw Failure(signal: signal) }
    }

    // MARK: Failures

    /// Tells of handshakes that failed, but not of each when there are many.
    private func report(_ failures: AsyncStream<(NodeError, address: String)>, _ stage: ChatStage) async {
        var limiter = ReportLimiter()
        for await (error, address) in failures {
            stage.log.failed(error, address: address)
            // The peer comes again at once, with an introduction.
            if error.code == .resumptionRefused { continue }
            switch limiter.admit(at: stage.context.time.monotonic) {
            case .tell(let missed):
                if missed > 0 { await stage.tell("… and \(missed) more connections came to nothing.") }
                await stage.tell(
                    "A connection from \(address) came to nothing: \(TerminalText(error.message, maximumColumns: TextLimit.sentence))"
                )
            case .tellLast:
                await stage.tell("Many connections come to nothing; the next ones are only counted.", .warning)
            case .drop: break
            }
        }
    }

    /// The address as somebody elsewhere could type it.
    static func hint(_ address: String) -> String {
        let scheme = address.hasPrefix("udp://") ? "udp://" : ""
        let rest = address.dropFirst(scheme.count)
        for wildcard in ["0.0.0.0:", "[::]:", ":"] where rest.hasPrefix(wildcard) {
            return scheme + "YOUR-HOST:" + rest.dropFirst(wildcard.count)
        }
        return address
    }
}

/// The input of a listener, which only the first conversation gets.
private actor PipeInput {
    private var source: LineSource?

    init(_ source: LineSource) {
        self.source = source
    }

    func take() -> LineSource? {
        source.take()
    }
}
