/// The sessions of a conversation that is connected: the one that carries it, and those before it that still have something
/// to be stored, the oldest first.
struct Links: Sendable {
    private(set) var former: [Link] = []
    private(set) var current: Link
    /// Whether the peer is looked for beside the current one, which seems to be lost.
    private var search: Search?

    init(_ link: Link) {
        current = link
    }

    func contains(_ id: LinkID) -> Bool { current.id == id || former.contains { $0.id == id } }

    subscript(_ id: LinkID) -> Link? { current.id == id ? current : former.first { $0.id == id } }

    /// Whether no more sessions may be given up for now.
    func isFull(_ limits: ConversationLimits) -> Bool { former.count >= limits.drainingLinks }

    /// Whether nothing is under way.
    var isQuiet: Bool { former.isEmpty && current.isQuiet }

    /// When something is due.
    func nextDeadline(_ limits: ConversationLimits) -> Duration? {
        [current.nextDeadline(limits), search?.nextDeadline].compactMap { $0 }.min()
    }

    mutating func replace(with link: Link, _ books: inout ConversationBooks) {
        endSearch(&books)
        if current.hasRemains { former.append(current) }
        current = link
    }

    /// Changes one of them; nil when it is not among them any more. This is the one place where it is asked whether an event
    /// still concerns anybody.
    mutating func with<Result>(_ id: LinkID, _ body: (inout Link) -> Result) -> Result? {
        if current.id == id { return body(&current) }
        guard let index = former.firstIndex(where: { $0.id == id }) else { return nil }
        return body(&former[index])
    }

    /// Does whatever may be done now, one link after the other.
    ///
    /// - Returns: How the current session has ended, once that is so.
    mutating func advance(
        _ books: inout ConversationBooks, _ pace: Link.Pace, at now: Duration
    ) -> Inbox.Ending? {
        while !former.isEmpty {
            former[0].advance(&books, pace, isFormer: true, at: now)
            guard former[0].ending != nil else { return nil }
            former.removeFirst()
        }
        current.advance(&books, pace, at: now)
        // All has come as far as it can: what did not was deleted meanwhile.
        if current.isSettled { books.outstanding.removeAll() }
        return current.ending
    }

    // MARK: A session that seems to be lost

    /// The current session's peer does not answer, or does again.
    mutating func doubted(_ id: LinkID, _ isDoubtful: Bool, _ books: inout ConversationBooks) {
        guard id == current.id else { return }
        if !isDoubtful {
            endSearch(&books)
        } else if search == nil, books.canRedial, books.configuration.reconnection.patience != .zero {
            search = Search(&books)
        }
    }

    mutating func dialFailed(
        _ failure: ConversationMachine.DialFailure, _ books: inout ConversationBooks, at now: Duration
    ) {
        search?.dialFailed(failure, &books, at: now)
    }

    mutating func hurry(_ books: inout ConversationBooks) { search?.hurry(&books) }

    mutating func timeElapsed(_ books: inout ConversationBooks, at now: Duration) {
        search?.timeElapsed(&books, at: now)
    }

    mutating func endSearch(_ books: inout ConversationBooks) {
        search.take()?.end(&books)
    }
}
