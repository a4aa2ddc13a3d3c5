internal import KamuneSystem

/// An IPv4 or IPv6 address. IPv4 that is mapped into IPv6 (RFC 4291, 2.5.5.2) is IPv4 here, so that one place has one name.
public struct IPAddress: Hashable, Sendable, Comparable {
    /// The bytes in network order: 4, or 16.
    public let bytes: [UInt8]

    /// How many bytes an IPv4 address has.
    public static let ipv4Size = 4
    /// How many bytes an IPv6 address has.
    public static let ipv6Size = 16
    private static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]

    /// Takes an address in network order; `nil` unless it has 4 or 16 bytes.
    public init?(bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        switch bytes.count {
        case Self.ipv4Size:
            self.bytes = bytes
        case Self.ipv6Size:
            self.bytes = bytes.starts(with: Self.mappedPrefix) ? Array(bytes[Self.mappedPrefix.count...]) : bytes
        default:
            return nil
        }
    }

    /// An IPv4 address of its four numbers.
    public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        bytes = [a, b, c, d]
    }

    /// Reads the usual form, without brackets and without a zone; `nil` for anything else, host names among it.
    public init?(parsing text: String) {
        guard !text.utf8.contains(0) else { return nil }
        var buffer = [UInt8](repeating: 0, count: Self.ipv6Size)
        if inet_pton(AF_INET, text, &buffer) == 1 {
            self.init(bytes: buffer.prefix(Self.ipv4Size))
        } else if inet_pton(AF_INET6, text, &buffer) == 1 {
            self.init(bytes: buffer)
        } else {
            return nil
        }
    }

    /// Whether it is an IPv6 address.
    public var isIPv6: Bool { bytes.count == Self.ipv6Size }

    /// Whether it stands for no address: all of it is zero.
    public var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }

    /// Whether it is this machine itself (RFC 1122, RFC 4291).
    public var isLoopback: Bool {
        isIPv6 ? bytes == [UInt8](repeating: 0, count: 15) + [1] : bytes[0] == 127
    }

    /// Whether one machine can be there for somebody in another network: not multicast (RFC 5771, RFC 4291), not
    /// broadcast, not "this network" (RFC 1122), not this machine itself.
    public var isUnicast: Bool {
        if isLoopback { return false }
        return isIPv6 ? !isUnspecified && bytes[0] != 0xFF : bytes[0] != 0 && bytes[0] < 224
    }

    /// Whether it means something within some network only: private (RFC 1918, RFC 4193), shared with a carrier's other
    /// customers (RFC 6598), link-local (RFC 3927, RFC 4291), or this machine.
    public var isLocal: Bool {
        if isLoopback { return true }
        if isIPv6 { return bytes[0] & 0xFE == 0xFC || (bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80) }
        switch (bytes[0], bytes[1]) {
        case (10, _), (172, 16...31), (192, 168), (100, 64...127), (169, 254): return true
        default: return false
        }
    }

    /// By family, then by value.
    public static func < (a: IPAddress, b: IPAddress) -> Bool {
        (a.bytes.count, 0) != (b.bytes.count, 0)
            ? a.bytes.count < b.bytes.count : a.bytes.lexicographicallyPrecedes(b.bytes)
    }
}

extension IPAddress: CustomStringConvertible {
    /// The usual form: dotted, or by RFC 5952 without brackets.
    public var description: String {
        if !isIPv6 { return bytes.map(String.init).joined(separator: ".") }
        // The longest text of an IPv6 address with its end (RFC 3493, section 6.6).
        let limit = 46
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: limit) { text in
            text.initialize(repeating: 0)
            let family = AF_INET6
            guard let start = text.baseAddress,
                bytes.withUnsafeBytes({ inet_ntop(family, $0.baseAddress, start, socklen_t(limit)) }) != nil
            else { return bytes.map { String($0, radix: 16) }.joined(separator: ":") }
            return String(cString: start)
        }
    }
}
