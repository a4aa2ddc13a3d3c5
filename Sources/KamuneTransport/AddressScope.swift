internal import KamuneSystem
internal import NIOCore

/// From where an IP address can be reached.
public enum AddressScope: Sendable, Hashable, CaseIterable {
    /// From everywhere, as far as the address says.
    case global
    /// Within a site: 10/8, 172.16/12, 192.168/16 (RFC 1918), fc00::/7 (RFC 4193).
    case privateUse
    /// Within a provider's network, or an overlay that uses such addresses: 100.64/10 (RFC 6598).
    case sharedUse
    /// On one link: 169.254/16 (RFC 3927), fe80::/10 (RFC 4291).
    case linkLocal
    /// This machine: 127/8, ::1.
    case loopback
    /// A group: 224/4, ff00::/8.
    case multicast
    /// No address: 0/8, ::.
    case unspecified
    /// Set aside for other uses, such as documentation, or translation, behind which any other may be.
    case reserved

    /// The scope of an IP address in its usual form, perhaps with a zone; `nil` for what is none.
    public init?(of address: String) {
        let text = String(address.prefix { $0 != "%" })
        guard !text.utf8.contains(0) else { return nil }
        if let bytes = Self.bytes(of: text, family: AF_INET, count: 4) {
            self.init(ipv4: bytes)
        } else if let bytes = Self.bytes(of: text, family: AF_INET6, count: 16) {
            self.init(ipv6: bytes)
        } else {
            return nil
        }
    }

    init?(_ address: SocketAddress) {
        guard let text = address.ipAddress else { return nil }
        self.init(of: text)
    }

    private static func bytes(of address: String, family: Int32, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return inet_pton(family, address, &bytes) == 1 ? bytes : nil
    }

    /// - Parameter bytes: Four (RFC 6890).
    private init(ipv4 bytes: [UInt8]) {
        self =
            switch (bytes[0], bytes[1], bytes[2]) {
            case (0, _, _): .unspecified
            case (10, _, _), (172, 16...31, _), (192, 168, _): .privateUse
            case (100, 64...127, _): .sharedUse
            case (127, _, _): .loopback
            case (169, 254, _): .linkLocal
            case (224...239, _, _): .multicast
            case (192, 0, 0), (192, 0, 2), (198, 18...19, _), (198, 51, 100), (203, 0, 113), (240..., _, _): .reserved
            default: .global
            }
    }

    /// - Parameter bytes: Sixteen.
    private init(ipv6 bytes: [UInt8]) {
        let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        if bytes.starts(with: mappedPrefix) {
            // IPv4 on a socket of IPv6 (RFC 4291, 2.5.5.2).
            self.init(ipv4: Array(bytes.dropFirst(mappedPrefix.count)))
        } else if bytes.allSatisfy({ $0 == 0 }) {
            self = .unspecified
        } else if bytes.dropLast().allSatisfy({ $0 == 0 }), bytes.last == 1 {
            self = .loopback
        } else if bytes[0] == 0xFF {
            self = .multicast
        } else if bytes[0] == 0xFE, bytes[1] & 0xC0 == 0x80 {
            self = .linkLocal
        } else if bytes[0] & 0xFE == 0xFC {
            self = .privateUse
        } else if bytes.starts(with: [0x20, 0x01, 0x0D, 0xB8]) || bytes.starts(with: [0x20, 0x02]) {
            // Documentation (RFC 3849), and 6to4, whose IPv4 address may be any (RFC 3056).
            self = .reserved
        } else {
            // Global unicast is 2000::/3; what lies outside is not given out (RFC 4291, 2.4), but for NAT64 (RFC 6052),
            // behind which any IPv4 address may be.
            self = bytes[0] & 0xE0 == 0x20 ? .global : .reserved
        }
    }
}
