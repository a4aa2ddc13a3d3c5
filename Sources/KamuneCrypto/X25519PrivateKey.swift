import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A private key of X25519 (RFC 7748), with which two peers agree on where to meet at a relay. Printing shows nothing;
/// the library erases it when the last copy goes.
public struct X25519PrivateKey: Sendable {
    /// The size of a key and of a shared secret in bytes.
    public static let size = X25519.size

    private let key: Curve25519.KeyAgreement.PrivateKey

    /// The public key, ``size`` bytes.
    public let publicKey: [UInt8]

    /// Takes a private key.
    ///
    /// - Throws: ``CryptoError/invalidLength(expected:actual:)`` unless it has ``size`` bytes.
    public init(seed: borrowing SecretBytes) throws(CryptoError) {
        guard seed.count == Self.size else { throw .invalidLength(expected: Self.size, actual: seed.count) }
        do {
            key = try seed.withUnsafeBytes { try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: $0) }
        } catch {
            throw .libraryFailure(operation: "taking an X25519 key")
        }
        publicKey = [UInt8](key.publicKey.rawRepresentation)
    }

    /// Makes a new key.
    ///
    /// - Throws: ``CryptoError/libraryFailure(operation:)``, which does not happen.
    public static func generate(using random: inout some RandomSource) throws(CryptoError) -> X25519PrivateKey {
        try X25519PrivateKey(seed: .random(count: size, using: &random))
    }

    /// The secret shared with the owner of a public key, 32 bytes as X25519 gives them.
    ///
    /// - Throws: ``CryptoError/invalidLength(expected:actual:)``; ``CryptoError/lowOrderPoint`` when the secret would be
    ///   zero, which the library lets pass.
    public func sharedSecret(with peer: [UInt8]) throws(CryptoError) -> SecretBytes {
        guard peer.count == Self.size else { throw .invalidLength(expected: Self.size, actual: peer.count) }
        let secret: SharedSecret
        do {
            secret = try key.sharedSecretFromKeyAgreement(with: .init(rawRepresentation: peer))
        } catch {
            throw X25519.isLowOrder(peer) ? .lowOrderPoint : .libraryFailure(operation: "X25519")
        }
        let bytes = SecretBytes(copyingContentsOf: secret)
        guard !bytes.withUnsafeBytes({ bytes in bytes.reduce(0, |) == 0 }) else { throw .lowOrderPoint }
        return bytes
    }
}

extension X25519PrivateKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The name of the type.
    public var description: String { "X25519PrivateKey" }

    /// The name of the type.
    public var debugDescription: String { description }

    /// Without children, so that `dump` finds nothing.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
