public import KamuneCrypto

/// Bytes that a file of test vectors gives in hexadecimal.
public struct HexBytes: Decodable, Hashable, Sendable, ExpressibleByStringLiteral {
    /// The bytes.
    public let bytes: [UInt8]

    /// Wraps bytes that are there already.
    public init(_ bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
    }

    /// Reads hexadecimal digits of either case; spaces and line ends between them do not count. Nil for anything else,
    /// an odd number of digits among it.
    public init?(parsing text: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 2)
        var high: UInt8?
        for character in text.utf8 where !Self.isSpace(character) {
            guard let digit = Self.value(of: character) else { return nil }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        guard high == nil else { return nil }
        self.bytes = bytes
    }

    /// Decodes a string of hexadecimal digits.
    ///
    /// - Throws: `DecodingError.dataCorrupted` for anything else.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let decoded = HexBytes(parsing: text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not hexadecimal"))
        }
        self = decoded
    }

    /// A literal in the source of a test. One that is not hexadecimal ends the test run: it is a mistake of whoever wrote
    /// the test.
    public init(stringLiteral text: String) {
        guard let decoded = HexBytes(parsing: text) else { preconditionFailure("not hexadecimal: \(text)") }
        self = decoded
    }

    /// The bytes in a container for secrets.
    public var secret: SecretBytes { SecretBytes(copying: bytes) }

    private static func isSpace(_ character: UInt8) -> Bool {
        character == UInt8(ascii: " ") || (9...13).contains(character)
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension SecretBytes {
    /// For comparisons in tests, where nothing is secret.
    public borrowing func exposed() -> [UInt8] { withUnsafeBytes { Array($0) } }
}

extension HexBytes: CustomStringConvertible {
    /// The bytes in lower-case hexadecimal.
    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
