/// The sizes and marks of the broker's datagrams (0.7: docs/RELAY.md, "Broker", and pkg/relayconn/broker/codec.go).
public enum BrokerWire {
    /// What every datagram but the echo's answer begins with: "KBRK", and version 1.
    static let prefix: [UInt8] = [0x4B, 0x42, 0x52, 0x4B, 0x01]
    /// The prefix and the operation, in bytes.
    static let headerSize = prefix.count + 1
    /// The size of a token in bytes. Zeros ask for a new one.
    public static let tokenSize = 16
    /// The size of a key of X25519 in bytes.
    public static let keySize = 32
    static let portSize = 2
    /// The size of a registration as 0.7 sends it, in bytes; what follows is ours, and 0.7 does not look at it.
    public static let registrationSize = headerSize + tokenSize + keySize + IPAddress.ipv4Size + portSize
    /// The largest answer to a registration, in bytes: what a peer of IPv6 is told of another. Registrations of ours are
    /// as large, so that no answer is larger than what it answers.
    public static let largestNoticeSize =
        headerSize + keySize + BrokerNotice.overhead + BrokerNotice.matchedSize + IPAddress.ipv6Size
    /// The largest answer to an echo, in bytes: brackets, the longest IPv6 address, colon, port, zero.
    static let largestEchoSize = 1 + 39 + 1 + 1 + 5 + 1
    /// No datagram for the broker or from it needs more bytes; longer ones are noise.
    public static let largestDatagramSize = 1500

    enum Operation {
        static let echo: UInt8 = 1
        static let register: UInt8 = 2
        static let notify: UInt8 = 3
    }
}

/// What a client asks the broker.
public enum BrokerRequest: Hashable, Sendable {
    /// Where it is seen.
    case echo
    /// To be introduced to whoever registers with the same token.
    case register(BrokerRegistration)

    /// Reads a datagram; `nil` for whatever is no request, which nobody answers.
    public init?(parsing datagram: [UInt8]) {
        guard datagram.count >= BrokerWire.headerSize, datagram.starts(with: BrokerWire.prefix) else { return nil }
        switch datagram[BrokerWire.prefix.count] {
        case BrokerWire.Operation.echo:
            self = .echo
        case BrokerWire.Operation.register:
            guard let registration = BrokerRegistration(body: datagram[BrokerWire.headerSize...]) else { return nil }
            self = .register(registration)
        default:
            return nil
        }
    }

    /// The datagram.
    ///
    /// - Parameter isPadded: Whether it is made as large as the largest answer. 0.7 does not look at what follows.
    public func encoded(isPadded: Bool) -> [UInt8] {
        var datagram = BrokerWire.prefix
        switch self {
        case .echo:
            datagram.append(BrokerWire.Operation.echo)
            if isPadded { datagram.pad(to: BrokerWire.largestEchoSize) }
        case .register(let registration):
            datagram.append(BrokerWire.Operation.register)
            registration.encode(into: &datagram)
            if isPadded { datagram.pad(to: BrokerWire.largestNoticeSize) }
        }
        return datagram
    }
}

/// A wish to be introduced to whoever registers with the same token.
public struct BrokerRegistration: Hashable, Sendable {
    /// What the two have agreed on, ``BrokerWire/tokenSize`` bytes; `nil` asks for a new one.
    public var token: [UInt8]?
    /// Says who registers, and seals what the broker tells: a public key of X25519.
    public var publicKey: [UInt8]
    /// Where the client says that it is, of IPv4; `nil` over IPv6, which the wire has no room for.
    public var claimedAddress: IPAddress?
    /// The port that the client says it is at.
    public var claimedPort: UInt16
    /// One try of a client of ours to meet somebody, so that it is told again what was lost on the way; `nil` from 0.7.
    public var attempt: [UInt8]?

    /// How many bytes name a try.
    public static let attemptSize = 8
    /// Says that a try follows.
    private static let attemptMark: UInt8 = 1

    /// A wish. A token and an attempt of another size are cut, or filled up with zeros, as 0.7 does.
    public init(
        token: [UInt8]?, publicKey: [UInt8], claimedAddress: IPAddress?, claimedPort: UInt16, attempt: [UInt8]? = nil
    ) {
        self.token = token.map { $0.resized(to: BrokerWire.tokenSize) }
        self.publicKey = publicKey.resized(to: BrokerWire.keySize)
        self.claimedAddress = claimedAddress.flatMap { $0.isIPv6 ? nil : $0 }
        self.claimedPort = claimedPort
        self.attempt = attempt.map { $0.resized(to: Self.attemptSize) }
    }

    init?(body: ArraySlice<UInt8>) {
        var rest = body
        guard let token = rest.take(BrokerWire.tokenSize), let key = rest.take(BrokerWire.keySize),
            let address = rest.take(IPAddress.ipv4Size), let port = rest.take(BrokerWire.portSize)
        else { return nil }
        self.token = token.isZero ? nil : Array(token)
        publicKey = Array(key)
        claimedAddress = address.isZero ? nil : IPAddress(bytes: address)
        claimedPort = port.reduce(0) { $0 << 8 | UInt16($1) }
        attempt = nil
        if let mark = rest.take(1), mark.first == Self.attemptMark, let attempt = rest.take(Self.attemptSize) {
            self.attempt = Array(attempt)
        }
    }

    func encode(into datagram: inout [UInt8]) {
        datagram += token ?? [UInt8](repeating: 0, count: BrokerWire.tokenSize)
        datagram += publicKey
        datagram += claimedAddress?.bytes ?? [0, 0, 0, 0]
        datagram += [UInt8(truncatingIfNeeded: claimedPort >> 8), UInt8(truncatingIfNeeded: claimedPort)]
        if let attempt { datagram += [Self.attemptMark] + attempt }
    }
}

/// The broker's answer to an echo: text, and a zero.
public enum BrokerEcho {
    /// The answer to a source.
    public static func answer(to source: IPEndpoint) -> [UInt8] {
        Array("\(source)".utf8) + [0]
    }

    /// Where the answer says that we are; `nil` for what is no answer. What follows the zero does not count.
    public static func source(in answer: [UInt8]) -> IPEndpoint? {
        let text = answer.prefix { $0 != 0 }
        guard text.count < BrokerWire.largestEchoSize, text.allSatisfy({ $0 < 0x80 }) else { return nil }
        return IPEndpoint(parsing: String(decoding: text, as: UTF8.self))
    }
}

extension Collection where Element == UInt8 {
    /// Whether there is nothing but zeros.
    var isZero: Bool { allSatisfy { $0 == 0 } }

    /// As many bytes: cut, or filled up with zeros.
    func resized(to size: Int) -> [UInt8] {
        Array(prefix(size)) + [UInt8](repeating: 0, count: Swift.max(0, size - count))
    }
}

extension [UInt8] {
    mutating func pad(to size: Int) {
        if count < size { append(contentsOf: repeatElement(0, count: size - count)) }
    }
}

extension ArraySlice<UInt8> {
    /// Takes the next bytes, if there are so many.
    mutating func take(_ size: Int) -> ArraySlice<UInt8>? {
        guard count >= size else { return nil }
        defer { self = dropFirst(size) }
        return prefix(size)
    }
}
