public import Foundation
import KamuneCrypto
public import KamuneStore

/// A message of the history.
public struct MessageInfo: Codable, Sendable, Equatable, Identifiable {
    /// Its name, 32 hexadecimal digits, the same on both sides.
    public var id: MessageName
    /// Its place in the history of this store: later messages have larger ones. A merged backup moves messages.
    public var position: Position
    /// With whom.
    public var contact: ContactID
    /// Which way it went.
    public var direction: Direction
    /// How far it has come.
    public var state: State
    /// When it was written, by the clock of whoever wrote it.
    public var written: Date
    /// When it came in, or when the contact acknowledged it, by this machine's clock.
    public var received: Date?
    /// What it carries: 0 for text.
    public var kind: UInt8
    /// What was said, as bytes. In JSON `text` where it is a text in UTF-8, else `base64`.
    public var body: [UInt8]

    /// Which way a message went.
    public enum Direction: String, Codable, Sendable, CaseIterable {
        /// From the contact.
        case incoming = "in"
        /// To the contact.
        case outgoing = "out"
    }

    /// How far a message has come.
    public enum State: String, Codable, Sendable, CaseIterable {
        /// It came in.
        case received
        /// It has not been sent yet.
        case waiting
        /// It was sent, and the contact will say when it has it.
        case inFlight = "in_flight"
        /// It was sent, and no more will be known: the contact does not acknowledge.
        case sent
        /// The contact has stored it.
        case delivered
        /// It was sent, but the connection broke, and nobody knows whether it arrived.
        case maybeLost = "may_be_lost"

        /// Whether it is sent again until the contact has acknowledged it.
        public var isPending: Bool { self == .waiting || self == .inFlight }

        init(_ state: MessageState) {
            switch state {
            case .received: self = .received
            case .waiting: self = .waiting
            case .inFlight: self = .inFlight
            case .sent: self = .sent
            case .delivered: self = .delivered
            case .maybeLost: self = .maybeLost
            }
        }
    }

    /// The body as text; what is no UTF-8 in it is replaced.
    public var text: String { String(decoding: body, as: UTF8.self) }

    /// The time by this machine's clock: when it came in, or when it was written here.
    public var localTime: Date { direction == .incoming ? received ?? written : written }

    private enum CodingKeys: String, CodingKey {
        case id, position, contact, direction, state, written, received, kind, text, base64
    }

    /// Reads a message.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(MessageName.self, forKey: .id)
        position = try container.decode(Position.self, forKey: .position)
        contact = try container.decode(ContactID.self, forKey: .contact)
        direction = try container.decode(Direction.self, forKey: .direction)
        state = try container.decode(State.self, forKey: .state)
        written = try container.decode(Date.self, forKey: .written)
        received = try container.decodeIfPresent(Date.self, forKey: .received)
        kind = try container.decode(UInt8.self, forKey: .kind)
        if let text = try container.decodeIfPresent(String.self, forKey: .text) {
            body = Array(text.utf8)
        } else {
            body = try container.decodeIfPresent(Bytes.self, forKey: .base64)?.bytes ?? []
        }
    }

    /// Writes a message.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(position, forKey: .position)
        try container.encode(contact, forKey: .contact)
        try container.encode(direction, forKey: .direction)
        try container.encode(state, forKey: .state)
        try container.encode(written, forKey: .written)
        try container.encodeIfPresent(received, forKey: .received)
        try container.encode(kind, forKey: .kind)
        if kind == MessageKind.text.rawValue, let text = String(validating: body, as: UTF8.self) {
            try container.encode(text, forKey: .text)
        } else {
            try container.encode(Bytes(body), forKey: .base64)
        }
    }
}

extension MessageInfo {
    /// A message of the store.
    public init(_ message: StoredMessage) {
        id = MessageName(message.id)
        position = Position(message.position)
        contact = ContactID(message.peer)
        direction = message.direction == .incoming ? .incoming : .outgoing
        state = State(message.state)
        written = message.sent
        received = message.received
        kind = message.kind.rawValue
        body = message.body
    }

    /// What the message takes in memory, and about what its JSON takes, in bytes.
    var size: Int { body.count + 384 }
}

/// The name of a message: 32 hexadecimal digits.
public struct MessageName: Codable, Sendable, Hashable, CustomStringConvertible {
    /// The name, as the store has it.
    public let id: MessageID

    /// A name of the store.
    public init(_ id: MessageID) { self.id = id }

    /// The digits.
    public var description: String { id.description }

    /// Reads the digits.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        let digits = Array(text.utf8)
        guard digits.count == 2 * MessageID.size, text.allSatisfy(\.isHexDigit),
            let stream = UInt64(text.prefix(16), radix: 16),
            let number = UInt64(text.suffix(16), radix: 16)
        else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "A message is named by 32 hexadecimal digits.")
        }
        id = MessageID(stream: stream, number: number)
    }

    /// Writes the digits.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A place in the history.
public struct Position: Codable, Sendable, Hashable, Comparable {
    /// The place, as the store has it.
    public let place: MessagePosition

    /// A place of the store.
    public init(_ place: MessagePosition) { self.place = place }

    /// Compares the order in the history.
    public static func < (a: Position, b: Position) -> Bool { a.place < b.place }

    /// Reads a number.
    public init(from decoder: any Decoder) throws {
        place = MessagePosition(row: try decoder.singleValueContainer().decode(Int64.self))
    }

    /// Writes a number.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(place.row)
    }
}

/// Bytes, in JSON as base64 (RFC 4648 §4).
public struct Bytes: Codable, Sendable, Equatable {
    /// The bytes.
    public var bytes: [UInt8]

    /// Bytes.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Reads base64.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let data = Data(base64Encoded: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "This is not base64.")
        }
        bytes = Array(data)
    }

    /// Writes base64.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Data(bytes).base64EncodedString())
    }
}
