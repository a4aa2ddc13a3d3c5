/// What is stored and is acknowledged only when the application has taken it, in the order in which it was stored, over
/// whichever session it came (§10.5).
struct Unacknowledged: Sendable {
    /// What was stored at once.
    private struct Entry: Sendable {
        let link: LinkID
        let batch: Inbox.Batch
        /// How many new messages of it the application has not taken.
        var untaken: Int
    }

    private var entries: [Entry] = []
    /// How many messages of an earlier conversation the application has still to take.
    private var inherited = 0
    /// The last message that the application has taken, or had before.
    private(set) var lastTaken: DeliveryID?

    var isEmpty: Bool { entries.isEmpty && inherited == 0 }

    /// A batch is stored.
    ///
    /// - Parameter new: How many of its messages the application is told of; it has been told of the others before.
    mutating func append(_ batch: Inbox.Batch, of link: LinkID, new: Int) {
        entries.append(Entry(link: link, batch: batch, untaken: new))
    }

    /// An earlier conversation with the peer has left messages that the application has still to take. What comes again of
    /// them is acknowledged only after them.
    mutating func inherit(untaken count: Int) {
        inherited += count
    }

    /// The application has taken the next messages.
    ///
    /// - Parameter ofEarlier: Whether they are those of an earlier conversation.
    mutating func took(_ count: Int, ofEarlier: Bool) {
        if ofEarlier {
            inherited = max(0, inherited - count)
            return
        }
        var rest = count
        for index in entries.indices where rest > 0 {
            let taken = min(rest, entries[index].untaken)
            entries[index].untaken -= taken
            rest -= taken
        }
    }

    /// The next batch of which, and of all before it, everything is taken. It may be acknowledged now.
    mutating func popTaken() -> (link: LinkID, batch: Inbox.Batch)? {
        guard inherited == 0, let first = entries.first, first.untaken == 0 else { return nil }
        entries.removeFirst()
        lastTaken = first.batch.last ?? lastTaken
        return (first.link, first.batch)
    }
}
