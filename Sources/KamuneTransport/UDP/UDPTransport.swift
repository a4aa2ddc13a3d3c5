internal import NIOCore
internal import NIOPosix

/// Connections over UDP, made reliable by KCP as kamune 0.7 uses it.
public enum UDPTransport {
    /// Opens a conversation with a listener. Nothing is sent until the first frame is.
    ///
    /// - Parameters:
    ///   - address: Whom to talk to. Of a host name's addresses the one that answers first is used; they are tried in turn,
    ///     each a moment after the one before, as over TCP.
    ///   - configuration: The limits of the connection; ``TransportConfiguration/dialTimeout`` covers the resolution, and
    ///     then the time from the first frame to the first answer.
    ///   - options: How it behaves on the network, where the address does not say.
    /// - Throws: ``TransportError``: the address or the name is at fault, or the task was cancelled. That nobody answers
    ///   shows later, when the first frame was sent.
    public static func connect(
        to address: Address,
        configuration: TransportConfiguration = TransportConfiguration(),
        options: UDPOptions = UDPOptions()
    ) async throws(TransportError) -> any Connection {
        try await connect(
            to: address, configuration: configuration, options: options,
            resolvingBy: configuration.targets.filtering(NameResolution.addresses))
    }

    /// The same with another resolver than the system's.
    static func connect(
        to address: Address,
        configuration: TransportConfiguration,
        options: UDPOptions,
        resolvingBy resolver: @escaping NameResolution.Resolver
    ) async throws(TransportError) -> any Connection {
        guard address.scheme == .udp else { throw .unsupportedScheme(address.scheme) }
        try address.checkDialable()
        let options = options.adjusted(to: address)
        let result = OneShot<EventLoopConnection>()
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        eventLoop.execute {
            UDPDialing(
                address, configuration: configuration, options: options, eventLoop: eventLoop, result: result
            ).begin(by: resolver)
        }
        return try await result.wait()
    }

    /// Listens for conversations. Each is answered from the address that it was opened at.
    ///
    /// - Parameters:
    ///   - address: Where to listen. Without a host, or with `::`, that is all interfaces, IPv6 and IPv4, those too that come
    ///     later; with `0.0.0.0` the same of IPv4. Of a name's addresses it is all that are this machine's. Port 0 lets the
    ///     system choose.
    ///   - configuration: The limits of the listener and of its connections.
    ///   - options: How they behave on the network, where the address does not say.
    /// - Throws: ``TransportError``: the address is in use, not ours, not permitted or not an address.
    public static func listen(
        on address: Address,
        configuration: TransportConfiguration = TransportConfiguration(),
        options: UDPOptions = UDPOptions()
    ) async throws(TransportError) -> any ConnectionListener {
        guard address.scheme == .udp else { throw .unsupportedScheme(address.scheme) }
        let options = options.adjusted(to: address)
        let addresses: ListeningAddresses
        if address.isWildcard || address.host == ListeningAddresses.anyIPv6 {
            let targets = [ListeningAddresses.anyIPv6, ListeningAddresses.anyIPv4].compactMap {
                try? SocketAddress(ipAddress: $0, port: Int(address.port))
            }
            addresses = ListeningAddresses(of: address, targets: targets)
        } else {
            addresses = try await ListeningAddresses(of: address, host: address.host, configuration: configuration)
        }
        return try await UDPListener.bind(addresses, configuration: configuration, options: options)
    }
}

extension Address {
    /// The address of a UDP socket's end.
    init(udp socketAddress: SocketAddress) {
        let address = Address(socketAddress)
        self.init(scheme: .udp, host: address.host, port: address.port)
    }
}
