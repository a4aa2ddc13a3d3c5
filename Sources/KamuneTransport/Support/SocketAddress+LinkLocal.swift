internal import NIOCore

extension SocketAddress {
    /// Where the host stands in an IPv6 address as the system has it (RFC 3493, section 3.3).
    private static let ipv6HostPlace = 8

    /// Whether it may be another host on each link: fe80::/10 (RFC 4291, 2.5.6).
    var isLinkLocal: Bool {
        guard case .v6(let address) = self else { return false }
        return withUnsafeBytes(of: address.address) { bytes in
            bytes[Self.ipv6HostPlace] == 0xFE && bytes[Self.ipv6HostPlace + 1] & 0xC0 == 0x80
        }
    }
}
