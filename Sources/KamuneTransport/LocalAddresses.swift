internal import KamuneSystem

/// An address of this machine that others can use.
public struct LocalAddress: Sendable, Hashable {
    /// The name of the interface that has it.
    public let interface: String
    /// The IP address, without brackets.
    public let host: String
    /// From where it can be reached.
    public let scope: AddressScope

    /// The address of somebody who listens there.
    public func address(_ scheme: TransportScheme, port: UInt16) -> Address {
        Address(scheme: scheme, host: host, port: port)
    }
}

/// The addresses of this machine.
public enum LocalAddresses {
    /// The addresses of this machine that others can use, those first that can be reached from everywhere: of interfaces that
    /// are on, and neither loopback nor link-local, which others could not dial without knowing their own interface's name.
    public static func list() -> [LocalAddress] {
        let addresses = systemInterfaceAddresses().filter(\.isRunning).compactMap { entry -> LocalAddress? in
            guard let scope = AddressScope(of: entry.address), Self.order.contains(scope) else { return nil }
            return LocalAddress(interface: entry.interface, host: entry.address, scope: scope)
        }
        return Self.order.flatMap { scope in addresses.filter { $0.scope == scope } }
    }

    private static let order: [AddressScope] = [.global, .reserved, .sharedUse, .privateUse]
}
