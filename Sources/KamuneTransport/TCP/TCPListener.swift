internal import NIOCore
internal import NIOPosix

/// Listening TCP sockets, one for each address, that fill one queue.
final class TCPListener: ConnectionListener {
    let localAddress: Address
    private let channels: [any Channel]
    private let queue: AcceptQueue

    private static let ipv6Only = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)

    private init(address: Address, channels: [any Channel], queue: AcceptQueue) {
        localAddress = address
        self.channels = channels
        self.queue = queue
    }

    deinit {
        for channel in channels { channel.close(promise: nil) }
        queue.close()
    }

    func accept() async throws(TransportError) -> (any Connection)? {
        try await queue.accept()
    }

    func close() async {
        queue.close()
        for channel in channels { await Self.close(channel) }
    }

    private static func close(_ channel: any Channel) async {
        let closed = OneShot<Void>()
        channel.close().whenComplete { _ in closed.resolve(.success(())) }
        _ = await closed.waitRegardless()
    }

    /// Binds and listens.
    static func bind(
        _ addresses: ListeningAddresses, configuration: TransportConfiguration
    ) async throws(TransportError) -> TCPListener {
        let queue = AcceptQueue(limit: configuration.pendingConnectionLimit)
        let (channels, port) = try await addresses.bindAll { (target) async throws(TransportError) in
            let result = OneShot<any Channel>()
            bootstrap(for: queue, at: target, configuration: configuration).bind(to: target)
                .whenComplete { bound in
                    result.resolve(bound.mapError { TransportError(listeningOn: addresses.name(of: target), $0) })
                }
            let channel = try await result.wait()
            return (channel, channel.localAddress?.port.flatMap(UInt16.init(exactly:)))
        } close: {
            await close($0)
        }
        return TCPListener(address: addresses.address(port: port), channels: channels, queue: queue)
    }

    private static func bootstrap(
        for queue: AcceptQueue,
        at address: SocketAddress,
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
                    if address.ipAddress == ListeningAddresses.anyIPv6 {
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
        let handler = FrameChannelHandler(
            eventLoop: channel.eventLoop, configuration: configuration,
            onActive: { handler, channel in
                if let channel {
                    queue.fill(handler.connection(on: channel))
                } else {
                    queue.cancelReservation()
                }
            })
        do {
            try channel.prepare(configuration: configuration, handler: handler)
        } catch {
            handler.abandon()
            throw error
        }
    }
}
