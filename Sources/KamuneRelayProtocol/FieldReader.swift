/// A reader of protobuf's wire format over bytes from outside, as far as the relay's few messages need it.
///
/// Every frame passes here, both ways, so the message is found in place and not copied. The rules are those of the
/// protobuf specification as the Go library applies them: unknown fields are skipped, a known field of another wire type
/// counts as unknown.
struct FieldReader {
    private let bytes: UnsafeRawBufferPointer
    private var position: Int
    private let end: Int

    /// Reads a range of the bytes, which lies within them.
    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    /// A field and its value; a value's place is counted from the start of all bytes.
    enum Field {
        case number(UInt32, UInt64)
        case bytes(UInt32, Range<Int>)
        case other
    }

    private enum WireType {
        static let varint: UInt64 = 0
        static let fixed64: UInt64 = 1
        static let lengthDelimited: UInt64 = 2
        static let startGroup: UInt64 = 3
        static let endGroup: UInt64 = 4
        static let fixed32: UInt64 = 5
    }

    /// Groups within groups that are followed before a frame is refused.
    private static let maximumGroupDepth = 100

    /// The next field, or `nil` at the end. A group, which nothing uses, is skipped as a whole.
    mutating func next() throws(RelayProtocolError) -> Field? {
        guard position < end else { return nil }
        var open: [UInt32] = []
        var field = try single(&open)
        while !open.isEmpty {
            guard position < end else { throw .malformedFrame(reason: "truncated") }
            _ = try single(&open)
            field = .other
        }
        return field
    }

    private mutating func single(_ open: inout [UInt32]) throws(RelayProtocolError) -> Field {
        let tag = try varint()
        guard tag >> 3 >= 1, tag >> 3 < 1 << 29 else { throw .malformedFrame(reason: "invalid field tag") }
        let field = UInt32(truncatingIfNeeded: tag >> 3)
        switch tag & 7 {
        case WireType.varint: return .number(field, try varint())
        case WireType.lengthDelimited: return .bytes(field, try take(try varint()))
        case WireType.fixed64: _ = try take(8)
        case WireType.fixed32: _ = try take(4)
        case WireType.startGroup:
            guard open.count < Self.maximumGroupDepth else { throw .malformedFrame(reason: "nested too deeply") }
            open.append(field)
        case WireType.endGroup:
            guard open.popLast() == field else { throw .malformedFrame(reason: "unmatched group") }
        default: throw .malformedFrame(reason: "invalid field tag")
        }
        return .other
    }

    private mutating func take(_ count: UInt64) throws(RelayProtocolError) -> Range<Int> {
        guard count <= UInt64(end - position) else { throw .malformedFrame(reason: "truncated") }
        let range = position..<position + Int(count)
        position = range.upperBound
        return range
    }

    private mutating func varint() throws(RelayProtocolError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard position < end else { throw .malformedFrame(reason: "truncated") }
            let byte = bytes[position]
            position += 1
            // The tenth byte has room for one bit only.
            if shift == 63, byte > 1 { throw .malformedFrame(reason: "overlong number") }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }
}
