public import KamuneCrypto

/// The word under which two clients meet at a relay. Who knows it can take the place of the second, once; it proves
/// nothing about who they are. Printing it shows nothing; ``hexadecimal`` is what people pass on.
public struct RelayToken: Hashable, Sendable {
    /// The size of a token that a relay makes, in bytes.
    public static let relaySize = 16

    /// The size of a token that a client makes.
    public static let ownSize = 32

    /// The most bytes that a token can have. A relay of version 0.7 takes any number for a join, and finds nobody there.
    public static let maximumSize = 64

    /// The token's bytes.
    public let bytes: [UInt8]

    /// Takes a token.
    ///
    /// - Throws: ``RelayProtocolError/invalidToken(size:)`` unless it has 1 to ``maximumSize`` bytes.
    public init(_ bytes: some Collection<UInt8>) throws(RelayProtocolError) {
        guard (1...Self.maximumSize).contains(bytes.count) else { throw .invalidToken(size: bytes.count) }
        self.bytes = Array(bytes)
    }

    private init(unchecked bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Reads the form that people pass on: two hexadecimal digits a byte, in either case.
    ///
    /// - Returns: `nil` when it is not that, or has another size than a token.
    public init?(hexadecimal text: some StringProtocol) {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2), (1...Self.maximumSize).contains(digits.count / 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Self.value(of: digits[index]), let low = Self.value(of: digits[index + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        self.bytes = bytes
    }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The form that people pass on, in lower case.
    public var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Makes one of ``relaySize`` bytes, as a relay does.
    public static func fromRelay(using random: inout some RandomSource) -> RelayToken {
        RelayToken(unchecked: random.bytes(relaySize))
    }

    /// Makes one of ``ownSize`` bytes that a relay accepts: that of random bytes which one draw in 2^90 does not have.
    public static func own(using random: inout some RandomSource) -> RelayToken {
        while true {
            let bytes = random.bytes(ownSize)
            if isAcceptable(bytes) { return RelayToken(unchecked: bytes) }
        }
    }

    /// Whether a relay takes a token that a client made: ``ownSize`` bytes, whose entropy as counted over them is more
    /// than 3 bits a byte.
    ///
    /// With n(b) the number of times that byte b occurs among 32, the entropy is 5 - (1/32) Σ n(b) log2 n(b). That it is
    /// more than 3 means Σ n(b) log2 n(b) < 64, so Π n(b)^n(b) < 2^64: exactly that the product fits 64 bits.
    public static func isAcceptable(_ bytes: some Collection<UInt8>) -> Bool {
        guard bytes.count == ownSize else { return false }
        var counts = [UInt8](repeating: 0, count: 256)
        for byte in bytes { counts[Int(byte)] += 1 }
        var product: UInt64 = 1
        for count in counts where count > 1 {
            for _ in 0..<count {
                let (next, overflow) = product.multipliedReportingOverflow(by: UInt64(count))
                if overflow { return false }
                product = next
            }
        }
        return true
    }
}

extension RelayToken {
    /// The token that follows from two public keys of Ed25519: the hash of both, the smaller first. Anybody who knows both
    /// can compute it, so it hides nothing; peers of version 0.7 may use it.
    ///
    /// - Throws: ``RelayProtocolError/invalidToken(size:)`` unless both have 32 bytes.
    public static func betweenKeys(
        _ a: some Collection<UInt8>, _ b: some Collection<UInt8>
    ) throws(RelayProtocolError) -> RelayToken {
        let (a, b) = (Array(a), Array(b))
        for key in [a, b] where key.count != ed25519KeySize { throw .invalidToken(size: key.count) }
        let ordered = a.lexicographicallyPrecedes(b) ? a + b : b + a
        return RelayToken(unchecked: SHA256Digest.hash(ordered))
    }

    /// The size of a public key of Ed25519 (RFC 8032 §5.1.5).
    private static let ed25519KeySize = 32

    /// The form of a token that fits the hole-punching broker: its first ``relaySize`` bytes.
    public var forBroker: [UInt8] { Array(bytes.prefix(Self.relaySize)) }

    /// Tokens from a secret that two peers agreed on by X25519: for whichever of them meets the other again.
    ///
    /// The secret itself is the key of HKDF-Expand, without Extract, as version 0.7 has it.
    ///
    /// - Parameter count: how many. Version 0.7 takes ``RelayLimits/poolSize``.
    public static func pool(
        sharedSecret: borrowing SecretBytes, count: Int = RelayLimits.poolSize
    ) -> [RelayToken] {
        var tokens: [RelayToken] = []
        for index in 0..<UInt32(clamping: count) {
            let info = poolInfo + withUnsafeBytes(of: index.bigEndian) { Array($0) }
            let token = HKDFSHA512.expand(key: sharedSecret, info: info, count: ownSize)
            tokens.append(RelayToken(unchecked: token.withUnsafeBytes { Array($0) }))
        }
        return tokens
    }

    /// The label of the tokens' derivation; the token's number follows it in four bytes, the highest first.
    private static let poolInfo = Array("kamune/relay-reconnect/v1/".utf8)
}

extension RelayToken: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The name of the type.
    public var description: String { "RelayToken" }

    /// The name of the type.
    public var debugDescription: String { description }

    /// Without children, so that `dump` finds nothing.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
