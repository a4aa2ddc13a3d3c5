/// Arguments are bytes to the system, and strings to whoever parses them. A byte that is not part of UTF-8 is carried through
/// as a scalar of its own, and so are the bytes of such scalars themselves: nothing is lost, and no two arguments
/// become one.
enum ArgumentText {
    /// Scalars for private use, in which nobody writes.
    private static let escapes = Unicode.Scalar(0x10_FE00 as UInt32).map { $0.value..<($0.value + 0x100) } ?? 0..<0

    /// An argument as a string.
    static func encode(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self), isText(text) { return text }
        var text = String.UnicodeScalarView()
        var rest = bytes[...]
        while let byte = rest.first {
            let scalar = Self.scalar(at: rest)
            if let (scalar, length) = scalar, !escapes.contains(scalar.value) {
                text.append(scalar)
                rest = rest.dropFirst(length)
            } else if let escape = Unicode.Scalar(escapes.lowerBound + UInt32(byte)) {
                text.append(escape)
                rest = rest.dropFirst()
            }
        }
        return String(text)
    }

    /// The bytes of such a string.
    static func decode(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            if escapes.contains(scalar.value) {
                bytes.append(UInt8(truncatingIfNeeded: scalar.value))
            } else {
                bytes += UTF8.encode(scalar).map(Array.init) ?? []
            }
        }
        return bytes
    }

    /// Whether a string from the command line is what was typed, rather than what carries bytes.
    static func isText(_ text: String) -> Bool {
        !text.unicodeScalars.contains { escapes.contains($0.value) }
    }

    private static func scalar(at bytes: ArraySlice<UInt8>) -> (Unicode.Scalar, length: Int)? {
        for length in 1...4 where length <= bytes.count {
            let text = String(validating: bytes.prefix(length), as: UTF8.self)
            if let scalar = text?.unicodeScalars.first { return (scalar, length) }
        }
        return nil
    }
}
