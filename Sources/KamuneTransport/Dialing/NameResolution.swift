internal import Dispatch
internal import KamuneSystem
internal import NIOCore

/// Asks the system for the addresses of a name: for each family by itself and on a thread of its own, so that a resolver
/// that never answers about one of them holds up only that.
enum NameResolution {
    /// What answers about a name: the addresses of a family with a port, best first; none if there are none.
    typealias Resolver =
        @Sendable (_ host: String, _ port: UInt16, _ family: AddressFamily, _ eventLoop: any EventLoop) ->
        EventLoopFuture<[SocketAddress]>

    /// How long a listener waits for the addresses of one family when it has those of the other.
    private static let patience = TimeAmount.seconds(5)

    /// The addresses of a name, as the system has them; those of an IP address without asking anybody.
    @Sendable
    static func addresses(
        of host: String, port: UInt16, family: AddressFamily, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[SocketAddress]> {
        if let address = try? SocketAddress(ipAddress: host, port: Int(port)) {
            return eventLoop.makeSucceededFuture(address.family == family ? [address] : [])
        }
        let promise = eventLoop.makePromise(of: [SocketAddress].self)
        DispatchQueue.global().async { promise.succeed(lookUp(host, port: port, family: family)) }
        return promise.futureResult
    }

    /// All addresses of a name, to listen on.
    ///
    /// A resolver that answers about one family only is waited for, but not for longer than the dial timeout or a few
    /// seconds.
    ///
    /// - Throws: ``TransportError/nameNotResolved(host:)``, ``TransportError/timedOut(_:)``, ``TransportError/cancelled``.
    static func allAddresses(
        of host: String, port: UInt16, configuration: TransportConfiguration, on eventLoop: any EventLoop,
        by resolver: @escaping Resolver = Self.addresses
    ) async throws(TransportError) -> [SocketAddress] {
        let result = OneShot<[SocketAddress]>()
        let timeout = TimeAmount(clamping: configuration.dialTimeout)
        eventLoop.execute {
            var found: [AddressFamily: [SocketAddress]] = [:]
            let isolated = eventLoop.assumeIsolated()
            func finish() {
                let all = AddressFamily.allCases.flatMap { found[$0] ?? [] }
                result.resolve(all.isEmpty ? .failure(.nameNotResolved(host: host)) : .success(all))
            }
            isolated.scheduleTask(in: timeout) {
                if found.isEmpty { result.resolve(.failure(.timedOut(.connect))) } else { finish() }
            }
            for family in AddressFamily.allCases {
                resolver(host, port, family, eventLoop).assumeIsolated().whenSuccess { addresses in
                    found[family] = addresses
                    if found.count == AddressFamily.allCases.count {
                        finish()
                    } else if !addresses.isEmpty {
                        isolated.scheduleTask(in: Self.patience) { finish() }
                    }
                }
            }
        }
        return try await result.wait()
    }

    private static func lookUp(_ host: String, port: UInt16, family: AddressFamily) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_family = family == .ipv6 ? AF_INET6 : AF_INET
        // One entry for each address.
        hints.ai_socktype = SocketType.stream
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let info = next?.pointee {
            next = info.ai_next
            guard let address = SocketAddress(info), !addresses.contains(address.with(port: port)) else { continue }
            addresses.append(address.with(port: port))
        }
        return addresses
    }
}

extension SocketAddress {
    /// The address of an answer of `getaddrinfo`; `nil` if it is no IP address.
    fileprivate init?(_ info: addrinfo) {
        guard let bytes = UnsafeRawPointer(info.ai_addr) else { return nil }
        switch info.ai_family {
        case AF_INET: self.init(bytes.loadUnaligned(as: sockaddr_in.self))
        case AF_INET6: self.init(bytes.loadUnaligned(as: sockaddr_in6.self))
        default: return nil
        }
    }
}
