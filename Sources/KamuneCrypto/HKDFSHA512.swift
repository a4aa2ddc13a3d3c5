import Crypto

/// HKDF with SHA-512 (RFC 5869).
public enum HKDFSHA512 {
    /// The most bytes that one call can derive: 255 blocks of 64 (RFC 5869 §2.3).
    public static let maximumCount = 255 * 64

    /// Extract and expand.
    ///
    /// - Parameters:
    ///   - secret: the input keying material, of any length.
    ///   - salt: public; an empty one is the same as none.
    ///   - info: what the result is for.
    ///   - count: the number of bytes, 0 to ``maximumCount``. It is the caller's constant; a larger one is a bug and
    ///     stops the program.
    public static func derive(secret: borrowing SecretBytes, salt: [UInt8], info: [UInt8], count: Int) -> SecretBytes {
        let key = extract(secret: secret, salt: salt)
        return expand(key: key, info: info, count: count)
    }

    /// Extract alone (RFC 5869 §2.2): 64 bytes, from which ``expand(key:info:count:)`` derives as many keys as needed.
    public static func extract(secret: borrowing SecretBytes, salt: [UInt8]) -> SecretBytes {
        let code = secret.withUnsafeBytes { secret in
            HMAC<SHA512>.authenticationCode(for: secret, using: SymmetricKey(data: salt))
        }
        return SecretBytes(copyingContentsOf: code)
    }

    /// Expand alone (RFC 5869 §2.3).
    ///
    /// - Parameters:
    ///   - key: the pseudorandom key. The relay's tokens take the shared secret of X25519 itself.
    ///   - info: what the result is for.
    ///   - count: as in ``derive(secret:salt:info:count:)``.
    public static func expand(key: borrowing SecretBytes, info: [UInt8], count: Int) -> SecretBytes {
        precondition((0...maximumCount).contains(count), "HKDF-SHA512 cannot derive \(count) bytes")
        guard count > 0 else { return SecretBytes(copying: []) }
        let output = key.withUnsafeBytes { key in
            HKDF<SHA512>.expand(pseudoRandomKey: key, info: info, outputByteCount: count)
        }
        return SecretBytes(copyingContentsOf: output)
    }
}
