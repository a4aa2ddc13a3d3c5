extension ConversationMachine {
    /// What the store is to do, each in one transaction or several in one, in this order, with one ``StoreOutcome`` each.
    ///
    /// The messages of ours to a peer form a stream: each has a ``StreamPlace``, and while it waits for the peer to have it, it
    /// is *pending*. Besides, the store keeps two durable marks for each peer: how far the stream was *handed over* to a session
    /// with the peer, and how far to one with a peer that does not acknowledge (*plainly*). Both are set before a byte goes
    /// out, in the transaction that yields the messages (§10.5).
    public enum StoreOperation: Equatable, Sendable {
        /// Appends messages to the stream; with a link they count as handed over. Outcome: ``StoreOutcome/appended(_:_:for:)``.
        case append(WriteID, [DeliveryMessage], for: Handover?)
        /// Takes stock for a new session: what an earlier one was sent plainly and never heard of again may be lost; and finds
        /// the last message that came in. Outcome: ``StoreOutcome/began(_:lost:last:)``.
        case begin(LinkID)
        /// The peer says that it has this message of ours: settles as delivered what follows from that, which is nothing unless it
        /// is pending and was handed over, and else all pending up to it; it alone, when its place in the stream is another than it
        /// was written at. Outcome: ``StoreOutcome/settled(_:_:_:)``.
        case settle(LinkID, peerHas: DeliveryID)
        /// Settles as delivered what is pending up to this place: the peer has acknowledged these messages. Outcome:
        /// ``StoreOutcome/settled(_:_:_:)``.
        case acknowledge(LinkID, DeliveryMachine.Acknowledged)
        /// Settles as sent what is pending up to this place. Outcome: ``StoreOutcome/settled(_:_:_:)``.
        case confirm(LinkID, through: StreamPlace)
        /// What is pending up to this place may be lost; what was handed over plainly beyond it never left, and waits. Outcome:
        /// ``StoreOutcome/settled(_:_:_:)``.
        case giveUp(LinkID, through: StreamPlace?)
        /// Yields the next pending messages, in the order of the stream, as handed over. Outcome:
        /// ``StoreOutcome/fetched(_:_:lost:isEnd:)``.
        case fetch(Handover, after: StreamPlace?, limit: Int, bytes: Int)
        /// Stores messages that came in, once each by their names, and tells the application of those that are new. Outcome:
        /// ``StoreOutcome/kept(_:new:bytes:)``.
        case keep(LinkID, [IncomingMessage])
        /// Notes where the peer wants to be found, in place of what it said before, if the person has accepted the peer (§10.7).
        /// Outcome: ``StoreOutcome/keptRoutes(_:)``.
        case keepRoutes(LinkID, ToldRoutes)
    }

    /// To which session messages are handed over.
    public struct Handover: Equatable, Sendable {
        /// The session.
        public var link: LinkID
        /// Whether its peer does not acknowledge.
        public var isPlain: Bool
    }

    /// A message as it came in, with times in milliseconds since 1970.
    public struct IncomingMessage: Equatable, Sendable {
        /// Its name; nil from a peer that does not name them.
        public var id: DeliveryID?
        /// What the content is.
        public var kind: UInt8
        /// When it was written, by the peer's clock.
        public var written: Int64
        /// When it came in, by ours.
        public var received: Int64
        /// The content.
        public var body: [UInt8]
    }

    /// What the store has done. All of it is durable.
    public enum StoreOutcome: Equatable, Sendable {
        /// The messages are at these places.
        case appended(WriteID, [OutgoingMessage], for: Handover?)
        /// The messages of these names could not be stored.
        case notAppended([DeliveryID], for: Handover?)
        /// What may be lost, and the last message that came in.
        case began(LinkID, lost: [DeliveryID], last: DeliveryID?)
        /// Whose progress has changed.
        case settled(LinkID, [DeliveryID], Progress)
        /// The next messages; the names of those in between that may be lost, because they were under way plainly; and whether
        /// these were all that there are.
        case fetched(LinkID, [OutgoingMessage], lost: [DeliveryID], isEnd: Bool)
        /// How many were new, and how many bytes their bodies have.
        case kept(LinkID, new: Int, bytes: Int)
        /// Where the peer wants to be found was noted, or was not to be.
        case keptRoutes(LinkID)
        /// Something else than ``StoreOperation/append(_:_:for:)`` failed.
        case failed
    }
}
