import CoreMetrics
public import Kamune
import KamuneStore
public import Logging
public import ServiceLifecycle
import UnixSignals

/// A messenger as a service: it listens, looks for those to whom messages wait, hands what happens in all conversations to one
/// closure, and ends in order when it is told to, as by a signal.
///
/// ```swift
/// let messenger = try await Messenger.open(at: location, credential: .passphrase(passphrase), name: "Echo")
/// let service = MessengerService(messenger, listeningOn: ["0.0.0.0:9000"]) { conversation, event in
///     if case .message(let message) = event { try await conversation.send(message.body) }
/// }
/// try await service.runUntilSignalled()
/// ```
///
/// It ends in this order: nobody new is let in, nobody is looked for, goodbye is said in all conversations, what came in
/// meanwhile is handed on, and the store is closed. What is not delivered by then waits there for the next start.
///
/// It counts, with whatever backend of swift-metrics the program has set up: `kamune_sessions_total`,
/// `kamune_messages_received_total`, `kamune_messages_delivered_total`, `kamune_refusals_total` (handshakes that came to
/// nothing, by the dimension `reason`) and `kamune_reconnections_total`.
public struct MessengerService: Service {
    /// What is done when something happens in a conversation. What it throws is logged, and the service goes on.
    ///
    /// Events are handed on one after the other; a message counts as taken when this returns. Whoever needs long starts a task.
    public typealias Handler = @Sendable (Conversation, ConversationEvent) async throws -> Void

    private let messenger: Messenger
    private let addresses: [String]
    private let looksForPeers: Bool
    private let closesStore: Bool
    private let logger: Logger
    private let handler: Handler

    /// A service.
    ///
    /// - Parameters:
    ///   - addresses: Where to listen; see ``Kamune/Endpoint/listen(on:)``.
    ///   - looksForPeers: Whether those are dialed to whom messages wait; see ``Kamune/Reach``.
    ///   - closesStore: Whether the messenger's store is closed in the end.
    ///   - logger: What happens is logged there; by default nowhere. No message's content is logged.
    ///   - handler: What is done when something happens.
    public init(
        _ messenger: Messenger, listeningOn addresses: [String] = [], looksForPeers: Bool = true,
        closesStore: Bool = true, logger: Logger = .silent, handler: @escaping Handler
    ) {
        self.messenger = messenger
        self.addresses = addresses
        self.looksForPeers = looksForPeers
        self.closesStore = closesStore
        self.logger = logger
        self.handler = handler
    }

    /// Runs until the service is to shut down, or the task is cancelled.
    ///
    /// - Throws: ``Kamune/KamuneError`` when an address cannot be listened on, or the store cannot be closed.
    public func run() async throws {
        let events = await messenger.events
        var listeners: [ConversationListener] = []
        do throws(KamuneError) {
            for address in addresses {
                let listener = try await messenger.listen(on: address)
                listeners.append(listener)
                logger.info("listening", metadata: ["address": "\(listener.address)"])
            }
        } catch {
            for listener in listeners { await listener.close() }
            await messenger.shutDown()
            try await closeStore()
            throw error
        }
        let reach = looksForPeers ? Reach(messenger) : nil
        await reach?.start()
        await withTaskGroup(of: Void.self) { group in
            for listener in listeners { group.addTask { await watch(listener) } }
            // What is left is handed on in the end, also when the task was cancelled.
            let handing = Task { await handle(events) }
            await waitForShutdown()
            logger.info("shutting down")
            for listener in listeners { await listener.close() }
            await reach?.stop()
            await messenger.shutDown()
            await handing.value
            group.cancelAll()
        }
        try await closeStore()
    }

    /// Runs as the only service of a program, until an interrupt or a request to terminate (SIGINT, SIGTERM), or the task is
    /// cancelled.
    public func runUntilSignalled() async throws {
        let group = ServiceGroup(
            services: [self], gracefulShutdownSignals: [.sigint, .sigterm], logger: logger)
        try await group.run()
    }

    private func closeStore() async throws(KamuneError) {
        guard closesStore else { return }
        do throws(StoreError) {
            try await messenger.store.close()
        } catch {
            throw KamuneError(error)
        }
    }

    private func waitForShutdown() async {
        // Throws when the task is cancelled, which means the same here.
        try? await gracefulShutdown()
    }

    // MARK: What happens

    private func handle(_ events: MessengerEvents) async {
        do throws(KamuneError) {
            for try await event in events {
                note(event)
                do {
                    try await handler(event.conversation, event.event)
                } catch {
                    logger.error(
                        "the handler failed", metadata: ["peer": "\(event.conversation.name)", "error": "\(error)"])
                }
            }
        } catch {
            logger.error("events ended", metadata: ["error": "\(error)"])
        }
    }

    private func note(_ event: MessengerEvent) {
        let peer: Logger.Metadata = ["peer": "\(event.conversation.name)"]
        func metadata(_ more: Logger.Metadata) -> Logger.Metadata { peer.merging(more) { $1 } }
        switch event.event {
        case .connected(let session):
            Counters.sessions.increment()
            logger.info(
                "connected",
                metadata: metadata(["address": "\(session.remoteAddress)", "resumed": "\(session.isResumed)"]))
        case .disconnected(let error):
            logger.info("disconnected", metadata: metadata(["error": "\(error.code)"]))
        case .reconnecting(let attempt, let delay):
            Counters.reconnections.increment()
            logger.debug("reconnecting", metadata: metadata(["attempt": "\(attempt)", "delay": "\(delay)"]))
        case .reconnectionFailed(let error):
            logger.debug("reconnection failed", metadata: metadata(["error": "\(error.code)"]))
        case .message(let message):
            Counters.received.increment()
            logger.debug("message", metadata: metadata(["id": "\(message.id)", "bytes": "\(message.body.count)"]))
        case .stateChanged(let id, let state):
            if state == .delivered { Counters.delivered.increment() }
            logger.trace("state", metadata: metadata(["id": "\(id)", "state": "\(state)"]))
        case .ended(let end):
            logger.info("ended", metadata: metadata(["how": "\(end)"]))
        }
    }

    private func watch(_ listener: ConversationListener) async {
        // The conversations are told of elsewhere; they are only made room for here.
        async let conversations: Void = {
            do throws(KamuneError) {
                for try await _ in listener {}
            } catch {
                logger.error("listening ended", metadata: ["address": "\(listener.address)", "error": "\(error)"])
            }
        }()
        for await failure in listener.failures {
            Counters.refused(failure.error.code)
            logger.debug(
                "handshake failed",
                metadata: ["address": "\(failure.remoteAddress)", "error": "\(failure.error.code)"])
        }
        await conversations
    }
}

extension Conversation {
    /// How the peer is called in a log: by the key, since a name is what somebody says of themselves.
    nonisolated var name: String { peer.identity.fingerprint.sum }
}

extension Logger {
    /// A logger that logs nothing.
    public static var silent: Logger { Logger(label: "kamune") { _ in SwiftLogNoOpLogHandler() } }
}
