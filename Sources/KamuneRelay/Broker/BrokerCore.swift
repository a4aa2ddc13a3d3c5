internal import KamuneBroker
internal import KamuneCrypto
internal import NIOCore

/// What the broker's sockets have in common, on their one event loop.
final class BrokerCore {
    /// How many datagrams one call of the system brings.
    static let messagesPerRead = 16
    /// How often those are forgotten whose time is over.
    private static let cleaningInterval = TimeAmount.seconds(5)
    static let ipv6Only = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)

    private let eventLoop: any EventLoop
    private var registry: BrokerRegistry<SystemRandomSource>
    private var limiter: SourceLimiter
    private var limited = 0
    private var sockets: [ObjectIdentifier: any Channel] = [:]
    private var cleaning: RepeatedTask?
    private var isStopped = false

    init(_ settings: BrokerServer.Settings, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        registry = BrokerRegistry(
            configuration: .init(lifetime: settings.registrationLifetime, memoryLimit: settings.memoryLimit),
            random: SystemRandomSource())
        limiter = SourceLimiter(settings.limits)
        let bound = NIOLoopBoundBox<BrokerCore?>(nil, eventLoop: eventLoop)
        bound.value = self
        cleaning = eventLoop.scheduleRepeatedTask(
            initialDelay: Self.cleaningInterval, delay: Self.cleaningInterval
        ) { _ in
            bound.value?.clean()
        }
        onStop = { bound.value = nil }
    }

    private var onStop: () -> Void = {}

    private var now: Duration { .nanoseconds(Int64(clamping: eventLoop.now.uptimeNanoseconds)) }

    private func clean() { registry.expire(now: now) }

    func add(_ channel: any Channel) {
        if isStopped { channel.close(promise: nil) } else { sockets[ObjectIdentifier(channel)] = channel }
    }

    func remove(_ channel: any Channel) { sockets[ObjectIdentifier(channel)] = nil }

    /// Deals with a datagram.
    ///
    /// - Returns: What to send.
    func receive(
        _ datagram: [UInt8], from source: IPEndpoint
    ) -> [BrokerRegistry<SystemRandomSource>.Answer] {
        // Who is no client costs no place in the limiter, and who asks too often no cryptography.
        guard BrokerRequest(parsing: datagram) != nil else { return registry.receive(datagram, from: source, now: now) }
        guard limiter.allows(source.address, now: now) else {
            limited += 1
            return []
        }
        return registry.receive(datagram, from: source, now: now)
    }

    var counters: BrokerServer.Counters {
        let counters = registry.counters
        return BrokerServer.Counters(
            echoes: counters.echoes, registrations: counters.registrations, matches: counters.matches,
            ignored: counters.ignored, evictions: counters.evictions, limited: limited,
            waiting: registry.registrationCount)
    }

    @discardableResult
    func stop() -> EventLoopFuture<Void> {
        isStopped = true
        cleaning?.cancel()
        cleaning = nil
        onStop()
        let closed = sockets.values.map { $0.close() }
        sockets = [:]
        return EventLoopFuture.andAllComplete(closed, on: eventLoop)
    }
}

/// One of the broker's sockets.
final class BrokerChannelHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let core: BrokerCore

    init(_ core: BrokerCore) { self.core = core }

    func handlerAdded(context: ChannelHandlerContext) { core.add(context.channel) }

    func channelInactive(context: ChannelHandlerContext) {
        core.remove(context.channel)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let source = IPEndpoint(envelope.remoteAddress) else { return }
        for answer in core.receive(Array(envelope.data.readableBytesView), from: source) {
            // What the system cannot take is lost, as datagrams are.
            guard context.channel.isWritable else { return }
            let destination =
                answer.destination == source
                ? envelope.remoteAddress
                : try? SocketAddress(ipAddress: "\(answer.destination.address)", port: Int(answer.destination.port))
            guard let destination else { continue }
            context.write(
                wrapOutboundOut(
                    AddressedEnvelope(
                        remoteAddress: destination, data: context.channel.allocator.buffer(bytes: answer.datagram))),
                promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        context.fireChannelReadComplete()
    }

    /// Somebody whom we have answered is not there: nothing that matters to the others.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

extension IPEndpoint {
    /// The end of a socket; `nil` unless it is of IP.
    init?(_ socketAddress: SocketAddress) {
        guard let port = socketAddress.port.flatMap(UInt16.init(exactly:)),
            // An address of a link has its interface behind a percent sign, which nobody else can use.
            let text = socketAddress.ipAddress?.split(separator: "%").first,
            let address = IPAddress(parsing: String(text))
        else { return nil }
        self.init(address, port)
    }
}
