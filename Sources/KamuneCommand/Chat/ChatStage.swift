import Kamune
import KamuneNode
import KamuneStore
import KamuneSystem
import KamuneTerminal

/// Everything that a conversation needs around it: who we are, whom we talk to, and the terminal or pipe.
struct ChatStage: Sendable {
    /// Where a conversation takes place.
    enum Setting: Sendable {
        case terminal(Console)
        case pipe(StatusLog)
    }

    /// Where everything is asked for.
    let window: NodeWindow
    let desk: ChatDesk
    /// Who we are.
    let own: GetSelf.Answer
    let reception: Reception
    let setting: Setting
    /// Where what arrives is written.
    let output: MessageOutput
    let context: CommandContext
    let log: EventLog
    private let isIncognito: Bool

    /// Prepares everything, and says who we are.
    ///
    /// - Parameters:
    ///   - capacity: How many conversations may go on at once in a pipe.
    ///   - letsWait: Whether strangers whom nobody decides about wait in the list of requests.
    ///   - asksAtTerminal: Whether somebody who started a script at a terminal is asked there.
    init(
        _ options: EndpointOptions, in context: CommandContext, pipeCapacity capacity: Int = 1,
        asksAtTerminal: Bool = false, letsWait: Bool = false, adjust: (inout Configuration) -> Void = { _ in }
    ) async throws {
        self.context = context
        let window: NodeWindow
        var notes: [(text: String, look: Style.Look)]
        (window, notes) = try await ChatSelf.open(options, context, adjust: adjust)
        self.window = window
        isIncognito = options.incognito
        let node = window.access
        let isTerminal = Console.availableKind(context) != nil
        do {
            own = try await node.ask(GetSelf())
        } catch {
            await window.close(in: context)
            throw error
        }
        if own.isNew { notes.append(("A new identity was made for you; “kamune identity show” shows it.", .good)) }

        let configuration = options.configuration
        let host: any Reception.Host
        let outputName = isIncognito ? nil : options.output ?? MessageOutput.standardName
        if let kind = Console.availableKind(context) {
            let console = Console(
                kind: kind, maximumLineSize: Conversation.maximumBodySize(configuration), context: context)
            setting = .terminal(console)
            output = MessageOutput(node, name: outputName, put: MessageOutput.console(console))
            // Before anything is said that somebody could answer.
            await console.start()
            host = ConsoleHost(console: console)
        } else {
            let log = StatusLog(context)
            setting = .pipe(log)
            output = MessageOutput(node, name: outputName, put: MessageOutput.stream(context, isJSON: options.json))
            if asksAtTerminal, let terminal = context.openTerminal() {
                host = TerminalHost(terminal: terminal, log: log, isLogSeen: context.errors.isTerminal)
            } else {
                host = LogHost(log: log)
            }
        }
        context.signals.concludeFirst()
        Self.limitConclusion(context)
        let reception = Reception(
            rule: options.verify, book: NodePeerBook(node: node), host: host, time: context.time,
            patience: configuration.handshakeTimeout, capacity: isTerminal ? 1 : capacity,
            letsWait: letsWait && !options.incognito)
        self.reception = reception
        log = EventLog(level: options.logLevel) { await host.tell($0, .faint) }
        let output = output
        desk = ChatDesk(node, verifier: reception, waitsForWriting: isIncognito) { await output.contactsHaveChanged() }
        for (text, look) in notes { await host.tell(text, look) }
    }

    /// How long concluding may be held up by somebody who does not read what is written, once a signal has asked for it.
    private static let conclusionLimit = Duration.seconds(2)

    private static func limitConclusion(_ context: CommandContext) {
        Task {
            guard await context.signals.first.wait() != nil else { return }
            try await context.time.sleep(for: conclusionLimit)
            context.output.abandon()
            context.errors.abandon()
        }
    }

    /// Writes what came in before and was not written, because the program was killed or nobody read it.
    func begin() async throws(Failure) {
        let signals = context.signals
        do throws(NodeError) {
            try await desk.start()
        } catch {
            await finish()
            throw Failure(error)
        }
        let problem = await output.begin { signals.first.value != nil }
        // An output that nobody reads is given up soon after the program was told to end; that is no failure of it.
        guard let failure = signals.first.value.map({ Failure(signal: $0) }) ?? problem else { return }
        await finish()
        throw failure
    }

    /// Lets go of everything: what was logged is written, and the store is closed.
    func finish() async {
        await output.finish()
        await log.finish()
        // What is said while others look through this one stands below.
        if case .terminal(let console) = setting { await console.finish() }
        await window.close(in: context)
        if case .pipe(let log) = setting { await log.finish() }
    }

    /// Ends before there was any conversation.
    func end() async {
        await finish()
    }

    /// Tells the person what the other side is to see.
    func tellOwnFingerprint() async {
        let fingerprint = own.publicKey.key.fingerprint
        let pseudonym = fingerprint.pseudonym == ownName.description ? "" : ", \(fingerprint.pseudonym)"
        await tell("You are \(ownName): \(fingerprint.emoji.joined(separator: " "))\(pseudonym)")
    }

    /// What we are called here.
    var ownName: TerminalText {
        PeerName.shown(for: Peer(name: own.name, identity: own.publicKey.key, version: "", capabilities: []))
    }

    /// What the other side of a conversation is called here.
    func name(of conversation: ChatConversation) async -> TerminalText {
        let known = try? await window.access.ask(GetContact(conversation.contact)).contact
        return known.map { PeerName.shown(for: $0) } ?? PeerName.shown(for: conversation.peer)
    }

    /// Whether what is written is kept, so that it can wait for somebody who is not there.
    var keepsMessages: Bool { !isIncognito }

    /// Keeps a message for somebody who is not there: it goes out when they are.
    func leave(_ text: String, for contact: ContactID) async throws(NodeError) -> MessageInfo {
        // What would never go out is not kept as if it would.
        guard try await !window.access.ask(GetContact(contact)).contact.blocked else {
            throw NodeError(.refusedByUs, "You have blocked them.")
        }
        guard let message = try await window.access.ask(SendMessages(to: contact, text: text)).messages.first else {
            throw NodeError(.other, "The message was not stored.")
        }
        return message
    }

    /// Tells when somebody seemed to sit in between before a session was established.
    func tellDoubt(of link: LinkInfo) async {
        guard let failure = link.doubt else { return }
        await tell(
            "WARNING: the earlier session could not be resumed, and somebody may be in between: "
                + "\(TerminalText(failure.message, maximumColumns: TextLimit.sentence)) You have introduced yourselves to each "
                + "other anew.", .warning)
    }

    /// What to tell about messages that did not get through.
    func whatBecomes(ofUnsent count: Int) -> Trouble { .undelivered(count, isKept: !isIncognito) }

    /// The lines of standard input.
    func lineSource() -> LineSource {
        LineSource(
            InputReader(context.input),
            maximumLineSize: Conversation.maximumBodySize(Configuration()))
    }

    /// Tells the person something that is fit to be shown.
    func tell(_ text: String, _ look: Style.Look = .faint) async {
        switch setting {
        case .terminal(let console): await console.show(status: text, look)
        case .pipe(let log): log.show(text, look)
        }
    }

    /// Runs a conversation in the terminal: begins `work`, handles what is typed, and ends gracefully when the person wants
    /// to, or when `work` says that it is over.
    ///
    /// - Parameters:
    ///   - isStandingOffer: Whether ending is what was asked for even if there was no conversation.
    ///   - work: Finds somebody to talk with, and talks. Its result ends everything; nil leaves that to the person.
    func runTerminal(
        _ console: Console, isStandingOffer: Bool,
        _ work: @escaping @Sendable (TerminalChat) async -> ChatEnding?
    ) async throws(Failure) {
        let chat = TerminalChat(console: console, stage: self)
        let stop = Promise<ChatEnding>()
        if isStandingOffer { await console.showPrompt() }
        let ending = await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await chat.handleInput()
                if !Task.isCancelled { stop.fulfill(.quit) }
            }
            group.addTask { if let signal = await context.signals.first.wait() { stop.fulfill(.signal(signal)) } }
            group.addTask { if let ending = await work(chat) { stop.fulfill(ending) } }
            let ending = await stop.wait() ?? .quit
            await chat.close()
            group.cancelAll()
            return ending
        }
        await finish()
        // What has come to an end before says how it went, when that was all that was asked for.
        let last = isStandingOffer ? nil : await chat.lastEnd
        let wasUnderWay = await chat.hasTalked || isStandingOffer
        let failure = ending == .quit ? last.flatMap { ChatEnding.ended($0).failure(wasUnderWay: true) } : nil
        if let failure = failure ?? ending.failure(wasUnderWay: wasUnderWay) { throw failure }
    }
}
