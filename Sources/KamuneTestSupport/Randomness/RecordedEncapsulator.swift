public import KamuneCrypto

/// Encapsulates as it was recorded: the one step of the protocol whose randomness the cryptographic library does not let
/// anybody choose. It serves one handshake.
public struct RecordedEncapsulator: Encapsulator {
    /// One direction of the tunnel.
    public struct Tunnel: Sendable {
        /// The public key that the encapsulation was made to.
        public let publicKey: [UInt8]
        /// What was sent to its owner.
        public let encapsulatedKey: [UInt8]
        /// The key of the HPKE context (RFC 9180 §5.1).
        public let key: [UInt8]
        /// Its base nonce.
        public let baseNonce: [UInt8]

        /// A recorded direction.
        public init(publicKey: [UInt8], encapsulatedKey: [UInt8], key: [UInt8], baseNonce: [UInt8]) {
            self.publicKey = publicKey
            self.encapsulatedKey = encapsulatedKey
            self.key = key
            self.baseNonce = baseNonce
        }
    }

    /// The encapsulation of the session's secret (FIPS 203).
    public struct MLKEM: Sendable {
        /// The encapsulation key.
        public let publicKey: [UInt8]
        /// What was sent to its owner.
        public let ciphertext: [UInt8]
        /// The secret of both.
        public let sharedSecret: [UInt8]

        /// A recorded encapsulation.
        public init(publicKey: [UInt8], ciphertext: [UInt8], sharedSecret: [UInt8]) {
            self.publicKey = publicKey
            self.ciphertext = ciphertext
            self.sharedSecret = sharedSecret
        }
    }

    private let tunnel: Tunnel
    private let mlkem: MLKEM?

    /// - Parameter mlkem: What the responder recorded; nil for the initiator, who does not encapsulate.
    public init(tunnel: Tunnel, mlkem: MLKEM? = nil) {
        self.tunnel = tunnel
        self.mlkem = mlkem
    }

    /// The recorded direction of the tunnel.
    ///
    /// - Throws: ``CryptoError/malformedKey(reason:)`` for another public key than the recorded one.
    public mutating func encapsulateTunnel(to publicKey: [UInt8]) throws(CryptoError) -> TunnelEncapsulation {
        guard publicKey == tunnel.publicKey else { throw .malformedKey(reason: "it is not the recorded one") }
        return TunnelEncapsulation(
            encapsulatedKey: tunnel.encapsulatedKey,
            sealer: try TunnelSealer(key: SecretBytes(copying: tunnel.key), baseNonce: tunnel.baseNonce))
    }

    /// The recorded secret.
    ///
    /// - Throws: ``CryptoError/malformedKey(reason:)`` for another public key than the recorded one.
    public mutating func encapsulateMLKEM768(to publicKey: [UInt8]) throws(CryptoError) -> MLKEM768Encapsulation {
        guard let mlkem, publicKey == mlkem.publicKey else {
            throw .malformedKey(reason: "it is not the recorded one")
        }
        return MLKEM768Encapsulation(
            ciphertext: mlkem.ciphertext, sharedSecret: SecretBytes(copying: mlkem.sharedSecret))
    }
}
