import Kamune
import KamuneStore
import KamuneSystem
import KamuneTransport

// Where the node can be reached: what it says to the person, and what contacts are told (docs/PROTOCOL.md §10.7).

extension Node {
    /// Where contacts are told that we want to be found: at the addresses that are listened on, those of every interface in the
    /// place of one that stands for all. nil when the person does not want anything to be told.
    func routes() async -> [String]? {
        let settings = (try? await NodeSettings.read(from: store)) ?? NodeSettings()
        guard settings.tellsRoutes != false else { return [] }
        return listeners.values.sorted { $0.begun < $1.begun }
            .flatMap { ReachableAddress.list($0.listener.address) }.map(\.address)
    }

    /// Where we can be reached has changed, perhaps.
    func routesHaveChanged() {
        guard let messenger = presentTalker else { return }
        Task { await messenger.routesChanged() }
    }
}

/// An address of this machine at which others can reach it.
public struct ReachableAddress: Codable, Sendable, Equatable {
    /// The address, as others dial it.
    public var address: String
    /// From where it can be reached.
    public var scope: Scope

    /// From where an address can be reached.
    public enum Scope: String, Codable, Sendable, CaseIterable {
        /// From everywhere, as far as the address says.
        case everywhere
        /// Only from the same network, or one that is joined to it.
        case privateNetwork = "private_network"
        /// Only from this machine.
        case thisMachine = "this_machine"

        init(_ scope: AddressScope?) {
            switch scope {
            case .global, .reserved, nil: self = .everywhere
            case .privateUse, .sharedUse, .linkLocal: self = .privateNetwork
            case .loopback, .multicast, .unspecified: self = .thisMachine
            }
        }
    }

    /// Where somebody who listens can be reached.
    ///
    /// - Parameter listening: Where they listen: an address of this machine, or one that stands for all.
    public static func list(_ listening: String) -> [ReachableAddress] {
        guard let address = try? Address(parsing: listening) else { return [] }
        // A relay's is the same from everywhere.
        if address.scheme.isRelay { return [ReachableAddress(address: listening, scope: .everywhere)] }
        let scope = AddressScope(of: address.host)
        guard address.host.isEmpty || scope == .unspecified else {
            return [ReachableAddress(address: text(address, address.host), scope: Scope(scope))]
        }
        // One that stands for all of IPv6 takes those of IPv4, too.
        let takesIPv6 = address.host.isEmpty || address.host.contains(":")
        return LocalAddresses.list().filter { takesIPv6 || !$0.host.contains(":") }.map {
            ReachableAddress(address: text(address, $0.host), scope: Scope($0.scope))
        }
    }

    private static func text(_ address: Address, _ host: String) -> String {
        let scheme = address.scheme == .tcp ? "" : "\(address.scheme.rawValue)://"
        return scheme + (host.contains(":") ? "[\(host)]:\(address.port)" : "\(host):\(address.port)")
    }
}
