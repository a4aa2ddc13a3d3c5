public import KamuneCrypto

/// A conversation with one peer over as many sessions as it takes (§10.5): what is stored when, what is sent over which
/// session, what the application is told, and what is done when the connection is lost.
///
/// The machine does no I/O and has neither clock nor task. Whoever drives it hands it what has happened and does what it
/// says, in that order, and tells it of the time when ``nextDeadline`` has come. Time is that of a clock that does not go
/// back, from whatever beginning.
public struct ConversationMachine: Sendable {
    var phase: Phase
    var books: ConversationBooks

    enum Phase: Sendable {
        /// Nobody is connected.
        case apart(Recovery)
        case together(Links)
        /// The application wants to end it: what is under way is finished first, for so long.
        case closing(Links, until: Duration)
        /// Our goodbye is on its way, and what came before the peer's is stored, for so long.
        case leaving(Links, until: Duration)
        case over
    }

    /// A conversation without a session yet.
    ///
    /// - Parameter random: Spreads attempts to reconnect over time.
    public init(_ configuration: ConversationConfiguration, random: any RandomSource, at now: Duration) {
        phase = .apart(.beginning(at: now))
        books = ConversationBooks(configuration, random: random)
    }

    // MARK: What it says of itself

    /// Whether the conversation is over.
    public var isOver: Bool {
        switch phase {
        case .over: true
        case .apart, .together, .closing, .leaving: false
        }
    }

    /// Whether another session may join: not when it is over, or about to be.
    public var isOpen: Bool {
        switch phase {
        case .apart, .together: true
        case .closing, .leaving, .over: false
        }
    }

    /// The session that carries the conversation now.
    public var link: LinkID? {
        switch phase {
        case .together(let links), .closing(let links, _), .leaving(let links, _): links.current.id
        case .apart, .over: nil
        }
    }

    /// Whether a session is still one of the conversation's: what comes over any other concerns nobody.
    public func holds(_ link: LinkID) -> Bool {
        switch phase {
        case .together(let links), .closing(let links, _), .leaving(let links, _): links.contains(link)
        case .apart, .over: false
        }
    }

    /// How many bytes have come over a session and are not stored yet; each message counts with
    /// ``ConversationLimits/messageOverhead``.
    public func unstoredBytes(of link: LinkID) -> Int {
        switch phase {
        case .together(let links), .closing(let links, _), .leaving(let links, _): links[link]?.inbox.load.bytes ?? 0
        case .apart, .over: 0
        }
    }

    /// How many messages that were written did not come as far as they can yet.
    public var outstandingCount: Int { books.outstanding.count }

    /// Whether so little is outstanding that more may be written. Nothing keeps one from writing more; the store holds it.
    public var hasRoom: Bool {
        books.outstanding.count < books.limits.outstandingMessages
            && books.outstanding.bytes < books.limits.outstandingBytes
    }

    /// When ``Event/timeElapsed`` is due.
    public var nextDeadline: Duration? {
        switch phase {
        case .apart(let recovery): recovery.nextDeadline
        case .together(let links): links.nextDeadline(books.limits)
        case .closing(let links, let deadline):
            links.current.nextDeadline(books.limits).map { min($0, deadline) } ?? deadline
        case .leaving(_, let deadline): deadline
        case .over: nil
        }
    }

    /// Messages that the application was told of and has not taken, and the bytes of their bodies and what each takes besides.
    package var untaken: (count: Int, bytes: Int) { (books.untaken.count, books.untaken.bytes) }

    /// Takes over what an earlier conversation with the peer was told of and has not taken: the application takes it still, and
    /// it is told here. Before anything else.
    package mutating func inherit(untaken count: Int, bytes: Int) {
        books.untaken += Load(count: count, bytes: bytes)
        if books.configuration.acknowledgesWhenTaken { books.unacknowledged.inherit(untaken: count) }
    }

    /// How much is held in memory: messages that came in and were not taken yet, and their bytes; and messages that are to go
    /// out. For tests.
    package var load: (messages: Int, bytes: Int, outgoing: Int) {
        let links: [Link] =
            switch phase {
            case .together(let links), .closing(let links, _), .leaving(let links, _): links.former + [links.current]
            case .apart, .over: []
            }
        return links.reduce((books.untaken.count, books.untaken.bytes, 0)) { sum, link in
            (sum.0 + link.inbox.load.count, sum.1 + link.inbox.load.bytes, sum.2 + link.outbox.load.count)
        }
    }

    // MARK: What happens

    /// Takes an event.
    ///
    /// - Parameter now: Never earlier than before.
    /// - Returns: What is to be done, in this order.
    public mutating func handle(_ event: Event, at now: Duration) -> [Action] {
        take(event, at: now)
        advance(at: now)
        defer { books.actions = [] }
        return books.actions
    }

    private mutating func take(_ event: Event, at now: Duration) {
        switch event {
        case .wrote(let write, let messages):
            wrote(write, messages)
        case .storeHasMore:
            if let link { with(link) { link, _ in link.outbox.storeHasMore() } }
        case .tookMessages(let count, let bytes, let ofEarlier):
            books.untaken.remove(count, bodies: bytes)
            books.unacknowledged.took(count, ofEarlier: ofEarlier)
            acknowledgeTaken(at: now)
        case .closeRequested:
            close(at: now)
        case .joined(let id, let joining):
            join(id, joining, at: now)
        case .received(let id, let arrivals):
            with(id) { $0.received(arrivals, &$1) }
        case .sent(let id, let count):
            with(id) { $0.sent(count, &$1) }
        case .ponged(let id):
            with(id) { $0.ponged(&$1) }
        case .left(let id, let end):
            with(id) { link, _ in link.inbox.end(.left(end)) }
        case .doubted(let id, let isDoubtful):
            with(id) { $0.doubted(isDoubtful, &$1, at: now) }
            search { $0.doubted(id, isDoubtful, &$1) }
        case .dialFailed(let failure):
            recover { $0.dialFailed(failure, &$1, at: now) }
            search { $0.dialFailed(failure, &$1, at: now) }
        case .hurry:
            recover { $0.hurry(&$1) }
            search { links, books in links.hurry(&books) }
        case .foundRoutes(let id, let routes):
            with(id) { link, _ in link.tell(routes) }
        case .routesChanged:
            if let link { with(link) { $0.askRoutes(&$1) } }
        case .stored(let outcome):
            stored(outcome, at: now)
        case .timeElapsed:
            recover { $0.timeElapsed(&$1, at: now) }
            search { $0.timeElapsed(&$1, at: now) }
            if let link { with(link) { $0.timeElapsed(&$1, at: now) } }
        }
    }

    private mutating func wrote(_ write: WriteID, _ messages: [DeliveryMessage]) {
        // Counted before the store has it: once the peer has it, nobody may find it missing.
        books.outstanding.insert(messages)
        var handover: Handover?
        if let link {
            handover = with(link) { link, books in link.wrote(messages, books.limits) } ?? nil
        }
        books.perform(.store(.append(write, messages, for: handover)))
    }

    private mutating func stored(_ outcome: StoreOutcome, at now: Duration) {
        switch outcome {
        case .appended(_, let messages, let handover):
            if let handover { with(handover.link) { link, _ in link.outbox.appended(messages) } }
        case .notAppended(let ids, let handover):
            books.outstanding.remove(ids)
            if let handover { with(handover.link) { link, _ in link.outbox.notAppended() } }
        case .began(let id, let lost, let last):
            books.tell(lost, .maybeLost)
            with(id) { link, books in
                // What was not taken counts as not stored.
                let last = books.configuration.acknowledgesWhenTaken ? books.unacknowledged.lastTaken : last
                link.began(after: last, &books)
            }
        case .settled(let id, let ids, let progress):
            books.tell(ids, progress)
            with(id) { link, _ in link.settlements -= 1 }
        case .keptRoutes(let id):
            with(id) { link, _ in link.settlements -= 1 }
        case .fetched(let id, let messages, let lost, let isEnd):
            books.tell(lost, .maybeLost)
            with(id) { link, _ in link.outbox.fetched(messages, isEnd: isEnd) }
        case .kept(let id, let count, let bytes):
            books.untaken += Load(count: count, bytes: bytes + count * ConversationLimits.messageOverhead)
            let batch = with(id) { link, _ in link.inbox.kept() } ?? nil
            if books.configuration.acknowledgesWhenTaken {
                // The application takes also what came over a session that is gone.
                books.unacknowledged.append(batch ?? Inbox.Batch(load: Load(), last: nil), of: id, new: count)
                acknowledgeTaken(at: now)
            } else if let batch {
                with(id) { $0.owe(batch, $1, at: now) }
            }
        case .failed:
            fail(.store, abandoning: .storeFailed)
        }
    }

    /// What the application has taken is to be acknowledged over the session that brought it, if that is still there.
    private mutating func acknowledgeTaken(at now: Duration) {
        while let (id, batch) = books.unacknowledged.popTaken() {
            with(id) { $0.owe(batch, $1, at: now) }
        }
    }
}
