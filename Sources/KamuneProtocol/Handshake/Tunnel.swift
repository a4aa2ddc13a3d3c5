import KamuneCrypto

/// The HPKE tunnel that the handshake travels in (§5): one context in each direction. It hides the introductions from
/// whoever only listens; it authenticates nobody.
struct Tunnel: ~Copyable, Sendable {
    private var sealer: TunnelSealer
    private var opener: TunnelOpener

    init(sealer: consuming TunnelSealer, opener: consuming TunnelOpener) {
        self.sealer = sealer
        self.opener = opener
    }

    mutating func seal(_ plaintext: [UInt8]) throws(ProtocolError) -> [UInt8] {
        do {
            return try sealer.seal(plaintext)
        } catch {
            throw .system(.cryptography)
        }
    }

    mutating func open(_ frame: [UInt8]) throws(ProtocolError) -> [UInt8] {
        do {
            return try opener.open(frame)
        } catch {
            throw .authenticationFailed(.undecryptable(.tunnel))
        }
    }
}

/// The responder's frame of the exchange: the encapsulated key behind its length in two bytes, then its public key (§5.1).
struct MergedExchange {
    let encapsulatedKey: [UInt8]
    let publicKey: [UInt8]

    init(encapsulatedKey: [UInt8], publicKey: [UInt8]) {
        self.encapsulatedKey = encapsulatedKey
        self.publicKey = publicKey
    }

    init(decoding frame: [UInt8]) throws(ProtocolError) {
        guard frame.count >= 2 else {
            throw .peerMisbehaved(.malformedExchange(reason: "answer of \(frame.count) bytes"))
        }
        let size = Int(frame[0]) << 8 | Int(frame[1])
        guard size <= frame.count - 2 else { throw .peerMisbehaved(.malformedExchange(reason: "truncated answer")) }
        encapsulatedKey = Array(frame[2..<2 + size])
        publicKey = Array(frame[(2 + size)...])
    }

    func encoded() -> [UInt8] {
        // An X-Wing encapsulated key has 1,120 bytes, so its length always fits.
        [UInt8(truncatingIfNeeded: encapsulatedKey.count >> 8), UInt8(truncatingIfNeeded: encapsulatedKey.count)]
            + encapsulatedKey + publicKey
    }
}

extension ProtocolError.PeerMisbehavior {
    /// What a failure within the exchange's key material means: the peer sent something that is no key.
    static func malformedExchange(_ error: CryptoError) -> Self {
        .malformedExchange(reason: "\(error)")
    }
}
