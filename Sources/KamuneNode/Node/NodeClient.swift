import Synchronization

/// Somebody who looks through a node: a command, a program, a terminal interface.
public final class NodeClient: Sendable {
    /// What a client wants to be told of.
    public struct Subscription: Codable, Sendable, Equatable {
        /// Only these kinds; nil for all.
        public var kinds: Set<NodeEvent.Kind>?
        /// Only what is about these contacts, or about nobody; nil for all.
        public var contacts: Set<ContactID>?

        /// Everything, unless it is narrowed.
        public init(kinds: Set<NodeEvent.Kind>? = nil, contacts: Set<ContactID>? = nil) {
            self.kinds = kinds
            self.contacts = contacts
        }

        func wants(_ event: NodeEvent) -> Bool {
            (kinds?.contains(event.kind) ?? true)
                && (contacts.map { contacts in event.contact.map(contacts.contains) ?? true } ?? true)
        }
    }

    /// Takes events to the client. Both are called in order, and must not wait.
    struct Sink: Sendable {
        /// Hands over the events at these places.
        let put: @Sendable (SharedEvents, [Int]) -> Void
        /// Waits until the client is done with what it was told, where that matters.
        var waitUntilTaken: @Sendable () async -> Void = {}
    }

    let number: Int
    /// Whether it is in the process that has opened the store.
    let isOwner: Bool
    /// Whether it is asked about who comes to its addresses, and whom it dials.
    let decides = Mutex(false)
    private let subscription = Mutex<Subscription?>(nil)
    private let sink: Sink
    private static let lastNumber = Mutex(0)

    init(_ sink: Sink, isOwner: Bool = false) {
        self.isOwner = isOwner
        number = Self.lastNumber.withLock { number in
            number += 1
            return number
        }
        self.sink = sink
    }

    func subscribe(_ subscription: Subscription?) {
        self.subscription.withLock { $0 = subscription }
    }

    /// Tells the client of what it wants to know.
    func deliver(_ shared: SharedEvents) {
        guard let subscription = subscription.withLock({ $0 }) else { return }
        let wanted = shared.events.indices.filter { subscription.wants(shared.events[$0]) }
        if !wanted.isEmpty { sink.put(shared, wanted) }
    }

    /// Tells the client something that is for it alone, whether it has subscribed or not.
    func tell(_ event: NodeEvent) {
        sink.put(SharedEvents([event]), [0])
    }

    func waitUntilTaken() async { await sink.waitUntilTaken() }
}
