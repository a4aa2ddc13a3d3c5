import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The HPKE tunnel's cipher suite (RFC 9180 §7): X-Wing (draft-connolly-cfrg-xwing-kem), HKDF-SHA512 and
/// ChaCha20-Poly1305, in base mode, with empty info and empty associated data.
public enum TunnelSuite {
    /// The size of a private key's seed in bytes.
    public static let seedSize = 32

    /// The size of a public key in bytes: ML-KEM-768's, then X25519's.
    public static let publicKeySize = 1_216

    /// The size of an encapsulated key in bytes: ML-KEM-768's ciphertext, then an X25519 public key.
    public static let encapsulatedKeySize = 1_120

    /// How many bytes a sealed message is longer than its plaintext.
    public static let overhead = 16

    /// The sizes of a context's key and base nonce in bytes.
    static let keySize = 32
    static let nonceSize = 12

    static let ciphersuite = HPKE.Ciphersuite(kem: .XWingMLKEM768X25519, kdf: .HKDF_SHA512, aead: .chaChaPoly)
}

/// A private key of X-Wing, to which the peer opens its half of the tunnel. Printing shows nothing.
public struct TunnelPrivateKey: Sendable {
    let key: XWingMLKEM768X25519.PrivateKey

    /// The public key, 1216 bytes.
    public let publicKey: [UInt8]

    /// Makes the key that a seed stands for.
    ///
    /// - Throws: ``CryptoError/invalidLength(expected:actual:)`` unless it has 32 bytes.
    public init(seed: borrowing SecretBytes) throws(CryptoError) {
        guard seed.count == TunnelSuite.seedSize else {
            throw .invalidLength(expected: TunnelSuite.seedSize, actual: seed.count)
        }
        do {
            key = try seed.withUnsafeBytes { seed in
                try XWingMLKEM768X25519.PrivateKey(seedRepresentation: seed, publicKey: nil)
            }
        } catch {
            throw .libraryFailure(operation: "making an X-Wing key from its seed")
        }
        publicKey = [UInt8](key.publicKey.rawRepresentation)
    }

    /// Makes a new key.
    ///
    /// - Throws: ``CryptoError/libraryFailure(operation:)``, which does not happen.
    public static func generate(using random: inout some RandomSource) throws(CryptoError) -> TunnelPrivateKey {
        try TunnelPrivateKey(seed: .random(count: TunnelSuite.seedSize, using: &random))
    }
}

extension TunnelPrivateKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The name of the type.
    public var description: String { "TunnelPrivateKey" }

    /// The name of the type.
    public var debugDescription: String { description }

    /// Without children, so that `dump` finds nothing.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
