import DequeModule

/// What is to go out over one session: the stream to the peer, from the oldest message that is pending, page by page.
///
/// While the store holds nothing more, what is written goes from hand to hand: the transaction that stores it counts it as
/// handed over, and it need not be read again.
struct Outbox: Sendable {
    private enum Supply: Sendable {
        /// The store may hold more.
        case unread
        /// It was asked for more; whether something was written since that it may not have seen.
        case fetching(isStale: Bool)
        /// All that it holds is here, or was.
        case drained
    }

    private let handover: ConversationMachine.Handover
    private var supply = Supply.unread
    private var page = Deque<OutgoingMessage>()
    /// What is here.
    private var held = Load()
    /// What will come here as soon as it is stored.
    private var promised = Load()
    private var promises = 0
    /// The last place that was yielded.
    private var last: StreamPlace?

    init(_ handover: ConversationMachine.Handover) {
        self.handover = handover
    }

    /// Whether there is nothing to send, here or in the store.
    var isEmpty: Bool {
        guard case .drained = supply else { return false }
        return page.isEmpty && promises == 0
    }

    /// What is here, or will be as soon as it is stored.
    var load: Load {
        var load = held
        load += promised
        return load
    }

    mutating func popFirst() -> OutgoingMessage? {
        guard let message = page.popFirst() else { return nil }
        held.remove(1, bodies: message.message.body.count)
        return message
    }

    /// How messages that are being written are stored: with a handover if they are to come here.
    mutating func wrote(_ messages: [DeliveryMessage], _ limits: ConversationLimits) -> ConversationMachine.Handover? {
        var load = Load()
        for message in messages { load.add(body: message.body.count) }
        switch supply {
        case .drained
        where self.load.count + load.count <= 2 * limits.pageMessages
            && self.load.bytes + load.bytes <= 2 * limits.pageBytes:
            promised += load
            promises += 1
            return handover
        case .drained, .unread:
            supply = .unread
        case .fetching:
            supply = .fetching(isStale: true)
        }
        return nil
    }

    /// The store holds more than it was known to.
    mutating func storeHasMore() {
        switch supply {
        case .unread: break
        case .fetching: supply = .fetching(isStale: true)
        case .drained: supply = .unread
        }
    }

    /// Messages were stored that were to come here. None come when something else waits in the store before them.
    mutating func appended(_ messages: [OutgoingMessage]) {
        var load = Load()
        for message in messages { load.add(body: message.message.body.count) }
        promises -= 1
        promised -= load
        if messages.isEmpty { supply = .unread }
        if promises == 0 { promised = Load() }
        take(messages, load)
    }

    mutating func notAppended() {
        promises -= 1
        if promises == 0 { promised = Load() }
    }

    /// What the store is to be asked for, if there is room for more.
    mutating func fetch(_ limits: ConversationLimits) -> ConversationMachine.StoreOperation? {
        // What is being stored for us comes before what lies behind it.
        guard case .unread = supply, promises == 0, held.count < limits.lowPage, held.bytes < limits.pageBytes else {
            return nil
        }
        supply = .fetching(isStale: false)
        return .fetch(handover, after: last, limit: limits.pageMessages, bytes: limits.pageBytes)
    }

    mutating func fetched(_ messages: [OutgoingMessage], isEnd: Bool) {
        guard case .fetching(let isStale) = supply else { return }
        supply = isEnd && !isStale ? .drained : .unread
        var load = Load()
        for message in messages { load.add(body: message.message.body.count) }
        take(messages, load)
    }

    private mutating func take(_ messages: [OutgoingMessage], _ load: Load) {
        guard let place = messages.last?.place else { return }
        last = place
        held += load
        page.append(contentsOf: messages)
    }
}
