import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One direction of the tunnel, opened towards a public key: what to send to its owner, and the sealer.
@frozen
public struct TunnelEncapsulation: ~Copyable, Sendable {
    /// What the owner of the public key needs for its ``TunnelOpener``, 1120 bytes.
    public var encapsulatedKey: [UInt8]

    /// The sending end.
    public var sealer: TunnelSealer

    /// Puts the two together.
    public init(encapsulatedKey: [UInt8], sealer: consuming TunnelSealer) {
        self.encapsulatedKey = encapsulatedKey
        self.sealer = sealer
    }
}

/// A secret, and the ciphertext from which the owner of a public key gets the same one.
@frozen
public struct MLKEM768Encapsulation: ~Copyable, Sendable {
    /// What to send, 1088 bytes.
    public var ciphertext: [UInt8]

    /// The secret, 32 bytes.
    public var sharedSecret: SecretBytes

    /// Puts the two together.
    public init(ciphertext: [UInt8], sharedSecret: consuming SecretBytes) {
        self.ciphertext = ciphertext
        self.sharedSecret = sharedSecret
    }
}

/// Encapsulates to public keys: the one step whose randomness cannot be passed to the library. Tests replay recorded
/// encapsulations through a conformance of their own; everybody else uses ``SystemEncapsulator``.
public protocol Encapsulator: Sendable {
    /// Opens a direction of the tunnel towards a public key.
    mutating func encapsulateTunnel(to publicKey: [UInt8]) throws(CryptoError) -> TunnelEncapsulation

    /// Encapsulates a secret to a public key of ML-KEM-768.
    mutating func encapsulateMLKEM768(to publicKey: [UInt8]) throws(CryptoError) -> MLKEM768Encapsulation
}

/// Encapsulates with the system's randomness.
public struct SystemEncapsulator: Encapsulator {
    /// Makes one; it has no state.
    public init() {}

    /// Opens a direction of the tunnel towards a public key.
    ///
    /// - Throws: ``CryptoError/invalidLength(expected:actual:)`` unless it has 1216 bytes, ``CryptoError/lowOrderPoint``
    ///   or ``CryptoError/malformedKey(reason:)``.
    public mutating func encapsulateTunnel(to publicKey: [UInt8]) throws(CryptoError) -> TunnelEncapsulation {
        guard publicKey.count == TunnelSuite.publicKeySize else {
            throw .invalidLength(expected: TunnelSuite.publicKeySize, actual: publicKey.count)
        }
        guard !X25519.isLowOrder(publicKey.suffix(X25519.size)) else { throw .lowOrderPoint }
        do {
            let recipient = try XWingMLKEM768X25519.PublicKey(rawRepresentation: publicKey)
            let sender = try HPKE.Sender(
                recipientKey: recipient, ciphersuite: TunnelSuite.ciphersuite, info: Data())
            return TunnelEncapsulation(
                encapsulatedKey: [UInt8](sender.encapsulatedKey), sealer: TunnelSealer(sender))
        } catch {
            // Its ML-KEM half has coefficients beyond the modulus (FIPS 203 §7.2).
            throw .malformedKey(reason: "its ML-KEM-768 part is not an encapsulation key")
        }
    }

    /// Encapsulates a secret to a public key of ML-KEM-768.
    ///
    /// - Throws: ``CryptoError/invalidLength(expected:actual:)`` unless it has 1184 bytes, or
    ///   ``CryptoError/malformedKey(reason:)`` when it fails the check of FIPS 203 §7.2.
    public mutating func encapsulateMLKEM768(to publicKey: [UInt8]) throws(CryptoError) -> MLKEM768Encapsulation {
        guard publicKey.count == MLKEM768Size.publicKey else {
            throw .invalidLength(expected: MLKEM768Size.publicKey, actual: publicKey.count)
        }
        do {
            let result = try MLKEM768.PublicKey(rawRepresentation: publicKey).encapsulate()
            return MLKEM768Encapsulation(
                ciphertext: [UInt8](result.encapsulated),
                sharedSecret: SecretBytes(copyingContentsOf: result.sharedSecret))
        } catch {
            throw .malformedKey(reason: "it is not an ML-KEM-768 encapsulation key")
        }
    }
}
