import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The sizes of ML-KEM-768 (FIPS 203 table 3) in bytes.
public enum MLKEM768Size {
    /// A private key's seed, d || z.
    public static let seed = 64

    /// An encapsulation key.
    public static let publicKey = 1_184

    /// A ciphertext.
    public static let ciphertext = 1_088

    /// A shared secret.
    public static let sharedSecret = 32
}

/// A private key of ML-KEM-768 (FIPS 203), for one handshake. Printing shows nothing.
public struct MLKEM768PrivateKey: Sendable {
    private let key: MLKEM768.PrivateKey

    /// The encapsulation key, 1184 bytes.
    public let publicKey: [UInt8]

    /// Makes the key that a seed stands for.
    ///
    /// - Parameter seed: d || z of FIPS 203 algorithm 16, 64 bytes.
    /// - Throws: ``CryptoError/invalidLength(expected:actual:)``.
    public init(seed: borrowing SecretBytes) throws(CryptoError) {
        guard seed.count == MLKEM768Size.seed else {
            throw .invalidLength(expected: MLKEM768Size.seed, actual: seed.count)
        }
        do {
            key = try seed.withUnsafeBytes { try MLKEM768.PrivateKey(seedRepresentation: $0, publicKey: nil) }
        } catch {
            throw .libraryFailure(operation: "making an ML-KEM-768 key from its seed")
        }
        publicKey = [UInt8](key.publicKey.rawRepresentation)
    }

    /// Makes a new key.
    ///
    /// - Throws: ``CryptoError/libraryFailure(operation:)``, which does not happen.
    public static func generate(using random: inout some RandomSource) throws(CryptoError) -> MLKEM768PrivateKey {
        try MLKEM768PrivateKey(seed: .random(count: MLKEM768Size.seed, using: &random))
    }

    /// The secret within a ciphertext. One that was altered or is for somebody else yields another secret, not an error
    /// (implicit rejection, FIPS 203 §6.3).
    ///
    /// - Throws: ``CryptoError/invalidLength(expected:actual:)`` unless it has 1088 bytes.
    public func decapsulate(_ ciphertext: [UInt8]) throws(CryptoError) -> SecretBytes {
        guard ciphertext.count == MLKEM768Size.ciphertext else {
            throw .invalidLength(expected: MLKEM768Size.ciphertext, actual: ciphertext.count)
        }
        do {
            return SecretBytes(copyingContentsOf: try key.decapsulate(ciphertext))
        } catch {
            throw .libraryFailure(operation: "ML-KEM-768 decapsulation")
        }
    }
}

extension MLKEM768PrivateKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The name of the type.
    public var description: String { "MLKEM768PrivateKey" }

    /// The name of the type.
    public var debugDescription: String { description }

    /// Without children, so that `dump` finds nothing.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
