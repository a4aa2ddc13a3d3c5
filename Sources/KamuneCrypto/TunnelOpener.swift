import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The receiving end of one direction of the tunnel: an HPKE recipient context (RFC 9180 §5.2). Messages open only in
/// the order in which they were sealed.
public struct TunnelOpener: ~Copyable, Sendable {
    private var context: Context

    private enum Context: Sendable {
        case library(HPKE.Recipient)
        case recorded(RecordedTunnelContext)
    }

    /// Opens this end with what the peer encapsulated to our public key.
    ///
    /// An encapsulated key that was altered or made for somebody else is not noticed here: the first message will not
    /// open.
    ///
    /// - Throws: ``CryptoError/invalidLength(expected:actual:)`` unless it has 1120 bytes, or
    ///   ``CryptoError/lowOrderPoint``.
    public init(encapsulatedKey: [UInt8], privateKey: TunnelPrivateKey) throws(CryptoError) {
        guard encapsulatedKey.count == TunnelSuite.encapsulatedKeySize else {
            throw .invalidLength(expected: TunnelSuite.encapsulatedKeySize, actual: encapsulatedKey.count)
        }
        guard !X25519.isLowOrder(encapsulatedKey.suffix(X25519.size)) else { throw .lowOrderPoint }
        do {
            context = .library(
                try HPKE.Recipient(
                    privateKey: privateKey.key, ciphersuite: TunnelSuite.ciphersuite, info: Data(),
                    encapsulatedKey: Data(encapsulatedKey)))
        } catch {
            throw .malformedCiphertext
        }
    }

    /// Continues a context whose secrets are known, at its first message: to replay recordings.
    ///
    /// - Parameters:
    ///   - key: 32 bytes.
    ///   - baseNonce: 12 bytes.
    /// - Throws: ``CryptoError/invalidLength(expected:actual:)``.
    public init(key: borrowing SecretBytes, baseNonce: [UInt8]) throws(CryptoError) {
        context = .recorded(try RecordedTunnelContext(key: key, baseNonce: baseNonce))
    }

    /// Opens the next message. After a failure the one that was expected still can be.
    ///
    /// - Throws: ``CryptoError/malformedCiphertext`` when it is shorter than ``TunnelSuite/overhead``,
    ///   ``CryptoError/authenticationFailed`` when it was altered, repeated, or is not the next one.
    public mutating func open(_ ciphertext: [UInt8]) throws(CryptoError) -> [UInt8] {
        guard ciphertext.count >= TunnelSuite.overhead else { throw .malformedCiphertext }
        do {
            switch context {
            case .library(var recipient):
                let opened = try recipient.open(ciphertext)
                context = .library(recipient)
                return [UInt8](opened)
            case .recorded(var recorded):
                let box = try ChaChaPoly.SealedBox(
                    nonce: recorded.nonce(), ciphertext: ciphertext.dropLast(TunnelSuite.overhead),
                    tag: ciphertext.suffix(TunnelSuite.overhead))
                let opened = try ChaChaPoly.open(box, using: recorded.key)
                recorded.sequenceNumber &+= 1
                context = .recorded(recorded)
                return [UInt8](opened)
            }
        } catch {
            throw .authenticationFailed
        }
    }
}
