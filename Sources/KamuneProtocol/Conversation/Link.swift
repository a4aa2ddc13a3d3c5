/// A session that carries the conversation, or did and still has something to be stored.
struct Link: Sendable {
    let id: LinkID
    let isInitiator: Bool
    /// Whether both sides announced `delivery/1`; else the peer is one of version 0.7.
    let acknowledges: Bool
    /// Whether both sides tell where they want to be found.
    let tellsRoutes: Bool
    /// When it joined.
    let since: Duration
    var stage = Stage.waiting
    var inbox = Inbox()
    var outbox: Outbox
    /// How many batches the session was given and has not taken yet.
    var sends = 0
    /// How often the store was asked to settle something for this link, and has not answered yet.
    var settlements = 0

    enum Stage: Sendable {
        /// What came over earlier links is not stored yet, so the peer cannot be told what is.
        case waiting
        /// The store takes stock.
        case beginning
        /// Both sides say what they have stored, and send what the other lacks.
        case delivering(Delivery)
        /// Messages are sent once.
        case plain(Confirmation)
        /// Of what was sent plainly it is noted what became of it; nothing more is sent.
        case givenUp
    }

    /// Delivery with a peer that acknowledges.
    struct Delivery: Sendable {
        var machine: DeliveryMachine
        /// What is stored and not yet acknowledged.
        var owed: Owed?
        var routes = RouteTelling()
    }

    /// An acknowledgement that is to be sent: of this message and all before it.
    struct Owed: Sendable {
        var last: DeliveryID
        var count: Int
        let due: Duration
    }

    init(_ id: LinkID, _ joining: ConversationMachine.Joining, at now: Duration) {
        self.id = id
        isInitiator = joining.isInitiator
        acknowledges = joining.acknowledges
        tellsRoutes = joining.acknowledges && joining.tellsRoutes
        since = now
        outbox = Outbox(ConversationMachine.Handover(link: id, isPlain: !joining.acknowledges))
    }

    /// Whether this session stays when another one joins. The later one does, since its initiator has given up the earlier;
    /// but when both sides dial at once, both must choose the same: that of the side whose key comes first. No session
    /// under a key that was given up stays beside one under its successor.
    func isPreferred(
        to joining: ConversationMachine.Joining, _ configuration: ConversationConfiguration, at now: Duration
    ) -> Bool {
        guard !joining.succeeds, !inbox.isOver, isInitiator != joining.isInitiator else { return false }
        return now - since < configuration.handshakeTimeout && isInitiator == joining.isOwnKeyFirst
    }

    /// Whether anything of this link is left to be stored when it is given up: before it knows what we have, a peer that
    /// acknowledges sends no message.
    var hasRemains: Bool {
        switch stage {
        case .waiting, .beginning: !acknowledges
        case .delivering, .plain, .givenUp: true
        }
    }

    /// How the session has ended, once everything that came of it is stored and settled.
    var ending: Inbox.Ending? {
        if case .plain = stage { return nil }
        return sends == 0 && settlements == 0 ? inbox.ending : nil
    }

    /// Whether everything of ours has come as far as it can.
    var isSettled: Bool {
        guard outbox.isEmpty, settlements == 0 else { return false }
        return switch stage {
        case .waiting, .beginning: false
        case .delivering(let delivery): delivery.machine.isOpen && delivery.machine.inFlight == 0
        case .plain(let confirmation): confirmation.unconfirmed == 0
        // What the session did not take waits for the next one.
        case .givenUp: false
        }
    }

    /// Whether nothing is under way, in either direction.
    var isQuiet: Bool {
        if case .delivering(let delivery) = stage, delivery.owed != nil { return false }
        return isSettled && sends == 0 && inbox.load.count == 0
    }

    /// When something is due.
    func nextDeadline(_ limits: ConversationLimits) -> Duration? {
        guard !inbox.isOver else { return nil }
        return switch stage {
        case .delivering(let delivery): canAcknowledge(limits) ? delivery.owed?.due : nil
        case .plain(let confirmation): confirmation.deadline
        case .waiting, .beginning, .givenUp: nil
        }
    }

    // MARK: Going on

    /// How far the conversation has come.
    enum Pace: Sendable {
        case open
        /// It is being closed: what is under way is finished.
        case closing
        /// Our goodbye is on its way.
        case leaving
    }

    /// Does whatever may be done now. No link before this one has anything left to be stored.
    ///
    /// - Parameter isFormer: Whether another one has taken its place, so that nothing is sent.
    mutating func advance(_ books: inout ConversationBooks, _ pace: Pace, isFormer: Bool = false, at now: Duration) {
        let mayBegin = pace != .leaving && !isFormer
        begin(&books, mayBegin)
        read(&books, isClosing: pace != .open)
        if let batch = inbox.keep() { books.perform(.store(.keep(id, batch))) }
        if inbox.isOver {
            giveUp(&books)
        } else if mayBegin {
            acknowledge(&books, isClosing: pace == .closing, at: now)
            tellRoutes(&books)
            if isOpen, let fetch = outbox.fetch(books.limits) { books.perform(.store(fetch)) }
            send(&books, at: now)
        }
    }

    private mutating func begin(_ books: inout ConversationBooks, _ mayBegin: Bool) {
        guard case .waiting = stage else { return }
        if mayBegin {
            stage = .beginning
            books.perform(.notify(.connected(id)))
            books.perform(.store(.begin(id)))
        } else {
            // There is nothing to send any more. A peer of 0.7 may have sent something.
            stage = .givenUp
            if acknowledges { inbox.end(.left(.closedByUs)) }
        }
    }

    private mutating func read(_ books: inout ConversationBooks, isClosing: Bool) {
        switch stage {
        case .waiting, .beginning: return
        case .delivering, .plain, .givenUp: break
        }
        if inbox.read(books, isClosing: isClosing) { books.perform(.read(id)) }
    }

    /// Whether messages may go out.
    private var isOpen: Bool {
        switch stage {
        case .waiting, .beginning, .givenUp: false
        case .delivering(let delivery): delivery.machine.isOpen
        case .plain: true
        }
    }
}
