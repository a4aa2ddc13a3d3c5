public import KamuneStore

/// What happens in a conversation.
public enum ConversationEvent: Sendable {
    /// The two are connected, for the first time or again.
    case connected(SessionSummary)
    /// The connection is lost. Nothing is lost with it that was stored.
    case disconnected(KamuneError)
    /// The peer will be dialed again after this time.
    case reconnecting(attempt: Int, delay: Duration)
    /// Dialing came to nothing and will be tried again. Whatever it says comes from somebody who has not proven to be the peer:
    /// it may be the peer, or anybody on the path.
    case reconnectionFailed(KamuneError)
    /// A message came in; it is stored.
    case message(StoredMessage)
    /// A message of ours has come further: sent, delivered, or possibly lost.
    case stateChanged(MessageID, MessageState)
    /// The conversation is over. It is the last event.
    case ended(SessionEnd)

    /// What the event takes in memory, in bytes.
    var memorySize: Int {
        if case .message(let message) = self { message.body.count + Self.overhead } else { Self.overhead }
    }

    /// Objects, identifiers, dates, and the event itself in a queue; rounded up.
    private static let overhead = 256
}

/// What there is to know about a session that carries a conversation.
public struct SessionSummary: Sendable {
    /// The session's identifier, the same on both sides.
    public let id: String
    /// Who is at the other end.
    public let peer: Peer
    /// Whether we connected, or were connected to.
    public let isInitiator: Bool
    /// Whether an earlier session goes on, without introductions and verification.
    public let isResumed: Bool
    /// Why an earlier session was not resumed, when it looked as if somebody sat in between: see
    /// ``Session/resumptionFailure``.
    public let resumptionFailure: KamuneError?
    /// Whether the peer tells what it has stored. With one who does not, messages are sent once, and may be lost.
    public let isAcknowledged: Bool
    /// The other end's network address.
    public let remoteAddress: String
    /// How long each step of the handshake took.
    public let handshake: [HandshakeStep]

    init(_ session: Session) {
        id = session.id
        peer = session.peer
        isInitiator = session.isInitiator
        isResumed = session.isResumed
        resumptionFailure = session.resumptionFailure
        isAcknowledged = session.agreed.contains(.delivery)
        remoteAddress = session.remoteAddress
        handshake = session.handshake
    }
}

/// The events of a conversation, in order. Iterate from one task at a time.
public struct ConversationEvents: AsyncSequence, Sendable {
    /// An event.
    public typealias Element = ConversationEvent
    /// The sequence ends after ``ConversationEvent/ended(_:)``, and throws only when the task is cancelled.
    public typealias Failure = KamuneError

    let queue: ConversationEventQueue

    init(reportsAtOnce: Bool, isObservedOnly: Bool) {
        queue = ConversationEventQueue(reportsAtOnce: reportsAtOnce, isObservedOnly: isObservedOnly)
    }

    /// Iterates over the events that were not taken yet.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(queue: queue) }

    /// Takes events, one by one or several at once.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let queue: ConversationEventQueue

        /// The next event, waiting for it; nil after the last.
        public mutating func next() async throws(KamuneError) -> ConversationEvent? {
            try await queue.next()
        }

        /// The next event, waiting for it; nil after the last.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(KamuneError) -> ConversationEvent? {
            try await queue.next()
        }

        /// The next events, waiting for one; none after the last.
        ///
        /// - Parameter limit: So many at most, 1 or more.
        public mutating func next(atMost limit: Int) async throws(KamuneError) -> [ConversationEvent] {
            try await queue.next(atMost: limit)
        }
    }
}
