internal import KamuneCrypto
internal import KamuneRelayProtocol
internal import NIOCore
internal import NIOPosix

/// Connections through a relay: both sides connect to it, and it passes on their frames without being able to read them.
///
/// A frame has 65,511 bytes at most (``ConnectionInfo/maximumFrameSize``). A relay ends both directions at once: when one
/// side ends its own, the other's is over too, and how it ended is not told.
public enum RelayTransport {
    /// Meets who listens at a relay under the address's token.
    ///
    /// - Parameters:
    ///   - address: The relay's, with a token.
    ///   - configuration: The limits of the connection; ``TransportConfiguration/dialTimeout`` covers the relay's consent too.
    /// - Throws: ``TransportError``: what ``TCPTransport/connect(to:configuration:)`` throws, and what a relay has against it.
    public static func connect(
        to address: Address, configuration: TransportConfiguration = TransportConfiguration()
    ) async throws(TransportError) -> any Connection {
        guard address.scheme.isRelay else { throw .unsupportedScheme(address.scheme) }
        try address.checkDialable()
        guard let token = address.relay.token else { throw .unsupportedScheme(address.scheme) }
        let configuration = configuration.throughRelay
        let tls = address.scheme.usesTLS ? try RelayTLS(to: address) : nil
        let result = OneShot<EventLoopConnection>()
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        eventLoop.execute {
            RelayDialing(address, .join(token), configuration: configuration, tls: tls, eventLoop: eventLoop) {
                outcome in
                // If the task was cancelled meanwhile, the connection is dropped here, which aborts it.
                result.resolve(
                    outcome.flatMap { registration in
                        registration.carry(configuration, address, onActive: nil)
                    })
            } later: { _ in
            }.begin()
        }
        return try await result.wait()
    }

    /// Waits at a relay for others, one after the other, under the address's token; where it has none, one is made, which
    /// ``ConnectionListener/localAddress`` then says.
    ///
    /// After each one that came, and whenever the relay's patience is over or it was away, we register there anew, under
    /// the same token.
    ///
    /// - Parameters:
    ///   - address: The relay's.
    ///   - configuration: The limits of the listener and of its connections.
    /// - Throws: ``TransportError``, as ``connect(to:configuration:)`` does, when the first registration fails.
    public static func listen(
        at address: Address, configuration: TransportConfiguration = TransportConfiguration()
    ) async throws(TransportError) -> any ConnectionListener {
        guard address.scheme.isRelay else { throw .unsupportedScheme(address.scheme) }
        var random = SystemRandomSource()
        var address = address
        let token = address.relay.token ?? .own(using: &random)
        address.relay.token = token
        try address.checkDialable()
        let tls = address.scheme.usesTLS ? try RelayTLS(to: address) : nil
        return try await RelayListener.start(
            at: address, token, configuration: configuration.throughRelay, tls: tls)
    }
}

extension RelayDialing.Registration {
    /// Has frames carried from now on.
    ///
    /// - Parameter onActive: For a connection that somebody else began.
    func carry(
        _ configuration: TransportConfiguration, _ address: Address,
        onActive: ((FrameChannelHandler, (any Channel)?) -> Void)?
    ) -> Result<EventLoopConnection, TransportError> {
        handler.release()
        let frames = FrameChannelHandler(
            eventLoop: channel.eventLoop, configuration: configuration,
            describe: { channel in
                ConnectionInfo(
                    transport: address.scheme.rawValue,
                    localAddress: channel.localAddress.map { "\(Address($0))" } ?? "unknown",
                    remoteAddress: address.withoutToken, maximumFrameSize: configuration.maximumFrameSize)
            }, onActive: onActive)
        do {
            try channel.pipeline.syncOperations.addHandler(frames)
            return .success(frames.connection(on: channel))
        } catch {
            frames.abandon()
            return .failure(TransportError(ofConnection: error))
        }
    }
}

extension TransportConfiguration {
    /// The limits of a connection through a relay.
    var throughRelay: TransportConfiguration {
        var configuration = self
        configuration.maximumFrameSize = min(maximumFrameSize, RelayLimits.maximumMessageSize)
        // What is sent is sealed on the event loop first.
        configuration.writesOnCallersThread = false
        return configuration
    }
}
