/// The delivery of messages over one session, after both sides announced `delivery/1` (§10.5): what is stored is
/// acknowledged, what was not acknowledged is sent again in the next session, and nothing arrives twice.
///
/// Each side begins with the name of the last message that it has stored of the other, then sends what the other lacks, in
/// the order in which it was written. Sessions deliver in order, so that a side that has one message has all before it.
/// Whoever drives the machine stores; the machine keeps names only, and of those no more than ``maximumUnacknowledged``.
public struct DeliveryMachine: Sendable {
    /// What arrived.
    public enum Event: Equatable, Sendable {
        /// The peer's beginning: the last of our messages that it has. Now ours may be sent.
        case peerHas(DeliveryID?)
        /// A message. It may be one that is stored already.
        case message(DeliveryMessage)
        /// The peer has stored these messages of ours, in the order in which they were sent.
        case acknowledged([DeliveryID])
    }

    /// How many messages may be on their way unacknowledged. Whoever has sent as many waits.
    public static let maximumUnacknowledged = 1_024

    private var hasHeardPeer = false
    private var unacknowledged: [DeliveryID] = []
    /// Where the oldest unacknowledged one stands: taking from the front of an array would move all the others.
    private var head = 0

    /// A machine for a new session.
    public init() {}

    /// Whether a message may be sent now.
    public var canSend: Bool { hasHeardPeer && inFlight < Self.maximumUnacknowledged }

    /// How many messages are on their way.
    public var inFlight: Int { unacknowledged.count - head }

    /// The payload of our first frame.
    ///
    /// - Parameter last: The name of the last message that is stored of the peer; nil when there is none.
    public func begin(afterStoring last: DeliveryID?) -> [UInt8] {
        DeliveryFrame.stored(last).encoded
    }

    /// The payload that carries a message.
    ///
    /// - Throws: ``ProtocolError/Misuse/awaitingAcknowledgement`` when ``canSend`` says no.
    public mutating func send(_ message: DeliveryMessage) throws(ProtocolError) -> [UInt8] {
        guard canSend else { throw .misuse(.awaitingAcknowledgement) }
        unacknowledged.append(message.id)
        return DeliveryFrame.message(message).encoded
    }

    /// The payload that says: this message of the peer, and all before it in this session, are stored.
    public func acknowledge(_ id: DeliveryID) -> [UInt8] {
        DeliveryFrame.acknowledgement(id).encoded
    }

    /// Takes the next payload from the peer.
    ///
    /// - Throws: ``ProtocolError/PeerMisbehavior``: `malformedMessage`; `unexpectedFrame` when the peer begins twice or not
    ///   at all; `invalidAcknowledgement` when it acknowledges what is not on its way.
    public mutating func received(_ payload: [UInt8]) throws(ProtocolError) -> Event {
        switch try DeliveryFrame(payload) {
        case .stored(let id):
            guard !hasHeardPeer else { throw .peerMisbehaved(.unexpectedFrame) }
            hasHeardPeer = true
            return .peerHas(id)
        case .message(let message):
            guard hasHeardPeer else { throw .peerMisbehaved(.unexpectedFrame) }
            return .message(message)
        case .acknowledgement(let id):
            guard hasHeardPeer else { throw .peerMisbehaved(.unexpectedFrame) }
            guard let index = unacknowledged[head...].firstIndex(of: id) else {
                throw .peerMisbehaved(.invalidAcknowledgement)
            }
            let done = Array(unacknowledged[head...index])
            head = index + 1
            if head == unacknowledged.count {
                unacknowledged.removeAll(keepingCapacity: true)
                head = 0
            } else if head >= Self.maximumUnacknowledged {
                unacknowledged.removeFirst(head)
                head = 0
            }
            return .acknowledged(done)
        }
    }
}
