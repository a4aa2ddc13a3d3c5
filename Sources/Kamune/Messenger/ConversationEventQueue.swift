import KamuneProtocol
import KamuneStore
import KamuneTransport
import Synchronization

/// The events of a conversation until the application takes them. Messages are added as they are stored; the conversation
/// learns now and then how many were taken, and makes the peer wait when it is too few.
final class ConversationEventQueue: Sendable {
    /// So many messages, with bodies of so many bytes.
    struct Load: Sendable {
        var count = 0
        var bytes = 0
    }

    private struct State {
        /// What was taken and not told of yet.
        var taken = Load()
        var onTaken: (@Sendable (Load) -> Void)?
    }

    private let inbox = Mailbox<ConversationEvent>(limit: .max)
    private let state = Mutex(State())

    /// How many events wait before those that are not messages are dropped: whoever only sends need not take any.
    private static let maximumWaitingChanges = 4_096
    /// How many messages, or bytes, are taken before the conversation learns of it: parts of what may wait.
    private static let reportCount = 64
    private static let reportBytes = 256 << 10

    /// How many events wait.
    var count: Int { inbox.count }

    /// - Parameter report: Is called when messages were taken.
    func onTaken(_ report: @escaping @Sendable (Load) -> Void) {
        state.withLock { $0.onTaken = report }
    }

    /// Adds messages that came in. They go on counting in the budget of the session that brought them, until they are taken.
    func add(_ messages: [StoredMessage], in budget: MemoryBudget?) {
        inbox.add(messages.map(ConversationEvent.message), size: \.memorySize, in: budget)
    }

    /// Adds something else.
    func add(_ event: ConversationEvent) { add([event]) }

    /// Adds other things, or drops those that are too many.
    func add(_ events: [ConversationEvent]) {
        let room = Self.maximumWaitingChanges - inbox.count
        if events.count <= room { return inbox.add(events, size: { _ in 1 }) }
        var waiting = Self.maximumWaitingChanges - room
        var admitted: [ConversationEvent] = []
        for event in events {
            // Whoever learns of a connection, or of a loss, must not miss it among the changes.
            let limit =
                switch event {
                case .stateChanged(_, .maybeLost), .connected, .disconnected: 4 * Self.maximumWaitingChanges
                default: Self.maximumWaitingChanges
                }
            guard waiting < limit else { continue }
            admitted.append(event)
            waiting += 1
        }
        inbox.add(admitted, size: { _ in 1 })
    }

    func finish(with last: ConversationEvent) {
        inbox.add(last)
        inbox.finish()
    }

    /// The next event, waiting for it; nil after the last.
    func next() async throws(KamuneError) -> ConversationEvent? {
        let event = try await inbox.next()
        if case .message(let message)? = event { took(Load(count: 1, bytes: message.body.count)) }
        return event
    }

    /// The next events, waiting for one; none after the last.
    func next(atMost limit: Int) async throws(KamuneError) -> [ConversationEvent] {
        guard let events = try await inbox.nextBatch(atMost: limit) else { return [] }
        var load = Load()
        for case .message(let message) in events {
            load.count += 1
            load.bytes += message.body.count
        }
        if load.count > 0 { took(load) }
        return events
    }

    private func took(_ load: Load) {
        let report = state.withLock { state -> (Load, (@Sendable (Load) -> Void)?)? in
            state.taken.count += load.count
            state.taken.bytes += load.bytes
            guard state.taken.count >= Self.reportCount || state.taken.bytes >= Self.reportBytes else { return nil }
            defer { state.taken = Load() }
            return (state.taken, state.onTaken)
        }
        if let (load, onTaken) = report { onTaken?(load) }
    }
}
