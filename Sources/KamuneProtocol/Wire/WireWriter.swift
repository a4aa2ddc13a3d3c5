/// Appends protobuf's wire format to bytes. The counterpart of ``WireReader``, for the messages of the hot path.
enum WireWriter {
    /// The size of a number as a varint, 1 to 10 bytes.
    static func varintSize(_ value: UInt64) -> Int {
        value < 0x80 ? 1 : (70 - value.leadingZeroBitCount) / 7
    }

    /// The size of a length-delimited field with a one-byte tag, its content included.
    static func fieldSize(contentSize: Int) -> Int {
        1 + varintSize(UInt64(contentSize)) + contentSize
    }

    static func appendVarint(_ value: UInt64, to output: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(truncatingIfNeeded: rest))
    }

    /// The tag and length of a field; the content follows.
    static func appendFieldHeader(_ field: UInt8, contentSize: Int, to output: inout [UInt8]) {
        output.append(field << 3 | WireReader.WireType.lengthDelimited.rawValue)
        appendVarint(UInt64(contentSize), to: &output)
    }

    static func appendField(_ field: UInt8, _ content: some Collection<UInt8>, to output: inout [UInt8]) {
        appendFieldHeader(field, contentSize: content.count, to: &output)
        output.append(contentsOf: content)
    }

    static func appendVarintField(_ field: UInt8, _ value: UInt64, to output: inout [UInt8]) {
        output.append(field << 3 | WireReader.WireType.varint.rawValue)
        appendVarint(value, to: &output)
    }
}
