public import KamuneBroker
internal import KamuneCrypto
internal import NIOCore
internal import NIOPosix

/// The UDP broker: tells clients where they are seen, and introduces two who have the same token. What it does is
/// ``BrokerRegistry``'s; this has the sockets, and the clock.
public final class BrokerServer: Sendable {
    /// What an operator sets.
    public struct Settings: Sendable, Hashable {
        /// How long a registration lasts (`registration_ttl`).
        public var registrationLifetime: Duration
        /// How many bytes all registrations take at most.
        public var memoryLimit: Int
        /// How often one source is answered.
        public var limits: SourceLimiter.Limits
        /// Another port of the same address at which echoes are answered too: a client that asks at both learns whether its
        /// NAT takes another port for everybody. `nil` for none; 0 lets the system choose.
        public var secondPort: UInt16?

        /// The defaults of 0.7, as far as it has them.
        public init(
            registrationLifetime: Duration = .seconds(60), memoryLimit: Int = 32 << 20,
            limits: SourceLimiter.Limits = SourceLimiter.Limits(), secondPort: UInt16? = nil
        ) {
            self.registrationLifetime = registrationLifetime
            self.memoryLimit = memoryLimit
            self.limits = limits
            self.secondPort = secondPort
        }
    }

    /// What has happened so far, for metrics.
    public struct Counters: Sendable, Hashable {
        /// Of the registry.
        public var echoes = 0
        /// Registrations that were kept, refreshed or matched.
        public var registrations = 0
        /// Introductions.
        public var matches = 0
        /// Datagrams that were no request, or a wrong one.
        public var ignored = 0
        /// Registrations that gave way to others.
        public var evictions = 0
        /// Requests that were refused because their source, or its network, had asked too often.
        public var limited = 0
        /// Registrations that there are now.
        public var waiting = 0
    }

    /// Where it is reached: with a second port, that comes after the first of each address.
    public let endpoints: [IPEndpoint]
    private let core: NIOLoopBound<BrokerCore>
    private let eventLoop: any EventLoop

    private init(endpoints: [IPEndpoint], core: NIOLoopBound<BrokerCore>, eventLoop: any EventLoop) {
        self.endpoints = endpoints
        self.core = core
        self.eventLoop = eventLoop
    }

    deinit {
        eventLoop.execute { [core] in core.value.stop() }
    }

    /// Begins to answer.
    ///
    /// - Parameters:
    ///   - host: An IP address of this machine's. `0.0.0.0` is all of IPv4; `::`, or nothing, all of IPv6 and of IPv4. A
    ///     machine with several addresses answers from the one that its routes choose, so name one there.
    ///   - port: The port (0.7: 4788); 0 lets the system choose.
    /// - Throws: ``BrokerServerError``.
    public static func start(
        host: String, port: UInt16, settings: Settings = Settings()
    ) async throws(BrokerServerError) -> BrokerServer {
        let addresses = try listeningAddresses(host: host)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let core = try? await eventLoop.submit {
            NIOLoopBound(BrokerCore(settings, eventLoop: eventLoop), eventLoop: eventLoop)
        }.get()
        guard let core else { throw .cannotListen(address: host, reason: "the event loop has ended") }
        var endpoints: [IPEndpoint] = []
        var chosenPort = port
        var chosenSecond = settings.secondPort
        for (index, address) in addresses.enumerated() {
            // What the system has chosen for the first address holds for the others too.
            for (isSecond, wanted) in [(false, Optional(chosenPort)), (true, chosenSecond)] {
                guard let wanted else { continue }
                do {
                    let bound = try await bind(address, wanted, core: core, on: eventLoop)
                    endpoints.append(bound)
                    if isSecond { chosenSecond = bound.port } else { chosenPort = bound.port }
                } catch {
                    // A machine without IPv6 still has IPv4.
                    if index == 0, addresses.count > 1, address.isIPv6 { continue }
                    await stop(core, on: eventLoop)
                    throw .cannotListen(address: "\(IPEndpoint(address, wanted))", reason: "\(error)")
                }
            }
        }
        return BrokerServer(endpoints: endpoints, core: core, eventLoop: eventLoop)
    }

    private static func listeningAddresses(host: String) throws(BrokerServerError) -> [IPAddress] {
        let any = IPAddress(0, 0, 0, 0)
        guard !host.isEmpty, host != "::" else {
            return [IPAddress(bytes: [UInt8](repeating: 0, count: IPAddress.ipv6Size)), any].compactMap { $0 }
        }
        guard let address = IPAddress(parsing: host) else { throw .notAnAddress(host) }
        return [address]
    }

    private static func bind(
        _ address: IPAddress, _ port: UInt16, core: NIOLoopBound<BrokerCore>, on eventLoop: any EventLoop
    ) async throws -> IPEndpoint {
        let channel = try await DatagramBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if address.isIPv6 {
                        // IPv4 has a socket of its own, at the same port.
                        try channel.syncOptions?.setOption(BrokerCore.ipv6Only, value: 1)
                    }
                    try channel.syncOptions?.setOption(
                        .recvAllocator,
                        value: FixedSizeRecvByteBufferAllocator(
                            capacity: BrokerCore.messagesPerRead * BrokerWire.largestDatagramSize))
                    try channel.syncOptions?.setOption(
                        .datagramVectorReadMessageCount, value: BrokerCore.messagesPerRead)
                    try channel.pipeline.syncOperations.addHandler(BrokerChannelHandler(core.value))
                }
            }
            .bind(to: SocketAddress(ipAddress: "\(address)", port: Int(port)))
            .get()
        return IPEndpoint(address, channel.localAddress?.port.flatMap(UInt16.init(exactly:)) ?? port)
    }

    /// What has happened so far.
    public func counters() async -> Counters {
        (try? await eventLoop.submit { [core] in core.value.counters }.get()) ?? Counters()
    }

    /// Answers nobody any more, and gives the ports back.
    public func stop() async {
        await Self.stop(core, on: eventLoop)
    }

    private static func stop(_ core: NIOLoopBound<BrokerCore>, on eventLoop: any EventLoop) async {
        try? await eventLoop.flatSubmit { core.value.stop() }.get()
    }
}

/// Why there is no broker.
public enum BrokerServerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The host is no IP address.
    case notAnAddress(String)
    /// The system does not let us.
    case cannotListen(address: String, reason: String)

    /// One sentence for a person.
    public var description: String {
        switch self {
        case .notAnAddress(let host): "The broker's host is an IP address, and \(host) is none."
        case .cannotListen(let address, let reason): "The broker cannot listen on UDP \(address): \(reason)."
        }
    }
}
