/// Connections within one process: for demos, and for programs that talk to a part of themselves.
///
/// They keep every promise of ``Connection``, bounds and timeouts included.
public enum MemoryTransport {
    /// Makes two ends of one connection.
    ///
    /// - Parameter configuration: The limits of both ends.
    /// - Returns: The two ends. What is sent at one is received at the other.
    public static func pair(
        configuration: TransportConfiguration = TransportConfiguration()
    ) -> (any Connection, any Connection) {
        pair(configuration: configuration, name: "memory")
    }

    static func pair(
        configuration: TransportConfiguration,
        name: String
    ) -> (MemoryConnection, MemoryConnection) {
        let limit = min(configuration.inboundBufferLimit, configuration.outboundBufferLimit)
        let dialing = configuration.budget(isAccepted: false)
        let accepting = configuration.budget(isAccepted: true)
        let forth = FramePipe(limit: limit, budget: accepting)
        let back = FramePipe(limit: limit, budget: dialing)
        return (
            MemoryConnection(
                info: ConnectionInfo(transport: "memory", localAddress: "\(name) (dialed)", remoteAddress: name),
                budget: dialing,
                inbound: back,
                outbound: forth,
                configuration: configuration
            ),
            MemoryConnection(
                info: ConnectionInfo(transport: "memory", localAddress: name, remoteAddress: "\(name) (dialed)"),
                budget: accepting,
                inbound: forth,
                outbound: back,
                configuration: configuration
            )
        )
    }
}

/// A listener within one process.
public final class MemoryListener: ConnectionListener {
    /// The name given to the listener, as the host of an address with port 0.
    public let localAddress: Address
    private let configuration: TransportConfiguration
    private let queue: AcceptQueue

    /// Makes a listener, which is reached by its own ``connect()`` only.
    ///
    /// - Parameters:
    ///   - name: What connections show as the address.
    ///   - configuration: The limits of the listener and of the connections.
    public init(name: String = "memory", configuration: TransportConfiguration = TransportConfiguration()) {
        localAddress = Address(host: name, port: 0)
        self.configuration = configuration
        queue = AcceptQueue(limit: configuration.pendingConnectionLimit)
    }

    /// Connects to this listener. Need not wait: until the connection is accepted, frames gather in its buffer.
    ///
    /// - Throws: ``TransportError/refused(address:)`` after ``close()``, or when too many connections wait already.
    public func connect() throws(TransportError) -> any Connection {
        guard queue.reserveIfOpen() else { throw .refused(address: localAddress.host) }
        let (dialed, accepted) = MemoryTransport.pair(configuration: configuration, name: localAddress.host)
        queue.fill(accepted)
        return dialed
    }

    /// See ``ConnectionListener/accept()``.
    public func accept() async throws(TransportError) -> (any Connection)? {
        try await queue.accept()
    }

    /// See ``ConnectionListener/close()``.
    public func close() async {
        queue.close()
    }

    deinit {
        queue.close()
    }
}
