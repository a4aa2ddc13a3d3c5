import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The sending end of one direction of the tunnel: an HPKE sender context (RFC 9180 §5.2). The nonce is a counter, so
/// messages open only in the order in which they were sealed, and there must be just one sealer: it cannot be copied.
public struct TunnelSealer: ~Copyable, Sendable {
    private var context: Context

    private enum Context: Sendable {
        case library(HPKE.Sender)
        case recorded(RecordedTunnelContext)
    }

    init(_ sender: HPKE.Sender) {
        context = .library(sender)
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

    /// Seals the next message; the result is ``TunnelSuite/overhead`` bytes longer.
    ///
    /// - Throws: ``CryptoError/libraryFailure(operation:)`` after 2^64 - 1 messages.
    public mutating func seal(_ plaintext: [UInt8]) throws(CryptoError) -> [UInt8] {
        do {
            switch context {
            case .library(var sender):
                let sealed = try sender.seal(plaintext)
                context = .library(sender)
                return [UInt8](sealed)
            case .recorded(var recorded):
                let sealed = try ChaChaPoly.seal(plaintext, using: recorded.key, nonce: recorded.nonce())
                recorded.sequenceNumber &+= 1
                context = .recorded(recorded)
                return [UInt8](sealed.ciphertext + sealed.tag)
            }
        } catch {
            throw .libraryFailure(operation: "sealing")
        }
    }
}

/// What an HPKE context consists of once its key schedule is done (RFC 9180 §5.2).
struct RecordedTunnelContext: Sendable {
    let key: SymmetricKey
    private let baseNonce: [UInt8]
    var sequenceNumber: UInt64 = 0

    init(key: borrowing SecretBytes, baseNonce: [UInt8]) throws(CryptoError) {
        guard key.count == TunnelSuite.keySize else {
            throw .invalidLength(expected: TunnelSuite.keySize, actual: key.count)
        }
        guard baseNonce.count == TunnelSuite.nonceSize else {
            throw .invalidLength(expected: TunnelSuite.nonceSize, actual: baseNonce.count)
        }
        self.key = key.withUnsafeBytes { SymmetricKey(data: $0) }
        self.baseNonce = baseNonce
    }

    /// The base nonce, its last eight bytes combined with the number of the message.
    func nonce() throws -> ChaChaPoly.Nonce {
        var nonce = baseNonce
        withUnsafeBytes(of: sequenceNumber.bigEndian) { counter in
            for (index, byte) in counter.enumerated() {
                nonce[TunnelSuite.nonceSize - counter.count + index] ^= byte
            }
        }
        return try ChaChaPoly.Nonce(data: nonce)
    }
}
