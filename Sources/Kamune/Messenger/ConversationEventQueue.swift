import KamuneProtocol
import KamuneStore
import KamuneTransport
import Synchronization

/// The events of a conversation until the application takes them. Messages are added as they are stored; the conversation
/// learns now and then how many were taken, and makes the peer wait when it is too few.
///
/// An observer is told of all of them at once. Where there is nobody else, none of them waits, and what it was told of counts
/// as taken.
final class ConversationEventQueue: Sendable {
    /// So many messages, with bodies of so many bytes.
    struct Load: Sendable {
        var count = 0
        var bytes = 0
    }

    private struct State {
        /// What the application was given last, and is done with when it asks for more.
        var given = Load()
        /// What was taken and not told of yet.
        var taken = Load()
        var onTaken: (@Sendable (Load) -> Void)?
        var observer: (@Sendable (ConversationEvent) -> Void)?
    }

    /// Whether the conversation is to learn at once of what was taken.
    private let reportsAtOnce: Bool
    /// Whether there is nobody but the observer.
    private let isObservedOnly: Bool
    private let inbox = Mailbox<ConversationEvent>(limit: .max)
    private let state = Mutex(State())

    /// How many events wait before those that are not messages are dropped: whoever only sends need not take any.
    private static let maximumWaitingChanges = 4_096
    /// How many messages, or bytes, are taken before the conversation learns of it: parts of what may wait.
    private static let reportCount = 64
    private static let reportBytes = 256 << 10

    init(reportsAtOnce: Bool, isObservedOnly: Bool) {
        self.reportsAtOnce = reportsAtOnce
        self.isObservedOnly = isObservedOnly
    }

    /// How many events wait.
    var count: Int { inbox.count }

    /// - Parameter report: Is called when messages were taken.
    func onTaken(_ report: @escaping @Sendable (Load) -> Void) {
        state.withLock { $0.onTaken = report }
    }

    /// - Parameter observer: Is told of every event, in order, by whoever adds it.
    func observe(_ observer: @escaping @Sendable (ConversationEvent) -> Void) {
        state.withLock { $0.observer = observer }
    }

    private func tell(_ events: [ConversationEvent]) {
        guard let observer = state.withLock({ $0.observer }) else { return }
        for event in events { observer(event) }
    }

    /// Adds messages that came in. They go on counting in the budget of the session that brought them, until they are taken.
    func add(_ messages: [StoredMessage], in budget: MemoryBudget?) {
        if messages.isEmpty { return }
        let events = messages.map(ConversationEvent.message)
        guard isObservedOnly else {
            inbox.add(events, size: \.memorySize, in: budget)
            return tell(events)
        }
        tell(events)
        let load = Load(count: messages.count, bytes: messages.reduce(0) { $0 + $1.body.count })
        state.withLock { $0.onTaken }?(load)
    }

    /// Adds something else.
    func add(_ event: ConversationEvent) { add([event]) }

    /// Adds other things, or drops those that are too many.
    func add(_ events: [ConversationEvent]) {
        defer { tell(events) }
        if isObservedOnly { return }
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
        tell([last])
    }

    /// The next event, waiting for it; nil after the last. What was given before counts as taken.
    func next() async throws(KamuneError) -> ConversationEvent? {
        takeGiven()
        let event = try await inbox.next()
        if let event { give([event]) }
        return event
    }

    /// The next events, waiting for one; none after the last. What was given before counts as taken.
    func next(atMost limit: Int) async throws(KamuneError) -> [ConversationEvent] {
        takeGiven()
        let events = try await inbox.nextBatch(atMost: limit) ?? []
        give(events)
        return events
    }

    /// The events that are there; none if there are none. What was given before counts as taken.
    func takeReady(atMost limit: Int) -> [ConversationEvent] {
        takeGiven()
        let events = inbox.takeReady(atMost: limit)
        give(events)
        return events
    }

    private func give(_ events: [ConversationEvent]) {
        var load = Load()
        for case .message(let message) in events {
            load.count += 1
            load.bytes += message.body.count
        }
        if load.count > 0 { state.withLock { $0.given = load } }
    }

    /// What was given counts as taken.
    func takeGiven() {
        let report = state.withLock { state -> (Load, (@Sendable (Load) -> Void)?)? in
            state.taken.count += state.given.count
            state.taken.bytes += state.given.bytes
            state.given = Load()
            let isDue =
                reportsAtOnce
                ? state.taken.count > 0
                : state.taken.count >= Self.reportCount || state.taken.bytes >= Self.reportBytes
            guard isDue else { return nil }
            defer { state.taken = Load() }
            return (state.taken, state.onTaken)
        }
        if let (load, onTaken) = report { onTaken?(load) }
    }
}
