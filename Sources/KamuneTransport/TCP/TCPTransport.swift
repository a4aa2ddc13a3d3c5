internal import NIOCore
internal import NIOPosix

/// Connections over TCP.
public enum TCPTransport {
    /// Connects to a listener.
    ///
    /// A host name is resolved by the system, and its IPv6 and IPv4 addresses are tried in turn, each a moment after the
    /// one before (RFC 8305).
    ///
    /// - Parameters:
    ///   - address: Whom to connect to.
    ///   - configuration: The limits of the connection; ``TransportConfiguration/dialTimeout`` covers all of this.
    /// - Throws: ``TransportError``: the address, the name, the network or the peer's machine is at fault, or the task was
    ///   cancelled.
    public static func connect(
        to address: Address,
        configuration: TransportConfiguration = TransportConfiguration()
    ) async throws(TransportError) -> any Connection {
        guard address.scheme == .tcp else { throw .unsupportedScheme(address.scheme) }
        try address.checkDialable()
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(TimeAmount(clamping: configuration.dialTimeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.prepare(configuration: configuration, handler: nil)
                }
            }
        let future =
            if let socketAddress = try? SocketAddress(ipAddress: address.host, port: Int(address.port)) {
                bootstrap.connect(to: socketAddress)
            } else {
                bootstrap.connect(host: address.host, port: Int(address.port))
            }
        let result = OneShot<EventLoopConnection>()
        future.flatMapThrowing { channel in
            let handler = try channel.pipeline.syncOperations.handler(type: FrameChannelHandler.self)
            return handler.connection(on: channel)
        }.whenComplete { connection in
            // If the task was cancelled meanwhile, the connection is dropped here, which aborts it.
            result.resolve(connection.mapError { TransportError(dialing: address, $0) })
        }
        return try await result.wait()
    }

    /// Listens for connections.
    ///
    /// - Parameters:
    ///   - address: Where to listen. Without a host that is all interfaces, IPv6 and IPv4; port 0 lets the system choose.
    ///   - configuration: The limits of the listener and of its connections.
    /// - Throws: ``TransportError``: the address is in use, not ours, not permitted or not an address.
    public static func listen(
        on address: Address,
        configuration: TransportConfiguration = TransportConfiguration()
    ) async throws(TransportError) -> any ConnectionListener {
        guard address.scheme == .tcp else { throw .unsupportedScheme(address.scheme) }
        guard address.isWildcard else {
            return try await TCPListener.bind(address, host: address.host, configuration: configuration)
        }
        do {
            return try await TCPListener.bind(address, host: TCPListener.anyIPv6Host, configuration: configuration)
        } catch .unreachable, .addressNotAvailable {
            // A machine without IPv6.
            return try await TCPListener.bind(address, host: "0.0.0.0", configuration: configuration)
        }
    }
}

extension Channel {
    /// Sets up a channel, on its event loop and before it is active, to carry frames.
    func prepare(configuration: TransportConfiguration, handler: FrameChannelHandler?) throws {
        if let options = syncOptions {
            try options.setOption(.allowRemoteHalfClosure, value: true)
            try options.setOption(.maxMessagesPerRead, value: 1)
            try options.setOption(.recvAllocator, value: PooledReceiveAllocator())
            // Refused by the system only for a connection that is gone already, which shows soon enough.
            try? options.setOption(.tcpOption(.tcp_nodelay), value: configuration.tcpNoDelay ? 1 : 0)
            try? options.setOption(.socketOption(.so_keepalive), value: configuration.tcpKeepAlive ? 1 : 0)
        }
        try pipeline.syncOperations.addHandler(
            handler ?? FrameChannelHandler(eventLoop: eventLoop, configuration: configuration)
        )
    }
}
