public import KamuneCrypto

internal import struct Crypto.SHA256

/// What the broker tells of its own accord, sealed to the key of whoever registered.
public enum BrokerNotice: Hashable, Sendable {
    /// Somebody has registered with the same token.
    case matched(Match)
    /// The token that was asked for.
    ///
    /// - Parameter lifetime: How long the broker keeps it, in seconds, from the last registration on.
    case assigned(token: [UInt8], lifetime: UInt32)

    /// Somebody to meet.
    public struct Match: Hashable, Sendable {
        /// The token of both.
        public var token: [UInt8]
        /// The key that the other has registered with.
        public var publicKey: [UInt8]
        /// Where the other is seen.
        public var endpoint: IPEndpoint

        /// Somebody to meet.
        public init(token: [UInt8], publicKey: [UInt8], endpoint: IPEndpoint) {
            self.token = token
            self.publicKey = publicKey
            self.endpoint = endpoint
        }
    }

    private enum Kind {
        static let matched: UInt8 = 1
        static let assigned: UInt8 = 2
    }

    /// The size of an introduction over IPv4 before it is sealed, in bytes. Over IPv6 its address is zero, and 16 bytes
    /// with the right one follow: 0.7 has no IPv6, and does not look at what follows.
    static let matchedSize =
        1 + BrokerWire.tokenSize + BrokerWire.keySize + IPAddress.ipv4Size + BrokerWire.portSize
    /// What sealing adds to the plaintext: nonce and tag.
    static let overhead = XChaCha20Poly1305.overhead

    // MARK: Plain

    /// Reads what was opened; `nil` for what is neither.
    public init?(parsing plaintext: [UInt8]) {
        var rest = plaintext[...]
        guard let kind = rest.take(1)?.first, let token = rest.take(BrokerWire.tokenSize) else { return nil }
        switch kind {
        case Kind.matched:
            guard let key = rest.take(BrokerWire.keySize), let short = rest.take(IPAddress.ipv4Size),
                let port = rest.take(BrokerWire.portSize)
            else { return nil }
            // 0.7 knows no more than the short one.
            let hasLong = short.isZero && !rest.isEmpty
            guard let bytes = hasLong ? rest.take(IPAddress.ipv6Size) : short, let address = IPAddress(bytes: bytes)
            else { return nil }
            let endpoint = IPEndpoint(address, port.reduce(0) { $0 << 8 | UInt16($1) })
            self = .matched(Match(token: Array(token), publicKey: Array(key), endpoint: endpoint))
        case Kind.assigned:
            guard let lifetime = rest.take(4) else { return nil }
            self = .assigned(token: Array(token), lifetime: lifetime.reduce(0) { $0 << 8 | UInt32($1) })
        default:
            return nil
        }
    }

    /// The plaintext.
    public var plaintext: [UInt8] {
        switch self {
        case .matched(let match):
            let address = match.endpoint.address
            return [Kind.matched] + match.token.resized(to: BrokerWire.tokenSize)
                + match.publicKey.resized(to: BrokerWire.keySize)
                + (address.isIPv6 ? [0, 0, 0, 0] : address.bytes)
                + [UInt8(truncatingIfNeeded: match.endpoint.port >> 8), UInt8(truncatingIfNeeded: match.endpoint.port)]
                + (address.isIPv6 ? address.bytes : [])
        case .assigned(let token, let lifetime):
            return [Kind.assigned] + token.resized(to: BrokerWire.tokenSize)
                + stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: lifetime >> UInt32($0)) }
        }
    }

    // MARK: Sealed

    /// The datagram for whoever registered with a key.
    ///
    /// - Parameters:
    ///   - publicKey: The key of whoever registered.
    ///   - brokerKey: A key of the broker that serves for nothing else.
    ///   - nonce: A random one.
    /// - Throws: ``CryptoError``: the key has low order or another size.
    public func sealed(
        to publicKey: [UInt8], by brokerKey: X25519PrivateKey, nonce: XChaCha20Poly1305.Nonce
    ) throws(CryptoError) -> [UInt8] {
        let header = Self.header(brokerKey.publicKey)
        let cipher = try Self.cipher(of: brokerKey, with: publicKey)
        return header + cipher.seal(plaintext, nonce: nonce, associatedData: header)
    }

    /// Opens a datagram of the broker's.
    ///
    /// - Parameter key: What we registered with.
    /// - Throws: ``CryptoError/malformedCiphertext``: it is none of the broker's, or says what we do not know; otherwise
    ///   why it could not be opened.
    public init(opening datagram: [UInt8], with key: X25519PrivateKey) throws(CryptoError) {
        var rest = datagram[...]
        guard rest.take(BrokerWire.headerSize)?.elementsEqual(Self.header([])) == true,
            let brokerKey = rest.take(BrokerWire.keySize).map(Array.init)
        else { throw .malformedCiphertext }
        let plaintext = try Self.cipher(of: key, with: brokerKey).open(
            rest, associatedData: Self.header(brokerKey))
        guard let notice = BrokerNotice(parsing: plaintext) else { throw .malformedCiphertext }
        self = notice
    }

    /// What stands before the nonce, and is authenticated with the rest.
    private static func header(_ brokerKey: [UInt8]) -> [UInt8] {
        BrokerWire.prefix + [BrokerWire.Operation.notify] + brokerKey
    }

    private static func cipher(
        of key: X25519PrivateKey, with peer: [UInt8]
    ) throws(CryptoError) -> XChaCha20Poly1305 {
        let shared = try key.sharedSecret(with: peer)
        var hash = SHA256()
        shared.withUnsafeBytes { hash.update(bufferPointer: $0) }
        let digest = hash.finalize()
        let cipherKey = SecretBytes(unsafeUninitializedCapacity: SHA256.byteCount) { bytes in
            digest.withUnsafeBytes { bytes.copyMemory(from: $0) }
        }
        return try XChaCha20Poly1305(key: cipherKey)
    }
}
