public import KamuneCrypto

/// A text that nobody else may see, such as a passphrase. It is not printed, and its bytes are erased when the last owner
/// goes; what JSON has made of it on its way through a socket is not.
public final class SecretText: Codable, Sendable, CustomStringConvertible {
    private let secret: SecretBytes

    /// Owns a secret.
    public init(_ secret: consuming SecretBytes) {
        self.secret = secret
    }

    /// A copy of the secret.
    public func copy() -> SecretBytes { secret.copy() }

    /// Lends the secret.
    public func withSecret<Result, Failure: Error>(
        _ body: (borrowing SecretBytes) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(secret)
    }

    /// Tells nothing.
    public var description: String { "(secret)" }

    /// Reads the text.
    public init(from decoder: any Decoder) throws {
        secret = SecretBytes(copying: Array(try decoder.singleValueContainer().decode(String.self).utf8))
    }

    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(secret.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
    }
}
