/// One session that carries a conversation, or did: whoever drives the machine numbers them.
public struct LinkID: Hashable, Comparable, Sendable {
    /// The number.
    public let number: UInt64

    /// The link of a number.
    public init(_ number: UInt64) {
        self.number = number
    }

    /// Compares the order in which they joined.
    public static func < (left: LinkID, right: LinkID) -> Bool { left.number < right.number }
}

extension ConversationMachine {
    /// What has happened. Each session's events come in order, and so do the store's.
    public enum Event: Equatable, Sendable {
        /// The application has written messages: they are to be stored and sent.
        case wrote(WriteID, [DeliveryMessage])
        /// Messages to the peer were stored by somebody else, and are to be sent.
        case storeHasMore
        /// The application has taken messages that came in, in this conversation or one before it with the same peer.
        case tookMessages(count: Int, bytes: Int, ofEarlier: Bool = false)
        /// The application wants to end the conversation.
        case closeRequested
        /// A session was established with the peer.
        case joined(LinkID, Joining)
        /// The answer to ``Action/read(_:)``: what the session brought.
        case received(LinkID, [Arrival])
        /// The answer to ``Action/send(_:_:)``: how many payloads the session has taken. Fewer than were to be sent means that
        /// it has ended.
        case sent(LinkID, count: Int)
        /// The answer to ``Action/ping(_:)``.
        case ponged(LinkID)
        /// The other answer to ``Action/read(_:)``: the session is over, and everything that it brought was read.
        case left(LinkID, LinkEnd)
        /// The session's peer does not answer what it was sent, so that it may be gone; or it does again.
        case doubted(LinkID, Bool)
        /// Dialing came to nothing.
        case dialFailed(DialFailure)
        /// Something has happened that makes it worth while to dial at once, if the peer is to be dialed.
        case hurry
        /// The answer to ``Action/findRoutes(_:)``, if the peer is to be told something.
        case foundRoutes(LinkID, ToldRoutes)
        /// Where we want to be found has changed, perhaps.
        case routesChanged
        /// The answer to ``Action/store(_:)``.
        case stored(StoreOutcome)
        /// ``nextDeadline`` has come.
        case timeElapsed
    }

    /// What is to be done, in this order.
    public enum Action: Equatable, Sendable {
        /// Take what the session has brought, or wait for something: some hundred messages at most.
        case read(LinkID)
        /// Send these payloads over the session.
        case send(LinkID, [[UInt8]])
        /// Ask the peer whether it is there, after everything that was sent.
        case ping(LinkID)
        /// End the session gracefully.
        case sayGoodbye(LinkID)
        /// End the session without a word.
        case abandon(LinkID, Abandonment)
        /// Connect to the peer again, perhaps beside a session that seems to be lost. What comes of it is ``Event/joined(_:_:)`` or ``Event/dialFailed(_:)``.
        case dial
        /// Stop connecting: nothing is to come of it.
        case stopDialing
        /// Find out where we want to be found by this session's peer, if we want to tell them (§10.7).
        case findRoutes(LinkID)
        /// Have the store do this.
        case store(StoreOperation)
        /// Tell the application.
        case notify(Notice)
        /// The conversation is over. It is the last action.
        case conclude(Conclusion)
    }

    /// What messages are written under: whoever drives the machine counts the writes.
    public struct WriteID: Hashable, Sendable {
        /// The number.
        public let number: UInt64

        /// The write of a number.
        public init(_ number: UInt64) {
            self.number = number
        }
    }

    /// What there is to know of a session that joins.
    public struct Joining: Equatable, Sendable {
        /// Whether we have dialed.
        public var isInitiator: Bool
        /// Whether our identity's key comes before the peer's, byte by byte: of two sessions that both sides dialed at once,
        /// that of the side whose key comes first stays.
        public var isOwnKeyFirst: Bool
        /// Whether both sides announced `delivery/1`.
        public var acknowledges: Bool
        /// Whether both sides announced `routes/1`. Means nothing without `delivery/1`.
        public var tellsRoutes: Bool
        /// Whether the peer can be dialed again from now on.
        public var canRedial: Bool
        /// Whether the peer has taken the place of the key that it had so far by another one. Who is connected under the
        /// former key may be somebody who has stolen it.
        public var succeeds: Bool

        /// A session.
        public init(
            isInitiator: Bool, isOwnKeyFirst: Bool, acknowledges: Bool, tellsRoutes: Bool = false, canRedial: Bool,
            succeeds: Bool = false
        ) {
            self.isInitiator = isInitiator
            self.isOwnKeyFirst = isOwnKeyFirst
            self.acknowledges = acknowledges
            self.tellsRoutes = tellsRoutes
            self.canRedial = canRedial
            self.succeeds = succeeds
        }
    }

    /// A payload as it arrived, with times in milliseconds since 1970.
    public struct Arrival: Equatable, Sendable {
        /// The payload.
        public var payload: [UInt8]
        /// When it was sealed, by the peer's clock; nil when it does not say.
        public var sent: Int64?
        /// When it was opened, by ours.
        public var received: Int64

        /// A payload.
        public init(payload: [UInt8], sent: Int64?, received: Int64) {
            self.payload = payload
            self.sent = sent
            self.received = received
        }
    }

    /// How a session ended.
    public enum LinkEnd: Equatable, Sendable {
        /// We have closed it.
        case closedByUs
        /// The peer has.
        case closedByPeer
        /// It was lost. When it does not pass, no other session would fare better.
        case lost(mayPass: Bool)
    }

    /// Whether dialing may come to something later.
    public enum DialFailure: Equatable, Sendable {
        /// Whatever somebody said who has not proven to be the peer; and the network's troubles.
        case mayPass
        /// Our own doing: the address cannot be read, or our person wants nothing of the peer any more.
        case isFinal
    }

    /// Why a session is given up.
    public enum Abandonment: Equatable, Sendable {
        /// Another one carries the conversation.
        case replaced
        /// Too much of earlier ones was not taken yet.
        case overloaded
        /// The conversation is over, or about to be.
        case unwanted
        /// The peer does not keep to the rules.
        case violation(ProtocolError)
        /// The store does not work.
        case storeFailed
    }

    /// What the application is told. Messages that came in are told of by whoever performs
    /// ``StoreOperation/keep(_:_:)``, as soon as they are stored.
    public enum Notice: Equatable, Sendable {
        /// The session carries the conversation.
        case connected(LinkID)
        /// The session is lost.
        case disconnected(LinkID)
        /// The peer will be dialed after this time.
        case reconnecting(attempt: Int, delay: Duration)
        /// Dialing came to nothing, and will be tried again.
        case attemptFailed
        /// Messages of ours have come further.
        case changed([DeliveryID], Progress)
    }

    /// How far a message of ours has come.
    public enum Progress: Equatable, Sendable {
        /// It was handed to a session.
        case inFlight
        /// A peer that does not say what it has stored was sent it.
        case sent
        /// The peer has stored it.
        case delivered
        /// It was sent to a peer that does not say what it has stored, and the connection broke.
        case maybeLost
    }

    /// How the conversation ended.
    public enum Conclusion: Equatable, Sendable {
        /// We have closed it.
        case closedByUs
        /// The peer has.
        case closedByPeer
        /// Something made it impossible, or took too long.
        case failed(Cause)
    }

    /// What has failed. Whoever drives the machine knows the error.
    public enum Cause: Equatable, Sendable {
        /// The session was lost.
        case link(LinkID)
        /// Dialing failed.
        case dialing
        /// The store failed.
        case store
        /// The peer does not keep to the rules.
        case violation(ProtocolError)
    }
}
