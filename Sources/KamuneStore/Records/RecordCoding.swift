import Foundation

/// Writes the plaintext of a record: integers of eight bytes, most significant first; byte strings after a variable-length
/// count; a byte for presence before what may be absent.
struct RecordWriter {
    private(set) var bytes: [UInt8] = []

    init() {}

    /// Begins with the number of the record's layout.
    ///
    /// - Parameter count: how many bytes there will be, about, before they are filled up.
    init(layout: UInt8, count: Int = 0) {
        if count > 0 { bytes.reserveCapacity(SizeClass.size(for: count)) }
        bytes.append(layout)
    }

    mutating func append(byte: UInt8) { bytes.append(byte) }

    mutating func append(flag: Bool) { bytes.append(flag ? 1 : 0) }

    mutating func append(_ value: Int64) { append(UInt64(bitPattern: value)) }

    mutating func append(_ value: UInt64) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// Base 128, least significant group first, as in Protocol Buffers.
    mutating func append(count: Int) {
        var rest = UInt64(clamping: count)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func append(bytes value: some Collection<UInt8>) {
        append(count: value.count)
        bytes.append(contentsOf: value)
    }

    mutating func append(text: String) { append(bytes: text.utf8) }

    mutating func append(date: Date) { append(date.milliseconds) }

    mutating func append<Value>(optional value: Value?, _ body: (inout RecordWriter, Value) -> Void) {
        append(flag: value != nil)
        if let value { body(&self, value) }
    }

    mutating func append<Element>(list: [Element], _ body: (inout RecordWriter, Element) -> Void) {
        append(count: list.count)
        for element in list { body(&self, element) }
    }

    /// Fills up with zeros to the size class, so that the size tells little about the contents.
    mutating func pad() {
        let size = SizeClass.size(for: bytes.count)
        bytes.append(contentsOf: repeatElement(0, count: size - bytes.count))
    }
}

/// Reads what a ``RecordWriter`` wrote. Total: whatever the bytes are, it ends in a value or an error.
struct RecordReader {
    /// The bytes end too early or mean nothing.
    struct Malformed: Error {}

    private let bytes: ArraySlice<UInt8>
    private var position: Int

    init(_ bytes: [UInt8]) {
        self.init(bytes[...])
    }

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    /// Whether everything was read.
    var isAtEnd: Bool { position == bytes.endIndex }

    mutating func byte() throws(Malformed) -> UInt8 {
        guard position < bytes.endIndex else { throw Malformed() }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func flag() throws(Malformed) -> Bool {
        switch try byte() {
        case 0: false
        case 1: true
        default: throw Malformed()
        }
    }

    mutating func unsigned() throws(Malformed) -> UInt64 {
        guard bytes.endIndex - position >= 8 else { throw Malformed() }
        var value: UInt64 = 0
        for offset in 0..<8 {
            value = value << 8 | UInt64(bytes[position + offset])
        }
        position += 8
        return value
    }

    mutating func integer() throws(Malformed) -> Int64 { Int64(bitPattern: try unsigned()) }

    mutating func count() throws(Malformed) -> Int {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 56, by: 7) {
            let byte = try byte()
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return Int(value) }
        }
        throw Malformed()
    }

    mutating func slice() throws(Malformed) -> ArraySlice<UInt8> {
        let count = try count()
        guard bytes.endIndex - position >= count else { throw Malformed() }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    mutating func byteString() throws(Malformed) -> [UInt8] { Array(try slice()) }

    mutating func text() throws(Malformed) -> String {
        guard let text = String(validating: try slice(), as: UTF8.self) else { throw Malformed() }
        return text
    }

    mutating func date() throws(Malformed) -> Date { Date(milliseconds: try integer()) }

    mutating func optional<Value>(
        _ body: (inout RecordReader) throws(Malformed) -> Value
    ) throws(Malformed) -> Value? {
        try flag() ? try body(&self) : nil
    }

    mutating func list<Element>(
        _ body: (inout RecordReader) throws(Malformed) -> Element
    ) throws(Malformed) -> [Element] {
        let count = try count()
        // Every element takes a byte at least: a count beyond that is not believed.
        guard count <= bytes.endIndex - position else { throw Malformed() }
        var list: [Element] = []
        for _ in 0..<count { list.append(try body(&self)) }
        return list
    }
}

/// The sizes that sealed records come in: multiples of 64 bytes up to 1,024, above it sixteen steps to each doubling. So
/// a size tells less than the length of a line, at the price of a sixteenth at most for long records.
enum SizeClass {
    static let step = 64
    static let coarseFrom = 1_024

    /// The smallest class that holds `count` bytes. `count` is a size of something in memory.
    static func size(for count: Int) -> Int {
        guard count > coarseFrom else { return max(1, (count + step - 1) / step) * step }
        let step = (1 << (Int.bitWidth - 1 - count.leadingZeroBitCount)) / 16
        return (count + step - 1) / step * step
    }
}

extension Date {
    /// Milliseconds since 1970, which is how exactly the store knows times. What is out of range counts as the nearest.
    var milliseconds: Int64 {
        let value = (timeIntervalSince1970 * 1_000).rounded()
        return value.isNaN ? 0 : Int64(exactly: value) ?? (value < 0 ? .min : .max)
    }

    init(milliseconds: Int64) {
        self.init(timeIntervalSince1970: Double(milliseconds) / 1_000)
    }
}
