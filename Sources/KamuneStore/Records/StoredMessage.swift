public import Foundation

/// Which way a message went.
public enum MessageDirection: UInt8, Sendable, CaseIterable {
    /// From the peer.
    case incoming = 0
    /// To the peer.
    case outgoing = 1
}

/// How far a message has come.
public enum MessageState: UInt8, Sendable, CaseIterable {
    /// It came in.
    case received = 0
    /// It has not been sent yet.
    case waiting = 1
    /// It was sent, and the peer will say when it has it. A person sees "sent".
    case inFlight = 2
    /// It was sent, and no more will be known: the peer does not acknowledge.
    case sent = 3
    /// The peer has stored it.
    case delivered = 4
    /// It was sent, but the connection broke, and nobody knows whether it arrived.
    case maybeLost = 5

    /// Whether it must be sent again until the peer has acknowledged it.
    public var isPending: Bool { self == .waiting || self == .inFlight }
}

/// What a message carries. Others than text may follow, so a store returns kinds that it does not know as they are.
public struct MessageKind: RawRepresentable, Hashable, Sendable {
    /// The number in the record.
    public let rawValue: UInt8

    /// The kind with a number.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Text in UTF-8: this is what the search looks through.
    public static let text = MessageKind(rawValue: 0)
}

/// A message in the history.
public struct StoredMessage: Sendable, Equatable {
    /// Its place.
    public internal(set) var position: MessagePosition
    /// With whom.
    public internal(set) var peer: PeerID
    /// In which session; `nil` for one that was written outside of any.
    public internal(set) var session: SessionID?
    /// Its stable name.
    public let id: MessageID
    /// Which way it went.
    public let direction: MessageDirection
    /// How far it has come.
    public internal(set) var state: MessageState
    /// What it carries.
    public let kind: MessageKind
    /// When it was written, by the clock of whoever wrote it.
    public let sent: Date
    /// When it came in, or when the peer acknowledged it, by this machine's clock.
    public internal(set) var received: Date?
    /// What was said.
    public let body: [UInt8]

    /// The body as text; what is no UTF-8 in it is replaced.
    public var text: String { String(decoding: body, as: UTF8.self) }

    /// The time by this machine's clock: when it came in, or when it was written here.
    public var localTime: Date { direction == .incoming ? received ?? sent : sent }
}

/// A message to be stored.
public struct NewMessage: Sendable {
    /// With whom.
    public var peer: PeerID
    /// In which session.
    public var session: SessionID?
    /// Its stable name; without one, the store makes it.
    public var id: MessageID?
    /// Which way it went.
    public var direction: MessageDirection
    /// How far it has come.
    public var state: MessageState
    /// What it carries.
    public var kind: MessageKind
    /// When it was written, by the clock of whoever wrote it.
    public var sent: Date
    /// When it came in, by this machine's clock.
    public var received: Date?
    /// What was said, at most ``maximumSize`` bytes.
    public var body: [UInt8]

    /// The most that one message may hold in bytes.
    public static let maximumSize = 1 << 24

    /// A message that the person wrote.
    public static func outgoing(
        to peer: PeerID, body: [UInt8], at time: Date, session: SessionID? = nil, id: MessageID? = nil,
        state: MessageState = .waiting, kind: MessageKind = .text
    ) -> NewMessage {
        NewMessage(
            peer: peer, session: session, id: id, direction: .outgoing, state: state, kind: kind, sent: time,
            received: nil, body: body)
    }

    /// A message that came in.
    public static func incoming(
        from peer: PeerID, body: [UInt8], sent: Date, received: Date, session: SessionID? = nil, id: MessageID? = nil,
        kind: MessageKind = .text
    ) -> NewMessage {
        NewMessage(
            peer: peer, session: session, id: id, direction: .incoming, state: .received, kind: kind, sent: sent,
            received: received, body: body)
    }
}
