package import KamuneBroker
internal import KamuneCrypto
package import KamuneTraversal
internal import NIOCore
internal import NIOPosix

/// Has a gateway let others reach one of our ports, for as long as it lives: see ``PortMapper``.
package final class GatewayMapping: Sendable {
    /// What has come of it.
    package enum Event: Sendable, Hashable {
        /// Others reach us there.
        case mapped(IPEndpoint)
        /// They do not any more.
        case lost
        /// The gateway does not do it. It is asked again after half an hour.
        case unavailable(PortMapper.Reason)
    }

    /// What comes of it, as it comes; ends with the mapping. Only the newest few are kept for whoever does not read.
    package let events: AsyncStream<Event>
    private let task: NIOLoopBound<GatewayDialogue>
    private let eventLoop: any EventLoop

    private init(events: AsyncStream<Event>, task: NIOLoopBound<GatewayDialogue>, eventLoop: any EventLoop) {
        self.events = events
        self.task = task
        self.eventLoop = eventLoop
    }

    deinit {
        eventLoop.execute { [task] in _ = task.value.withdraw() }
    }

    /// Begins to ask.
    ///
    /// - Parameters:
    ///   - gateway: Where it is: ``DefaultGateway``, for example.
    ///   - port: Where it listens; another one for tests.
    /// - Throws: ``TransportError``: no way leads there.
    package static func start(
        _ mapping: PortMapping, gateway: IPAddress, port: UInt16 = PortMapper.gatewayPort
    ) async throws(TransportError) -> GatewayMapping {
        let address = Address(scheme: .udp, host: "\(gateway)", port: port)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let (events, continuation) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(16))
        let result = OneShot<NIOLoopBound<GatewayDialogue>>()
        eventLoop.execute {
            guard let target = try? SocketAddress(ipAddress: address.host, port: Int(port)) else {
                return _ = result.resolve(.failure(.addressNotAvailable(address: "\(address)")))
            }
            let dialogue = GatewayDialogue(mapping, eventLoop: eventLoop, continuation)
            let bound = NIOLoopBound(dialogue, eventLoop: eventLoop)
            DatagramBootstrap(group: eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(bound.value)
                    }
                }
                // Connected: only the gateway is heard.
                .connect(to: target)
                .assumeIsolated().whenComplete { outcome in
                    switch outcome {
                    case .success(let channel):
                        dialogue.begin(on: channel)
                        if !result.resolve(.success(bound)) { _ = dialogue.withdraw() }
                    case .failure(let error):
                        continuation.finish()
                        result.resolve(.failure(TransportError(dialing: address, error)))
                    }
                }
        }
        return GatewayMapping(events: events, task: try await result.wait(), eventLoop: eventLoop)
    }

    /// Gives the mapping back, and returns when that was sent.
    package func withdraw() async {
        try? await eventLoop.flatSubmit { [task] in task.value.withdraw() }.get()
    }
}

/// What ``GatewayMapping`` does, on its event loop.
final class GatewayDialogue: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let mapping: PortMapping
    private let eventLoop: any EventLoop
    private let events: AsyncStream<GatewayMapping.Event>.Continuation
    private let timer: MachineTimer
    private var mapper: PortMapper?
    private var channel: (any Channel)?

    init(
        _ mapping: PortMapping, eventLoop: any EventLoop, _ events: AsyncStream<GatewayMapping.Event>.Continuation
    ) {
        self.mapping = mapping
        self.eventLoop = eventLoop
        self.events = events
        timer = MachineTimer(eventLoop: eventLoop)
    }

    func begin(on channel: any Channel) {
        self.channel = channel
        guard let client = channel.localAddress.flatMap({ IPEndpoint($0) })?.address else { return events.finish() }
        var random = SystemRandomSource()
        mapper = PortMapper(mapping, client: client, random: &random)
        perform(mapper?.start(now: timer.now) ?? [])
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let datagram = Array(unwrapInboundIn(data).data.readableBytesView)
        perform(mapper?.receive(datagram, now: timer.now) ?? [])
    }

    /// Nobody listens there: as if it were silent.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}

    private func perform(_ actions: [PortMapper.Action]) {
        for action in actions {
            switch action {
            case .send(let datagram): send(datagram, promise: nil)
            case .mapped(let external): events.yield(.mapped(external))
            case .lost: events.yield(.lost)
            case .unavailable(let reason): events.yield(.unavailable(reason))
            }
        }
        timer.set(mapper?.deadline) { [weak self] in
            guard let self else { return }
            perform(mapper?.tick(now: timer.now) ?? [])
        }
    }

    private func send(_ datagram: [UInt8], promise: EventLoopPromise<Void>?) {
        guard let channel, let remote = channel.remoteAddress else {
            promise?.succeed()
            return
        }
        channel.writeAndFlush(
            AddressedEnvelope(remoteAddress: remote, data: channel.allocator.buffer(bytes: datagram)), promise: promise)
    }

    func withdraw() -> EventLoopFuture<Void> {
        timer.set(nil) {}
        let actions = mapper?.withdraw() ?? []
        mapper = nil
        let promise = eventLoop.makePromise(of: Void.self)
        let farewell = actions.compactMap { if case .send(let datagram) = $0 { datagram } else { nil } }.first
        if actions.contains(.lost) { events.yield(.lost) }
        events.finish()
        if let farewell { send(farewell, promise: promise) } else { promise.succeed() }
        let channel = channel
        self.channel = nil
        let closed = eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            if let channel { channel.close(promise: closed) } else { closed.succeed() }
        }
        return closed.futureResult
    }
}
