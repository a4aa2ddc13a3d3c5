/// What an envelope says about its message (§4.2). Covered by the envelope's signature.
public struct Metadata: Equatable, Sendable {
    /// The message's identifier: 26 characters of base32 when the sender follows the protocol; empty in introductions
    /// and resumption messages.
    public var id: String
    /// When the sender sealed it, by its own clock. Absent in resumption messages.
    public var timestamp: Timestamp?
    /// Its place in the sender's sequence, from 1; 0 in messages before the session.
    public var sequence: UInt64
    /// The route's number as it was sent. ``route`` is nil when it is not one that we know.
    public var rawRoute: Int32

    /// The route, if it is known.
    public var route: Route? { Route(rawValue: rawRoute) }

    init(id: String = "", timestamp: Timestamp? = nil, sequence: UInt64 = 0, route: Route) {
        self.id = id
        self.timestamp = timestamp
        self.sequence = sequence
        self.rawRoute = route.rawValue
    }

    private enum Field {
        static let id: UInt8 = 1
        static let timestamp: UInt8 = 2
        static let sequence: UInt8 = 3
        static let route: UInt8 = 4
        static let seconds: UInt8 = 1
        static let nanoseconds: UInt8 = 2
    }

    init(decoding bytes: UnsafeRawBufferPointer) throws(WireReader.Malformed) {
        id = ""
        sequence = 0
        rawRoute = 0
        var reader = WireReader(bytes)
        while let tag = try reader.nextTag() {
            switch (tag.field, tag.type) {
            case (UInt32(Field.id), .lengthDelimited):
                id = try reader.string()
            case (UInt32(Field.timestamp), .lengthDelimited):
                let range = try reader.lengthDelimited()
                // A message field that comes twice is merged, so decoding goes on from what is there.
                var merged = timestamp ?? Timestamp(seconds: 0)
                try Self.decodeTimestamp(UnsafeRawBufferPointer(rebasing: bytes[range]), into: &merged)
                timestamp = merged
            case (UInt32(Field.sequence), .varint):
                sequence = try reader.varint()
            case (UInt32(Field.route), .varint):
                rawRoute = Int32(truncatingIfNeeded: try reader.varint())
            default:
                try reader.skip(tag)
            }
        }
    }

    private static func decodeTimestamp(
        _ bytes: UnsafeRawBufferPointer, into timestamp: inout Timestamp
    ) throws(WireReader.Malformed) {
        var reader = WireReader(bytes)
        while let tag = try reader.nextTag() {
            switch (tag.field, tag.type) {
            case (UInt32(Field.seconds), .varint):
                timestamp.seconds = Int64(bitPattern: try reader.varint())
            case (UInt32(Field.nanoseconds), .varint):
                timestamp.nanoseconds = Int32(truncatingIfNeeded: try reader.varint())
            default:
                try reader.skip(tag)
            }
        }
    }

    /// Appends the encoding; fields that are zero or empty are not written.
    func encode(to output: inout [UInt8]) {
        if !id.isEmpty {
            WireWriter.appendField(Field.id, id.utf8, to: &output)
        }
        if let timestamp {
            let seconds = UInt64(bitPattern: timestamp.seconds)
            let nanoseconds = UInt64(bitPattern: Int64(timestamp.nanoseconds))
            let size =
                (seconds == 0 ? 0 : 1 + WireWriter.varintSize(seconds))
                + (nanoseconds == 0 ? 0 : 1 + WireWriter.varintSize(nanoseconds))
            WireWriter.appendFieldHeader(Field.timestamp, contentSize: size, to: &output)
            if seconds != 0 { WireWriter.appendVarintField(Field.seconds, seconds, to: &output) }
            if nanoseconds != 0 { WireWriter.appendVarintField(Field.nanoseconds, nanoseconds, to: &output) }
        }
        if sequence != 0 { WireWriter.appendVarintField(Field.sequence, sequence, to: &output) }
        if rawRoute != 0 {
            WireWriter.appendVarintField(Field.route, UInt64(bitPattern: Int64(rawRoute)), to: &output)
        }
    }
}
