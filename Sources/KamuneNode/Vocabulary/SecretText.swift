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

    private enum CodingKeys: String, CodingKey {
        case base64
    }

    /// Reads the text, or bytes that are none, as an object with `base64`.
    public init(from decoder: any Decoder) throws {
        if let container = try? decoder.container(keyedBy: CodingKeys.self) {
            secret = SecretBytes(copying: try container.decode(Bytes.self, forKey: .base64).bytes)
            return
        }
        secret = SecretBytes(copying: Array(try decoder.singleValueContainer().decode(String.self).utf8))
    }

    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        let bytes = secret.withUnsafeBytes { Array($0) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            var container = encoder.container(keyedBy: CodingKeys.self)
            return try container.encode(Bytes(bytes), forKey: .base64)
        }
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
