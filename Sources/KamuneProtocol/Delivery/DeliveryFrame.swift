/// The name of a message, the same in whichever session it travels: 16 bytes (§10.5).
public struct DeliveryID: Hashable, Sendable {
    /// The bytes, 16 of them.
    public let bytes: [UInt8]

    /// How many bytes a name has.
    public static let size = 16

    /// A name of these bytes; nil unless there are 16.
    public init?(_ bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        guard bytes.count == Self.size else { return nil }
        self.bytes = bytes
    }
}

/// A message that is delivered: named, and dated by its author, however often it is sent.
public struct DeliveryMessage: Equatable, Sendable {
    /// Its name.
    public var id: DeliveryID
    /// What the content is; 0 for text in UTF-8.
    public var kind: UInt8
    /// When it was written, by its author's clock, in milliseconds since 1970.
    public var written: Int64
    /// The content.
    public var body: [UInt8]

    /// A message of these parts.
    public init(id: DeliveryID, kind: UInt8, written: Int64, body: [UInt8]) {
        self.id = id
        self.kind = kind
        self.written = written
        self.body = body
    }

    /// What the name and the rest take of a payload, in bytes.
    public static let overhead = 1 + DeliveryID.size + 1 + 8
}

/// What travels as payload of route `exchange messages` once both sides announced `delivery/1` (§10.5): one byte that says
/// what it is, and the rest.
enum DeliveryFrame: Equatable, Sendable {
    /// The first frame of either side: the last of the receiver's messages that is stored here, if any.
    case stored(DeliveryID?)
    case message(DeliveryMessage)
    /// This message, and all that came before it in this session, is stored.
    case acknowledgement(DeliveryID)

    private enum Tag: UInt8 {
        case stored = 0
        case message = 1
        case acknowledgement = 2
    }

    init(_ payload: [UInt8]) throws(ProtocolError) {
        guard let first = payload.first, let tag = Tag(rawValue: first) else {
            throw .peerMisbehaved(.malformedMessage(.exchangeMessages))
        }
        let rest = payload.dropFirst()
        switch tag {
        case .stored where rest.isEmpty:
            self = .stored(nil)
        case .stored:
            guard let id = DeliveryID(rest) else { throw .peerMisbehaved(.malformedMessage(.exchangeMessages)) }
            self = .stored(id)
        case .acknowledgement:
            guard let id = DeliveryID(rest) else { throw .peerMisbehaved(.malformedMessage(.exchangeMessages)) }
            self = .acknowledgement(id)
        case .message:
            guard rest.count >= DeliveryMessage.overhead - 1, let id = DeliveryID(rest.prefix(DeliveryID.size)) else {
                throw .peerMisbehaved(.malformedMessage(.exchangeMessages))
            }
            let fields = rest.dropFirst(DeliveryID.size)
            let written = fields.dropFirst().prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            self = .message(
                DeliveryMessage(
                    id: id, kind: fields[fields.startIndex], written: Int64(bitPattern: written),
                    body: Array(fields.dropFirst(9))))
        }
    }

    var encoded: [UInt8] {
        switch self {
        case .stored(let id):
            return [Tag.stored.rawValue] + (id?.bytes ?? [])
        case .acknowledgement(let id):
            return [Tag.acknowledgement.rawValue] + id.bytes
        case .message(let message):
            var bytes: [UInt8] = []
            bytes.reserveCapacity(DeliveryMessage.overhead + message.body.count)
            bytes.append(Tag.message.rawValue)
            bytes += message.id.bytes
            bytes.append(message.kind)
            withUnsafeBytes(of: message.written.bigEndian) { bytes.append(contentsOf: $0) }
            bytes += message.body
            return bytes
        }
    }
}
