internal import NIOCore
internal import NIOPosix

/// Connections over TCP.
public enum TCPTransport {
    /// Connects to a listener.
    ///
    /// A host name is resolved by the system, and its IPv6 and IPv4 addresses are tried in turn, each a moment after the
    /// one before (RFC 8305), so that neither a dead address nor a resolver that does not answer about one of the families
    /// holds up the others.
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
        try await connect(
            to: address, configuration: configuration,
            resolvingBy: configuration.targets.filtering(NameResolution.addresses))
    }

    /// The same with another resolver than the system's.
    static func connect(
        to address: Address,
        configuration: TransportConfiguration,
        resolvingBy resolver: @escaping NameResolution.Resolver
    ) async throws(TransportError) -> any Connection {
        guard address.scheme == .tcp else { throw .unsupportedScheme(address.scheme) }
        try address.checkDialable()
        let result = OneShot<EventLoopConnection>()
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        eventLoop.execute {
            StreamDialing(address, configuration: configuration, eventLoop: eventLoop) { channel in
                try channel.prepare(configuration: configuration, handler: nil)
            } completion: { outcome in
                // If the task was cancelled meanwhile, the connection is dropped here, which aborts it.
                result.resolve(outcome.flatMap(connection))
            }.begin(by: resolver)
        }
        return try await result.wait()
    }

    private static func connection(on channel: any Channel) -> Result<EventLoopConnection, TransportError> {
        do {
            let handler = try channel.pipeline.syncOperations.handler(type: FrameChannelHandler.self)
            return .success(handler.connection(on: channel))
        } catch {
            // Gone again before it could be taken.
            return .failure(TransportError(ofConnection: error))
        }
    }

    /// Listens for connections.
    ///
    /// - Parameters:
    ///   - address: Where to listen. Without a host that is all interfaces, IPv6 and IPv4; of a name's addresses all that
    ///     are this machine's. Port 0 lets the system choose.
    ///   - configuration: The limits of the listener and of its connections.
    /// - Throws: ``TransportError``: the address is in use, not ours, not permitted or not an address.
    public static func listen(
        on address: Address,
        configuration: TransportConfiguration = TransportConfiguration()
    ) async throws(TransportError) -> any ConnectionListener {
        guard address.scheme == .tcp else { throw .unsupportedScheme(address.scheme) }
        let hosts = address.isWildcard ? [ListeningAddresses.anyIPv6, ListeningAddresses.anyIPv4] : [address.host]
        var failure: TransportError?
        for host in hosts {
            do throws(TransportError) {
                let listening = try await ListeningAddresses(of: address, host: host, configuration: configuration)
                return try await TCPListener.bind(listening, configuration: configuration)
            } catch {
                // A machine without IPv6.
                guard error.meansNotHere, host == ListeningAddresses.anyIPv6 else { throw error }
                failure = error
            }
        }
        throw failure ?? .addressNotAvailable(address: "\(address)")
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
