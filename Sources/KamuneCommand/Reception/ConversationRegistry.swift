import KamuneNode

/// With whom there are conversations. A peer is who the store takes them for, whatever key they show: keys change hands.
struct ConversationRegistry: Sendable {
    private enum Link {
        case connected
        /// The connection is lost. The place waits, and holds up nobody else.
        case lost
    }

    /// How many conversations may go on at once.
    private let capacity: Int
    private var links: [ContactID: Link] = [:]

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Whether one more conversation may begin. Those whose connections are lost are kept for when they come back, but not
    /// without limit.
    var hasRoom: Bool {
        links.values.count { $0 == .connected } < capacity && links.count < 2 * capacity
    }

    /// Whether there is a conversation with somebody.
    func contains(_ peer: ContactID) -> Bool { links[peer] != nil }

    /// Whether there is one whose connection is lost at the moment.
    func isLost(_ peer: ContactID) -> Bool { links[peer] == .lost }

    /// A conversation begins, or its connection is back.
    ///
    /// - Returns: False when every place is taken.
    mutating func connected(_ peer: ContactID) -> Bool {
        guard contains(peer) || hasRoom else { return false }
        links[peer] = .connected
        return true
    }

    /// The connection of a conversation is lost.
    mutating func lost(_ peer: ContactID) {
        if contains(peer) { links[peer] = .lost }
    }

    /// A conversation is over.
    mutating func ended(_ peer: ContactID) {
        links[peer] = nil
    }
}
