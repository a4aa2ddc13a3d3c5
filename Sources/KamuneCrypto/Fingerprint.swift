import Crypto

/// The forms in which people see and compare a public key. Each is made from the SubjectPublicKeyInfo, and is the same
/// in every implementation of the protocol.
public struct Fingerprint: Sendable, Hashable {
    /// The bytes that the fingerprint is of.
    public let spki: [UInt8]

    /// The SHA-256 of those bytes.
    private let digest: [UInt8]

    /// How many emoji ``emoji`` has.
    public static let emojiCount = 8

    /// Makes the fingerprint of any bytes; they are not checked for being a key.
    public init(spki: [UInt8]) {
        self.spki = spki
        digest = [UInt8](SHA256.hash(data: spki))
    }

    /// The whole key in base64url without padding (RFC 4648 §5): the "public key" that users exchange.
    public var base64: String { Base64.encodeURL(spki) }

    /// The SHA-256 in base64url without padding, 43 characters: the name of a peer who has not been given another.
    public var sum: String { Base64.encodeURL(digest) }

    /// The whole key in upper-case hexadecimal, a colon between bytes.
    public var hex: String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(3 * spki.count)
        for byte in spki {
            if !text.isEmpty { text.append(UInt8(ascii: ":")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Eight emoji out of 96: 52 bits, to be compared by eye.
    public var emoji: [String] {
        (0..<Self.emojiCount).map { Self.entry(word($0), of: Self.emojiTable) }
    }

    /// Two adjectives, a noun and a number from 1 to 99: 29 bits, easy to say and far too little to rely on alone.
    public var pseudonym: String {
        let words = [
            Self.entry(word(0), of: Self.adjectives), Self.entry(word(1), of: Self.adjectives),
            Self.entry(word(2), of: Self.nouns), String(word(3) % 99 + 1),
        ]
        return words.joined(separator: " ")
    }

    /// A 32-bit big-endian word of the digest, which has eight.
    private func word(_ index: Int) -> UInt32 {
        digest[(4 * index)..<(4 * index + 4)].reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func entry(_ word: UInt32, of table: [String]) -> String {
        table[Int(word % UInt32(table.count))]
    }
}

extension Fingerprint: CustomStringConvertible {
    /// The short form, ``sum``.
    public var description: String { sum }
}
