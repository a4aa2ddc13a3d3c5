internal import KamuneSystem
internal import NIOCore

/// The network that an address lies in, as far as one person may be assumed to have all of it: the first 64 bits of an IPv6
/// address (RFC 4291, 2.5.4), the first 24 of an IPv4 address.
///
/// The machine itself is no network: whoever connects from a loopback address is a program there that may speak for
/// anybody, such as a proxy or an onion service.
public struct Network: Hashable, Sendable, CustomStringConvertible {
    /// The bytes that all addresses of the network begin with: 8 of IPv6, or 3 of IPv4.
    private let prefix: [UInt8]

    /// The network of an IP address in its usual form; `nil` for a loopback address, and for what is none.
    public init?(of address: String) {
        if let bytes = Self.bytes(of: address, family: AF_INET, count: 4) {
            self.init(ipv4: bytes[...])
        } else if let bytes = Self.bytes(of: address, family: AF_INET6, count: 16) {
            let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
            if bytes.starts(with: mappedPrefix) {
                // IPv4 on a socket of IPv6 (RFC 4291, 2.5.5.2).
                self.init(ipv4: bytes[mappedPrefix.count...])
            } else if bytes == [UInt8](repeating: 0, count: 15) + [1] {
                return nil
            } else {
                self.init(prefix: bytes[..<8])
            }
        } else {
            return nil
        }
    }

    init?(_ address: SocketAddress) {
        guard let text = address.ipAddress else { return nil }
        self.init(of: text)
    }

    private init?(ipv4 address: ArraySlice<UInt8>) {
        guard address.first != 127 else { return nil }
        self.init(prefix: address.prefix(3))
    }

    private init(prefix: ArraySlice<UInt8>) {
        self.prefix = Array(prefix)
    }

    /// Its addresses, such as `192.0.2.0/24` or `2001:db8:0:1::/64`.
    public var description: String {
        if prefix.count == 3 { return prefix.map { "\($0)." }.joined() + "0/24" }
        let groups = stride(from: 0, to: prefix.count - 1, by: 2).map { index in
            String(Int(prefix[index]) << 8 | Int(prefix[index + 1]), radix: 16)
        }
        return groups.joined(separator: ":") + "::/64"
    }

    private static func bytes(of address: String, family: Int32, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return inet_pton(family, address, &bytes) == 1 ? bytes : nil
    }
}
