internal import NIOCore

extension SocketAddress {
    /// Where the parts of an address are: the same on every system (RFC 3493, section 3.3), and nothing is before the port
    /// but the family. By place, since Swift does not see the fields of the structures that NIO holds.
    private enum Place {
        static let port = 2
        static let ipv6Zone = 24
    }

    /// The family of an IP address.
    var family: AddressFamily? {
        switch self {
        case .v6: .ipv6
        case .v4: .ipv4
        case .unixDomainSocket: nil
        }
    }

    /// Whether it stands for all addresses of its family.
    var isAny: Bool { [ListeningAddresses.anyIPv6, ListeningAddresses.anyIPv4].contains(ipAddress) }

    /// The same address with another port, and the interface that it is meant on, where it needs one (RFC 4007).
    func with(port: UInt16, interface: Int? = nil) -> SocketAddress {
        switch self {
        case .v4(let address):
            var address = address.address
            withUnsafeMutableBytes(of: &address) {
                $0.storeBytes(of: port.bigEndian, toByteOffset: Place.port, as: UInt16.self)
            }
            return SocketAddress(address)
        case .v6(let address):
            var address = address.address
            withUnsafeMutableBytes(of: &address) {
                $0.storeBytes(of: port.bigEndian, toByteOffset: Place.port, as: UInt16.self)
                guard isLinkLocal, let interface else { return }
                $0.storeBytes(of: UInt32(clamping: interface), toByteOffset: Place.ipv6Zone, as: UInt32.self)
            }
            return SocketAddress(address)
        case .unixDomainSocket:
            return self
        }
    }
}
