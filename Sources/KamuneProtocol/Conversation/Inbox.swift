/// What came over one session, until it is stored.
struct Inbox: Sendable {
    private enum Reading: Sendable {
        case resting
        case reading
        /// Everything was read.
        case over(Ending)
    }

    /// How the session has ended.
    enum Ending: Equatable, Sendable {
        case left(ConversationMachine.LinkEnd)
        /// The peer broke a rule, and nothing that follows is looked at.
        case violation(ProtocolError)
    }

    private var reading = Reading.resting
    private var waiting: [ConversationMachine.IncomingMessage] = []
    private var waitingLoad = Load()
    private var storing: Batch?

    /// What the store was asked to keep.
    struct Batch: Sendable {
        var load: Load
        var last: DeliveryID?
    }

    /// What is not stored yet.
    var load: Load {
        var load = waitingLoad
        if let storing { load += storing.load }
        return load
    }

    /// How the session has ended, once everything that it brought is stored.
    var ending: Ending? {
        guard case .over(let ending) = reading, load.count == 0 else { return nil }
        return ending
    }

    var isOver: Bool { if case .over = reading { true } else { false } }
    var isReading: Bool { if case .reading = reading { true } else { false } }

    /// - Returns: Whether the session is to be read now.
    mutating func read(_ books: ConversationBooks, isClosing: Bool) -> Bool {
        guard case .resting = reading, books.hasRoom(beside: load, isClosing: isClosing) else { return false }
        reading = .reading
        return true
    }

    mutating func received() {
        if case .reading = reading { reading = .resting }
    }

    mutating func add(_ message: ConversationMachine.IncomingMessage) {
        waiting.append(message)
        waitingLoad.add(body: message.body.count)
    }

    mutating func end(_ ending: Ending) {
        if case .over = reading { return }
        reading = .over(ending)
    }

    /// What is to be stored now: all that has come since the store has been asked last. One batch at a time, so that what
    /// cannot be stored is followed by nothing that is.
    mutating func keep() -> [ConversationMachine.IncomingMessage]? {
        guard storing == nil, let last = waiting.last else { return nil }
        storing = Batch(load: waitingLoad, last: last.id)
        defer {
            waiting = []
            waitingLoad = Load()
        }
        return waiting
    }

    /// - Returns: What was stored.
    mutating func kept() -> Batch? {
        defer { storing = nil }
        return storing
    }
}
