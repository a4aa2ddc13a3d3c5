internal import NIOCore

/// Which of the addresses that a host has may be dialed.
public enum DialTargets: Sendable, Hashable {
    /// Any.
    case all
    /// Those to which a peer may send us who has told the host: an address that stands there itself, unless it means our own
    /// machine, link, or a group; of a name those that everybody may reach.
    case told

    func allows(_ address: SocketAddress, of host: String) -> Bool {
        switch self {
        case .all: true
        case .told:
            switch AddressScope(address) {
            case .global: true
            // Whether a private address may be told at all was decided when it was.
            case .privateUse, .sharedUse: (try? SocketAddress(ipAddress: host, port: 0)) != nil
            case .unspecified, .loopback, .linkLocal, .multicast, .reserved, nil: false
            }
        }
    }

    /// A resolver that leaves out what may not be dialed.
    func filtering(_ resolver: @escaping NameResolution.Resolver) -> NameResolution.Resolver {
        if self == .all { return resolver }
        return { host, port, family, eventLoop in
            resolver(host, port, family, eventLoop).map { addresses in addresses.filter { allows($0, of: host) } }
        }
    }
}
