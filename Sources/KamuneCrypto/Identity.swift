import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A person's private key, which signs what they say.
///
/// Copies share one storage; the seed is erased when the last of them goes. The signing library holds an expanded key
/// of its own beside it. Printing, interpolating and reflecting show the algorithm and the public fingerprint only.
public struct Identity: Sendable {
    private let storage: Storage

    /// Makes a new identity.
    ///
    /// - Throws: ``CryptoError/libraryFailure(operation:)``, which does not happen.
    public static func generate(
        _ algorithm: IdentityAlgorithm, using random: inout some RandomSource
    ) throws(CryptoError) -> Identity {
        try Identity(algorithm: algorithm, seed: .random(count: IdentityAlgorithm.seedSize, using: &random))
    }

    /// Makes a new identity from the system's random bytes.
    ///
    /// - Throws: ``CryptoError/libraryFailure(operation:)``, which does not happen.
    public static func generate(_ algorithm: IdentityAlgorithm = .ed25519) throws(CryptoError) -> Identity {
        var random = SystemRandomSource()
        return try generate(algorithm, using: &random)
    }

    /// Makes the identity that a seed stands for: the private key of RFC 8032 §5.1.5, or ξ of FIPS 204 algorithm 1.
    ///
    /// - Throws: ``CryptoError/invalidLength(expected:actual:)`` unless the seed has 32 bytes.
    public init(algorithm: IdentityAlgorithm, seed: borrowing SecretBytes) throws(CryptoError) {
        guard seed.count == IdentityAlgorithm.seedSize else {
            throw .invalidLength(expected: IdentityAlgorithm.seedSize, actual: seed.count)
        }
        storage = try Storage(algorithm: algorithm, seed: seed.copy())
    }

    /// Its algorithm.
    public var algorithm: IdentityAlgorithm { storage.publicKey.algorithm }

    /// What others know it by.
    public var publicKey: PublicIdentity { storage.publicKey }

    /// Signs a message; ML-DSA with an empty context.
    ///
    /// - Returns: ``IdentityAlgorithm/signatureSize`` bytes. Ed25519 gives the same for the same message (except on
    ///   Apple's platforms, whose library mixes in randomness), ML-DSA does not.
    /// - Throws: ``CryptoError/libraryFailure(operation:)``, which does not happen.
    public func sign(_ message: UnsafeRawBufferPointer) throws(CryptoError) -> [UInt8] {
        do {
            return switch storage.key {
            case .ed25519(let key): try [UInt8](key.signature(for: message))
            case .mldsa65(let key): try [UInt8](key.signature(for: message))
            }
        } catch {
            throw .libraryFailure(operation: "signing")
        }
    }

    /// Signs a message; see ``sign(_:)-(UnsafeRawBufferPointer)``.
    public func sign(_ message: [UInt8]) throws(CryptoError) -> [UInt8] {
        try withTypedUnsafeBytes(of: message) { message throws(CryptoError) in try sign(message) }
    }

    /// Lends the seed, for those who store it. It must not be kept beyond the call.
    package func withSeed<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try storage.seed.withUnsafeBytes(body)
    }

    private enum Key: Sendable {
        case ed25519(Curve25519.Signing.PrivateKey)
        case mldsa65(MLDSA65.PrivateKey)
    }

    private final class Storage: Sendable {
        let seed: SecretBytes
        let key: Key
        let publicKey: PublicIdentity

        init(algorithm: IdentityAlgorithm, seed: consuming SecretBytes) throws(CryptoError) {
            let (key, rawPublicKey) = try Self.expand(algorithm, seed)
            self.seed = seed
            self.key = key
            publicKey = try PublicIdentity(algorithm: algorithm, rawPublicKey: rawPublicKey)
        }

        private static func expand(
            _ algorithm: IdentityAlgorithm, _ seed: borrowing SecretBytes
        ) throws(CryptoError) -> (Key, [UInt8]) {
            try seed.withUnsafeBytes { seed throws(CryptoError) in
                do {
                    switch algorithm {
                    case .ed25519:
                        let key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
                        return (.ed25519(key), [UInt8](key.publicKey.rawRepresentation))
                    case .mldsa65:
                        let key = try MLDSA65.PrivateKey(seedRepresentation: seed, publicKey: nil)
                        return (.mldsa65(key), [UInt8](key.publicKey.rawRepresentation))
                    }
                } catch {
                    throw .libraryFailure(operation: "making a key from its seed")
                }
            }
        }
    }
}

extension Identity: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The algorithm and the public fingerprint.
    public var description: String { "Identity(\(algorithm.rawValue), \(publicKey.fingerprint.sum))" }

    /// The algorithm and the public fingerprint.
    public var debugDescription: String { description }

    /// Without children, so that `dump` finds nothing.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// `withUnsafeBytes` of an array, with a typed error.
@inline(__always)
func withTypedUnsafeBytes<Value>(
    of bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(CryptoError) -> Value
) throws(CryptoError) -> Value {
    let result: Result<Value, CryptoError> = bytes.withUnsafeBytes { bytes in
        do throws(CryptoError) {
            return .success(try body(bytes))
        } catch {
            return .failure(error)
        }
    }
    return try result.get()
}
