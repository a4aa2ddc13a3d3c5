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

/// The place of a message in its author's stream to one peer, as the author's store counts: whatever is stored later has a
/// larger one, and no place is ever given twice. It says nothing outside of that store, and never travels (§10.5).
public struct StreamPlace: Hashable, Comparable, Sendable {
    /// The number, with gaps.
    public let number: Int64

    /// The place of this number.
    public init(_ number: Int64) {
        self.number = number
    }

    /// Compares the order in which they are sent.
    public static func < (left: StreamPlace, right: StreamPlace) -> Bool { left.number < right.number }
}

/// A message of ours that waits in the store, and where in its stream it stands.
public struct OutgoingMessage: Equatable, Sendable {
    /// Its place.
    public var place: StreamPlace
    /// The message.
    public var message: DeliveryMessage

    /// A message at a place.
    public init(place: StreamPlace, message: DeliveryMessage) {
        self.place = place
        self.message = message
    }
}
