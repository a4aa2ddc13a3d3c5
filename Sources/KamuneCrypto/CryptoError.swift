/// What can go wrong in the cipher suite.
///
/// A case names the condition and carries what a person needs to act on it. None ever carries key material, plaintext,
/// or anything that was read from inside a private key.
public enum CryptoError: Error, Equatable, Sendable {
    /// A key is not what its encoding promises. `reason` is a sentence part for a person.
    case malformedKey(reason: String)

    /// A key of an algorithm that this suite does not have. `oid` is its object identifier in dotted form.
    case unsupportedAlgorithm(oid: String)

    /// A private key is protected by a passphrase; it has to be decrypted with another tool first.
    case encryptedKey

    /// An ML-DSA private key in the expanded form alone, without the seed that it was made from (RFC 9881 §6).
    case expandedKeyWithoutSeed

    /// A text is not one block of PEM (RFC 7468).
    case malformedPEM(reason: String)

    /// A block of PEM is of another kind than the one that is needed.
    case unexpectedPEMLabel(found: String, expected: String)

    /// A public key of X25519 that has a small order: the shared secret would be zero whatever our own key is
    /// (RFC 7748 §6.1).
    case lowOrderPoint

    /// A ciphertext was altered, or was made with another key, nonce or associated data.
    case authenticationFailed

    /// A ciphertext cannot be one, for instance because it is shorter than its own tag.
    case malformedCiphertext

    /// An input has the wrong size. Both numbers are bytes.
    case invalidLength(expected: Int, actual: Int)

    /// The underlying library failed where it cannot; `operation` says in what.
    case libraryFailure(operation: String)
}

extension CryptoError: CustomStringConvertible {
    /// One sentence for a person.
    public var description: String {
        switch self {
        case .malformedKey(let reason): "The key is malformed: \(reason)."
        case .unsupportedAlgorithm(let oid):
            "The key's algorithm (\(oid)) is not supported; Ed25519 and ML-DSA-65 are."
        case .encryptedKey: "The private key is encrypted; remove its passphrase first."
        case .expandedKeyWithoutSeed:
            "The ML-DSA private key holds only the expanded key; the form with the 32-byte seed is needed."
        case .malformedPEM(let reason): "This is not a PEM file: \(reason)."
        case .unexpectedPEMLabel(let found, let expected): "The PEM file holds a \(found), not a \(expected)."
        case .lowOrderPoint: "The public key has low order and would give away the shared secret."
        case .authenticationFailed: "The ciphertext is not authentic."
        case .malformedCiphertext: "The ciphertext is malformed."
        case .invalidLength(let expected, let actual): "Expected \(expected) bytes but got \(actual)."
        case .libraryFailure(let operation): "The cryptographic library failed in \(operation)."
        }
    }
}
