internal import NIOCore
internal import NIOPosix

/// A listening TCP socket.
final class TCPListener: ConnectionListener {
    let localAddress: Address
    private let channel: any Channel
    private let queue: AcceptQueue

    /// All interfaces, IPv6 and IPv4.
    static let anyIPv6Host = "::"
    private static let ipv6Only = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)

    private init(address: Address, channel: any Channel, queue: AcceptQueue) {
        localAddress = address
        self.channel = channel
        self.queue = queue
    }

    deinit {
        channel.close(promise: nil)
        queue.close()
    }

    func accept() async throws(TransportError) -> (any Connection)? {
        try await queue.accept()
    }

    func close() async {
        queue.close()
        let closed = OneShot<Void>()
        channel.close().whenComplete { _ in closed.resolve(.success(())) }
        _ = await closed.waitRegardless()
    }

    /// Binds and listens.
    ///
    /// - Parameter host: The name or IP address in place of the address's own.
    static func bind(
        _ address: Address,
        host: String,
        configuration: TransportConfiguration
    ) async throws(TransportError) -> TCPListener {
        let queue = AcceptQueue(limit: configuration.pendingConnectionLimit)
        let result = OneShot<TCPListener>()
        SocketAddress.resolve(host: host, port: Int(address.port), configuration: configuration)
            .flatMap { bootstrap(for: queue, host: host, configuration: configuration).bind(to: $0) }
            .map { channel in
                let port = channel.localAddress?.port.flatMap(UInt16.init(exactly:)) ?? address.port
                return TCPListener(
                    address: Address(scheme: .tcp, host: address.host, port: port),
                    channel: channel,
                    queue: queue
                )
            }
            .whenComplete { result.resolve($0.mapError { TransportError(listeningOn: address, $0) }) }
        return try await result.wait()
    }

    private static func bootstrap(
        for queue: AcceptQueue,
        host: String,
        configuration: TransportConfiguration
    ) -> ServerBootstrap {
        ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: configuration.listenBacklog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // One at a time, since each takes a place in the queue.
            .serverChannelOption(.maxMessagesPerRead, value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // All interfaces means IPv4 too, whatever the system's default is.
                    if host == Self.anyIPv6Host {
                        try channel.syncOptions?.setOption(Self.ipv6Only, value: 0)
                    }
                    try channel.pipeline.syncOperations.addHandler(AcceptThrottle(queue: queue))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try prepareAccepted(channel, queue: queue, configuration: configuration)
                }
            }
    }

    /// Sets up a connection that the system has accepted, for which a place in the queue was reserved.
    private static func prepareAccepted(
        _ channel: any Channel,
        queue: AcceptQueue,
        configuration: TransportConfiguration
    ) throws {
        let handler = FrameChannelHandler(eventLoop: channel.eventLoop, configuration: configuration) {
            handler, channel in
            if let channel {
                queue.fill(handler.connection(on: channel))
            } else {
                queue.cancelReservation()
            }
        }
        do {
            try channel.prepare(configuration: configuration, handler: handler)
        } catch {
            handler.abandon()
            throw error
        }
    }
}
