public import Foundation

/// What to search the history for.
public struct MessageSearch: Sendable {
    /// Words, separated by spaces; a message must hold all of them, in any order, in upper or lower case. Without words
    /// every message counts, of whatever kind.
    public var text: String
    /// Whether "cat" is not found in "concatenate".
    public var wholeWords: Bool
    /// Only what was said with this peer.
    public var peer: PeerID?
    /// Only what went this way.
    public var direction: MessageDirection?
    /// Only what came or was written at this time or later, by this machine's clock.
    public var from: Date?
    /// Only what came or was written before this time, by this machine's clock.
    public var until: Date?
    /// Only what lies before this place in the history.
    public var before: MessagePosition?

    /// A search.
    public init(
        _ text: String = "", wholeWords: Bool = false, peer: PeerID? = nil, direction: MessageDirection? = nil,
        from: Date? = nil, until: Date? = nil
    ) {
        self.text = text
        self.wholeWords = wholeWords
        self.peer = peer
        self.direction = direction
        self.from = from
        self.until = until
    }
}

/// Judges records for a search.
struct MessageFilter: Sendable {
    private let matcher: MessageMatcher
    private let direction: MessageDirection?
    private let from: Int64
    private let until: Int64

    init(_ search: MessageSearch) {
        matcher = MessageMatcher(search.text, wholeWords: search.wholeWords)
        direction = search.direction
        from = search.from?.milliseconds ?? .min
        until = search.until?.milliseconds ?? .max
    }

    func matches(_ record: MessageRecordView) -> Bool {
        guard direction.map({ $0 == record.direction }) ?? true, record.localTime >= from,
            until == .max || record.localTime < until
        else { return false }
        if matcher.matchesEverything { return true }
        return record.kind == .text && matcher.matches(record.body)
    }
}
