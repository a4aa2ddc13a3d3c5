import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A person's public key. Its standard encoding, the SubjectPublicKeyInfo, says which algorithm it is of, and is what
/// travels and what fingerprints are made from. Two are equal when their encodings are.
public struct PublicIdentity: Sendable {
    /// The DER encoding of the SubjectPublicKeyInfo (RFC 8410 §4, RFC 9881 §4).
    public let spki: [UInt8]

    /// Its algorithm.
    public let algorithm: IdentityAlgorithm

    private let key: Key

    private enum Key: Sendable {
        case ed25519(Curve25519.Signing.PublicKey)
        case mldsa65(MLDSA65.PublicKey)
    }

    /// Reads the one DER encoding that a key has. That an Ed25519 key is a point of the curve is not checked here: for
    /// one that is not, no signature is valid.
    ///
    /// - Throws: ``CryptoError/unsupportedAlgorithm(oid:)`` or ``CryptoError/malformedKey(reason:)``.
    public init(spki: [UInt8]) throws(CryptoError) {
        let (algorithm, rawPublicKey) = try SubjectPublicKeyInfo.parse(spki)
        try self.init(algorithm: algorithm, rawPublicKey: rawPublicKey, spki: spki)
    }

    init(algorithm: IdentityAlgorithm, rawPublicKey: [UInt8]) throws(CryptoError) {
        try self.init(
            algorithm: algorithm, rawPublicKey: rawPublicKey[...],
            spki: SubjectPublicKeyInfo.prefix(of: algorithm) + rawPublicKey)
    }

    private init(algorithm: IdentityAlgorithm, rawPublicKey: ArraySlice<UInt8>, spki: [UInt8]) throws(CryptoError) {
        do {
            key =
                switch algorithm {
                case .ed25519: .ed25519(try Curve25519.Signing.PublicKey(rawRepresentation: rawPublicKey))
                case .mldsa65: .mldsa65(try MLDSA65.PublicKey(rawRepresentation: rawPublicKey))
                }
        } catch {
            throw .malformedKey(reason: "the library does not take it as a key of \(algorithm.rawValue)")
        }
        self.spki = spki
        self.algorithm = algorithm
    }

    /// The size of its signatures in bytes.
    public var signatureSize: Int { algorithm.signatureSize }

    /// What people compare.
    public var fingerprint: Fingerprint { Fingerprint(spki: spki) }

    /// Whether a signature over a message is this person's; for ML-DSA with an empty context. A signature of the wrong
    /// size is not.
    public func isValidSignature(_ signature: ArraySlice<UInt8>, for message: UnsafeRawBufferPointer) -> Bool {
        guard signature.count == signatureSize else { return false }
        return signature.withUnsafeBytes { signature in
            switch key {
            case .ed25519(let key): key.isValidSignature(signature, for: message)
            case .mldsa65(let key): key.isValidSignature(signature, for: message)
            }
        }
    }

    /// Whether a signature over a message is this person's.
    public func isValidSignature(_ signature: [UInt8], for message: UnsafeRawBufferPointer) -> Bool {
        isValidSignature(signature[...], for: message)
    }

    /// Whether a signature over a message is this person's.
    public func isValidSignature(_ signature: [UInt8], for message: [UInt8]) -> Bool {
        message.withUnsafeBytes { isValidSignature(signature[...], for: $0) }
    }

    /// Whether a signature over a message is this person's.
    public func isValidSignature(_ signature: ArraySlice<UInt8>, for message: [UInt8]) -> Bool {
        message.withUnsafeBytes { isValidSignature(signature, for: $0) }
    }
}

extension PublicIdentity: Hashable {
    /// Compares the encodings.
    public static func == (a: PublicIdentity, b: PublicIdentity) -> Bool { a.spki == b.spki }

    /// Hashes the encoding.
    public func hash(into hasher: inout Hasher) { hasher.combine(spki) }
}

extension PublicIdentity: CustomStringConvertible {
    /// The algorithm and the fingerprint.
    public var description: String { "PublicIdentity(\(algorithm.rawValue), \(fingerprint.sum))" }
}
