internal import NIOCore
internal import NIOPosix

/// Connections over UDP, made reliable by KCP as kamune 0.7 uses it.
public enum UDPTransport {
    /// How many bytes the system may hold for us, if it lets us.
    private static let systemBuffer = 4 << 20

    /// Opens a conversation with a listener. Nothing is sent until the first frame is.
    ///
    /// - Parameters:
    ///   - address: Whom to talk to. Of a host name's addresses the first that the system gives is used.
    ///   - configuration: The limits of the connection; ``TransportConfiguration/dialTimeout`` covers the resolution.
    ///   - options: How it behaves on the network, where the address does not say.
    /// - Throws: ``TransportError``: the address, the name or the network is at fault, or the task was cancelled. That
    ///   nobody listens shows later, when the first frame gets no answer.
    public static func connect(
        to address: Address,
        configuration: TransportConfiguration = TransportConfiguration(),
        options: UDPOptions = UDPOptions()
    ) async throws(TransportError) -> any Connection {
        guard address.scheme == .udp else { throw .unsupportedScheme(address.scheme) }
        try address.checkDialable()
        let options = options.adjusted(to: address)
        let result = OneShot<EventLoopConnection>()
        SocketAddress.resolve(host: address.host, port: Int(address.port), configuration: configuration)
            .flatMap { remote in
                bootstrap(configuration: configuration, options: options, queue: nil, isDualStack: false)
                    .connect(to: remote)
                    .flatMapThrowing { channel in
                        let handler = try channel.pipeline.syncOperations.handler(type: UDPChannelHandler.self)
                        return handler.open(to: remote).connection(localAddress: channel.localAddress)
                    }
            }
            .whenComplete { connection in
                result.resolve(connection.mapError { TransportError(dialing: address, $0) })
            }
        return try await result.wait()
    }

    /// Listens for conversations, all on one socket.
    ///
    /// - Parameters:
    ///   - address: Where to listen. Without a host that is all interfaces, IPv6 and IPv4; port 0 lets the system choose.
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
        guard address.isWildcard else {
            return try await bind(address, host: address.host, configuration: configuration, options: options)
        }
        do {
            return try await bind(
                address, host: TCPListener.anyIPv6Host, configuration: configuration, options: options)
        } catch .unreachable, .addressNotAvailable {
            // A machine without IPv6.
            return try await bind(address, host: "0.0.0.0", configuration: configuration, options: options)
        }
    }

    private static func bind(
        _ address: Address,
        host: String,
        configuration: TransportConfiguration,
        options: UDPOptions
    ) async throws(TransportError) -> UDPListener {
        let queue = AcceptQueue(limit: configuration.pendingConnectionLimit)
        let result = OneShot<UDPListener>()
        let isDualStack = host == TCPListener.anyIPv6Host
        SocketAddress.resolve(host: host, port: Int(address.port), configuration: configuration)
            .flatMap { local in
                bootstrap(configuration: configuration, options: options, queue: queue, isDualStack: isDualStack)
                    .bind(to: local)
                    // On the channel's event loop still, which is not the resolution's.
                    .flatMapThrowing { channel in
                        let handler = try channel.pipeline.syncOperations.handler(type: UDPChannelHandler.self)
                        let port = channel.localAddress?.port.flatMap(UInt16.init(exactly:)) ?? address.port
                        return UDPListener(
                            address: Address(scheme: .udp, host: address.host, port: port),
                            handler: handler,
                            queue: queue
                        )
                    }
            }
            .whenComplete { result.resolve($0.mapError { TransportError(listeningOn: address, $0) }) }
        return try await result.wait()
    }

    private static func bootstrap(
        configuration: TransportConfiguration,
        options: UDPOptions,
        queue: AcceptQueue?,
        isDualStack: Bool
    ) -> DatagramBootstrap {
        DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let options = channel.syncOptions {
                        // What the system grants may be less.
                        try? options.setOption(.socketOption(.so_rcvbuf), value: SocketOptionValue(systemBuffer))
                        try? options.setOption(.socketOption(.so_sndbuf), value: SocketOptionValue(systemBuffer))
                        try (queue == nil ? UDPReadBuffers.few : .many).apply(to: options)
                        if isDualStack {
                            let ipv6Only = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
                            try options.setOption(ipv6Only, value: 0)
                        }
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        UDPChannelHandler(
                            eventLoop: channel.eventLoop,
                            configuration: configuration,
                            options: options,
                            queue: queue
                        )
                    )
                }
            }
    }
}

extension Address {
    /// The address of a UDP socket's end.
    init(udp socketAddress: SocketAddress) {
        let address = Address(socketAddress)
        self.init(scheme: .udp, host: address.host, port: address.port)
    }
}
