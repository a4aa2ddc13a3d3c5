import ArgumentParser
import Foundation
import Kamune
import KamuneNode
import KamuneSystem
import KamuneTerminal

/// `kamune send`
struct SendCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Send a message to somebody whom you know, who may be there or not.",
        discussion: """
            The message is kept first, and goes out as soon as they are there: now, or when the Kamune in the background \
            (“kamune start”) reaches them. Names are those that you have given, or that they give themselves if nobody else \
            does; a name that may mean two people sends nothing.

            Without a text, all of standard input is one message.

            EXAMPLES:
              kamune send Ada 'I am on the train'
              kamune send Ada --wait 60 'Are you there?'
              git log -1 | kamune send Ada

            \(ExitStatus.table)
            """)

    @OptionGroup var argument: PeerArgument

    @Argument(help: "The text; without it, standard input.")
    var text: String?

    @Option(
        name: .long,
        help: ArgumentHelp("How long to wait until it is delivered; 0 not to wait.", valueName: "seconds"))
    var wait: Double = 10

    @Flag(name: .long, help: "Print JSON: the message, as far as it has come.")
    var json = false

    @OptionGroup var store: StoreOptions

    func validate() throws {
        guard wait >= 0, wait <= EndpointOptions.longestTime else {
            throw ValidationError("--wait takes a number of seconds from 0, up to a day.")
        }
        guard text.map(ArgumentText.isText) ?? true else { throw ValidationError("The text must be in UTF-8.") }
    }

    func run(in context: CommandContext) async throws {
        let limit = Conversation.maximumBodySize(Configuration())
        // Before a passphrase is asked for.
        let body = try await body(limit, context)
        let window = try await NodeWindow.open(store, .existing, in: context)
        do {
            try await send(body, window, context)
        } catch {
            await window.close(in: context)
            throw error
        }
        await window.close(in: context)
    }

    private func send(_ body: [UInt8], _ window: NodeWindow, _ context: CommandContext) async throws {
        let node = window.access
        let peers = try await PeerList(node)
        let peer = try peers.select(argument.peer)
        let name = PeerName.shown(for: peer)
        // What would never go out is not kept as if it would.
        guard !peer.blocked else { throw Failure(.blockedPeer(name)) }
        guard peer.accepted != nil, !peer.expired else { throw Failure(.unacceptedPeer(name)) }
        _ = try await node.ask(
            Subscribe(to: NodeClient.Subscription(kinds: [.stateChanged, .conversationEnded], contacts: [peer.id])))
        let answer = try await node.ask(SendMessages(to: peer.id, bodies: [body]))
        guard var message = answer.messages.first else { throw Failure(.endedEarly) }
        if wait > 0 {
            let progress = DeliveryProgress(message)
            await progress.follow(node, peer.id, for: .seconds(wait), context.time)
            message.state = await progress.state
        }
        if json { try context.output.print(MessageLine(message, peers).text) }
        switch message.state {
        case .delivered:
            if !json { context.tell("Delivered to \(name).", .good) }
        case .sent:
            if !json { context.tell("Sent to \(name), whose program does not say what it has.", .good) }
        case .maybeLost: throw Failure(.maybeLost(1))
        case .waiting, .inFlight, .received:
            throw Failure(.queued(name, willBeSent: window.own == nil))
        }
    }

    private func body(_ limit: Int, _ context: CommandContext) async throws -> [UInt8] {
        let body: [UInt8]
        if let text {
            body = Array(text.utf8)
        } else {
            body = try await Self.read(context, limit)
        }
        guard !body.isEmpty else { throw Failure(.nothingToSend) }
        guard body.count <= limit else { throw Failure(.messageTooLong(limit: limit)) }
        return body
    }

    /// All of standard input, less the line feed at its end.
    private static func read(_ context: CommandContext, _ limit: Int) async throws -> [UInt8] {
        let reader = InputReader(context.input)
        var bytes: [UInt8] = []
        while let more = await reader.read() {
            bytes += more
            guard bytes.count <= limit + 1 else { throw Failure(.messageTooLong(limit: limit)) }
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return bytes
    }
}

/// How far a message comes, while somebody waits for it.
private actor DeliveryProgress {
    private(set) var state: MessageInfo.State
    private let id: MessageName

    init(_ message: MessageInfo) {
        state = message.state
        id = message.id
    }

    /// Waits until the message has come as far as it can, or the time is over. Connects, if there is no connection.
    func follow(
        _ node: any NodeAccess, _ contact: ContactID, for limit: Duration, _ time: any TimeSource
    ) async {
        let isDone = Promise<Void>()
        let watching = Task {
            while true {
                let events = await node.events.next(atMost: 64)
                if events.isEmpty { break }
                for event in events { take(event) }
                if !state.isPending { break }
            }
            isDone.fulfill(())
        }
        // That nobody is reached now is no failure: the message waits.
        let dialing = Task { _ = try? await node.ask(Dial(contact: contact)) }
        let timer = Task {
            try? await time.sleep(for: limit)
            isDone.fulfill(())
        }
        _ = await isDone.wait()
        for task in [watching, dialing, timer] { task.cancel() }
    }

    private func take(_ event: NodeEvent) {
        if case .stateChanged(_, id, let new) = event { state = new }
    }
}
