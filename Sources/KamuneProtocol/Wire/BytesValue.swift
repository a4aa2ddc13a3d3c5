/// google.protobuf.BytesValue, the form of every message that is just bytes: application messages, challenges, pings.
enum BytesValue {
    private static let valueField: UInt8 = 1

    static func encodedSize(_ value: some Collection<UInt8>) -> Int {
        value.isEmpty ? 0 : WireWriter.fieldSize(contentSize: value.count)
    }

    static func encode(_ value: some Collection<UInt8>, to output: inout [UInt8]) {
        // Like every empty field, an empty value is not written.
        if !value.isEmpty { WireWriter.appendField(valueField, value, to: &output) }
    }

    static func decode(_ bytes: ArraySlice<UInt8>) throws(WireReader.Malformed) -> ArraySlice<UInt8> {
        let start = bytes.startIndex
        let range = try bytes.withBytes { buffer throws(WireReader.Malformed) in
            var value = 0..<0
            var reader = WireReader(buffer)
            while let tag = try reader.nextTag() {
                if tag.field == UInt32(valueField), tag.type == .lengthDelimited {
                    value = try reader.lengthDelimited()
                } else {
                    try reader.skip(tag)
                }
            }
            return value
        }
        return bytes[start + range.lowerBound..<start + range.upperBound]
    }
}
