public import Kamune

/// A key that somebody was told by another way, in one of the forms that leave no doubt (docs/PROTOCOL.md §13): `sum`, or
/// `base64` or the whole `hex`, which are the key itself. Emoji, pseudonyms and parts of a fingerprint are none: who searches
/// long enough finds another key that has them.
public struct KeyFingerprint: Codable, Sendable, Hashable, CustomStringConvertible {
    /// The `sum` form.
    public let sum: String
    /// The key, if the fingerprint has told it.
    public let key: PublicIdentity?

    /// The fingerprint of a key.
    public init(_ key: PublicIdentity) {
        sum = key.fingerprint.sum
        self.key = key
    }

    /// Reads a fingerprint; nil when it is none, or not a whole one.
    public init?(_ text: String) {
        let text = text.filter { !$0.isWhitespace }
        if text.utf8.count == Self.sumSize, let bytes = Base64URL.decode(text), bytes.count == 32 {
            self.init(sum: text)
        } else if let bytes = Base64URL.decode(text), let key = try? PublicIdentity(spki: bytes) {
            self.init(key)
        } else if let bytes = Self.hexadecimal(text), let key = try? PublicIdentity(spki: bytes) {
            self.init(key)
        } else {
            return nil
        }
    }

    private init(sum: String) {
        self.sum = sum
        key = nil
    }

    /// 32 bytes in base64url.
    private static let sumSize = 43

    private static func hexadecimal(_ text: String) -> [UInt8]? {
        let digits = text.filter { $0 != ":" }.compactMap(\.hexDigitValue)
        guard digits.count == text.filter({ $0 != ":" }).count, digits.count % 2 == 0 else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    /// Whether it is a key's.
    public func matches(_ key: PublicIdentity) -> Bool { key.fingerprint.sum == sum }

    /// The `sum` form.
    public var description: String { sum }

    /// Reads a fingerprint.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let fingerprint = KeyFingerprint(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "A fingerprint is given whole: sum, base64 or hex.")
        }
        self = fingerprint
    }

    /// Writes the key where it is known, else the `sum` form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(key?.fingerprint.base64 ?? sum)
    }
}
