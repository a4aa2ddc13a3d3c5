/// A reader of protobuf's wire format over bytes from outside.
///
/// The envelope and its metadata are on the path of every message, so they are read in place, without a copy of each
/// field; all other messages are left to SwiftProtobuf. The rules are those of the protobuf specification as the Go
/// library applies them: unknown fields are skipped, a known field of another wire type counts as unknown.
struct WireReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Why bytes are not a message.
    struct Malformed: Error {
        let reason: String
        static let truncated = Malformed(reason: "truncated")
        static let overlongVarint = Malformed(reason: "overlong number")
        static let invalidTag = Malformed(reason: "invalid field tag")
        static let unmatchedGroup = Malformed(reason: "unmatched group")
        static let nestedTooDeeply = Malformed(reason: "nested too deeply")
        static let invalidText = Malformed(reason: "text is not UTF-8")
    }

    /// A field's number and how its value is written.
    struct Tag: Equatable {
        let field: UInt32
        let type: WireType
    }

    enum WireType: UInt8 {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
        case startGroup = 3
        case endGroup = 4
        case fixed32 = 5
    }

    /// Groups within groups that are followed before the message is refused.
    private static let maximumGroupDepth = 100

    var isAtEnd: Bool { position == bytes.count }

    /// The next field's tag, or nil at the end.
    mutating func nextTag() throws(Malformed) -> Tag? {
        if isAtEnd { return nil }
        let value = try varint()
        let field = value >> 3
        guard field >= 1, field < 1 << 29, let type = WireType(rawValue: UInt8(value & 7)) else {
            throw .invalidTag
        }
        return Tag(field: UInt32(field), type: type)
    }

    mutating func varint() throws(Malformed) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard position < bytes.count else { throw .truncated }
            let byte = bytes[position]
            position += 1
            // The tenth byte has room for one bit only.
            if shift == 63, byte > 1 { throw .overlongVarint }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    /// The range of a length-delimited value.
    mutating func lengthDelimited() throws(Malformed) -> Range<Int> {
        let length = try varint()
        guard length <= UInt64(bytes.count - position) else { throw .truncated }
        let range = position..<position + Int(length)
        position = range.upperBound
        return range
    }

    mutating func string() throws(Malformed) -> String {
        let range = try lengthDelimited()
        guard let text = String(validating: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self) else {
            throw .invalidText
        }
        return text
    }

    /// Skips the value of a field that is not understood.
    mutating func skip(_ tag: Tag) throws(Malformed) {
        guard tag.type == .startGroup else { return try skipScalar(tag) }
        var open = [tag.field]
        while let group = open.last {
            guard let inner = try nextTag() else { throw .truncated }
            switch inner.type {
            case .startGroup:
                guard open.count < Self.maximumGroupDepth else { throw .nestedTooDeeply }
                open.append(inner.field)
            case .endGroup:
                guard inner.field == group else { throw .unmatchedGroup }
                open.removeLast()
            case .varint, .fixed64, .lengthDelimited, .fixed32:
                try skipScalar(inner)
            }
        }
    }

    private mutating func skipScalar(_ tag: Tag) throws(Malformed) {
        switch tag.type {
        case .varint: _ = try varint()
        case .lengthDelimited: _ = try lengthDelimited()
        case .fixed64: try advance(8)
        case .fixed32: try advance(4)
        case .startGroup, .endGroup: throw .unmatchedGroup
        }
    }

    private mutating func advance(_ count: Int) throws(Malformed) {
        guard bytes.count - position >= count else { throw .truncated }
        position += count
    }
}
