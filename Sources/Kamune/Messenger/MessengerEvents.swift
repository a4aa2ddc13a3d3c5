import DequeModule
import Synchronization

/// What happens in a conversation of a messenger.
public struct MessengerEvent: Sendable {
    /// In which conversation.
    public let conversation: Conversation
    /// What.
    public let event: ConversationEvent
}

/// What happens in all conversations of a messenger, in the order in which it happens in each: one place for a program that
/// talks to many.
///
/// Nothing is held here: each conversation keeps its own events, with the bounds of ``Conversation/events``, and they are
/// taken from one after the other, a few at a time. So whoever takes this sequence takes those from no conversation. A peer
/// whose messages are not taken is made to wait. Iterate from one task at a time.
///
/// It ends when the task is cancelled, or the messenger has shut down; ``Messenger/shutDown()`` lets what is left be taken.
public struct MessengerEvents: AsyncSequence, Sendable {
    /// An event.
    public typealias Element = MessengerEvent
    /// Only that the task was cancelled.
    public typealias Failure = KamuneError

    let hub: EventHub

    /// Takes what was not taken yet.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(hub: hub) }

    /// Takes events, one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let hub: EventHub
        private var conversation: Conversation?
        private var rest: Deque<ConversationEvent> = []

        fileprivate init(hub: EventHub) { self.hub = hub }

        /// The next event, waiting for it; nil after the last.
        public mutating func next() async throws(KamuneError) -> MessengerEvent? {
            while true {
                if let conversation, let event = rest.popFirst() {
                    return MessengerEvent(conversation: conversation, event: event)
                }
                // It counts as taken now, whichever conversation comes next.
                conversation?.events.queue.takeGiven()
                conversation = nil
                guard let next = try await hub.next() else { return nil }
                rest = Deque(next.events.queue.takeReady(atMost: EventHub.batchSize))
                if next.events.queue.count > 0 { hub.note(next) }
                conversation = next
            }
        }
    }
}

/// Which conversations have something to be taken.
final class EventHub: Sendable {
    /// How many events of a conversation are taken before it is another one's turn.
    static let batchSize = 64

    private struct State {
        var isActive = false
        /// Those that are in the mailbox.
        var waiting: Set<ObjectIdentifier> = []
    }

    private let state = Mutex(State())
    private let conversations = Mailbox<Conversation>(limit: .max)

    /// From now on conversations are noted.
    ///
    /// - Returns: Whether they were not before.
    func activate() -> Bool {
        state.withLock { state in
            defer { state.isActive = true }
            return !state.isActive
        }
    }

    /// A conversation has something.
    func note(_ conversation: Conversation) {
        let isNew = state.withLock { state in
            state.isActive && state.waiting.insert(ObjectIdentifier(conversation)).inserted
        }
        if isNew { conversations.add(conversation) }
    }

    func next() async throws(KamuneError) -> Conversation? {
        guard let next = try await conversations.next() else { return nil }
        _ = state.withLock { $0.waiting.remove(ObjectIdentifier(next)) }
        return next
    }

    /// No more conversations have anything.
    func finish() { conversations.finish() }
}
