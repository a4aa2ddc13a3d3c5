import DequeModule

/// The delivery of messages over one session, after both sides announced `delivery/1` (§10.5): what is stored is
/// acknowledged, what was not acknowledged is sent again in the next session, and nothing arrives twice.
///
/// Each side begins with the name of the last message that it has stored of the other, then sends what the other lacks, in
/// the order of its stream. Sessions deliver in order, so that a side that has one message has all before it. Whoever
/// drives the machine stores; the machine keeps names only, and of those no more than ``maximumUnacknowledged``. It holds
/// the peer to the same.
public struct DeliveryMachine: Sendable {
    /// What arrived.
    public enum Event: Equatable, Sendable {
        /// The peer's beginning: the last of our messages that it has. Now ours may be sent.
        case peerHas(DeliveryID?)
        /// A message. It may be one that is stored already.
        case message(DeliveryMessage)
        /// The peer has stored these messages of ours, in the order in which they were sent.
        case acknowledged(Acknowledged)
        /// Where the peer wants to be found (§10.7).
        case routes(ToldRoutes)
    }

    /// Messages of ours that the peer has stored.
    public struct Acknowledged: Equatable, Sendable {
        /// Their names.
        public var ids: [DeliveryID]
        /// The place of the last one.
        public var through: StreamPlace
    }

    /// How many messages may be on their way unacknowledged. Whoever has sent as many waits (§10.5, §11).
    public static let maximumUnacknowledged = 1_024

    /// How many bytes of bodies ours may have on their way unacknowledged, less the last one: no rule of the protocol, but
    /// whoever comes back after a lost connection sends no more than this again.
    public static let maximumUnacknowledgedBytes = 8 << 20

    private struct Sent: Sendable {
        let id: DeliveryID
        let place: StreamPlace
        let size: Int
    }

    private let limit: Int
    private let takesRoutes: Bool
    private var hasBegun = false
    private var hasHeardPeer = false
    private var unacknowledged = Deque<Sent>()
    private var unacknowledgedBytes = 0
    /// How many messages of the peer were received and not yet acknowledged.
    private var owed = 0

    /// A machine for a new session.
    ///
    /// - Parameter takesRoutes: Whether both sides announced `routes/1` too.
    public init(takesRoutes: Bool = false) {
        self.init(limit: Self.maximumUnacknowledged, takesRoutes: takesRoutes)
    }

    /// - Parameter limit: How many of either side's messages may be on their way.
    init(limit: Int, takesRoutes: Bool = false) {
        self.limit = limit
        self.takesRoutes = takesRoutes
    }

    /// Whether the peer has begun, so that messages may go out.
    public var isOpen: Bool { hasHeardPeer }

    /// Whether a message may be sent now.
    public var canSend: Bool {
        hasHeardPeer && inFlight < limit && unacknowledgedBytes < Self.maximumUnacknowledgedBytes
    }

    /// How many messages are on their way.
    public var inFlight: Int { unacknowledged.count }

    /// The payload of our first frame.
    ///
    /// - Parameter last: The name of the last message that is stored of the peer; nil when there is none.
    public mutating func begin(afterStoring last: DeliveryID?) -> [UInt8] {
        hasBegun = true
        return DeliveryFrame.stored(last).encoded
    }

    /// The payload that carries a message.
    ///
    /// - Throws: ``ProtocolError/Misuse/awaitingAcknowledgement`` when ``canSend`` says no.
    public mutating func send(_ outgoing: OutgoingMessage) throws(ProtocolError) -> [UInt8] {
        guard canSend else { throw .misuse(.awaitingAcknowledgement) }
        let message = outgoing.message
        unacknowledged.append(Sent(id: message.id, place: outgoing.place, size: message.body.count))
        unacknowledgedBytes += message.body.count
        return DeliveryFrame.message(message).encoded
    }

    /// The payload that says: this message of the peer, and all before it in this session, are stored.
    ///
    /// - Parameter count: How many that are which were not acknowledged before.
    public mutating func acknowledge(_ id: DeliveryID, count: Int) -> [UInt8] {
        owed = max(0, owed - count)
        return DeliveryFrame.acknowledgement(id).encoded
    }

    /// Takes the next payload from the peer.
    ///
    /// - Throws: ``ProtocolError/PeerMisbehavior``: `malformedMessage`; `unexpectedFrame` when the peer begins twice or not
    ///   at all, or sends messages before it can know what we have; `tooManyUnacknowledged`; `invalidAcknowledgement` when
    ///   it acknowledges what is not on its way.
    public mutating func received(_ payload: [UInt8]) throws(ProtocolError) -> Event {
        switch try DeliveryFrame(payload) {
        case .stored(let id):
            guard !hasHeardPeer else { throw .peerMisbehaved(.unexpectedFrame) }
            hasHeardPeer = true
            return .peerHas(id)
        case .message(let message):
            guard hasHeardPeer, hasBegun else { throw .peerMisbehaved(.unexpectedFrame) }
            // The peer learns of an acknowledgement after we have sent it, so by its own count it has more under way.
            guard owed < limit else { throw .peerMisbehaved(.tooManyUnacknowledged) }
            owed += 1
            return .message(message)
        case .routes(let routes):
            guard takesRoutes else { throw .peerMisbehaved(.malformedMessage(.exchangeMessages)) }
            guard hasHeardPeer else { throw .peerMisbehaved(.unexpectedFrame) }
            return .routes(routes)
        case .acknowledgement(let id):
            guard hasHeardPeer else { throw .peerMisbehaved(.unexpectedFrame) }
            guard let index = unacknowledged.firstIndex(where: { $0.id == id }) else {
                throw .peerMisbehaved(.invalidAcknowledgement)
            }
            let done = Array(unacknowledged[...index])
            unacknowledged.removeFirst(done.count)
            guard let last = done.last else { throw .peerMisbehaved(.invalidAcknowledgement) }
            unacknowledgedBytes -= done.reduce(0) { $0 + $1.size }
            return .acknowledged(Acknowledged(ids: done.map(\.id), through: last.place))
        }
    }
}
