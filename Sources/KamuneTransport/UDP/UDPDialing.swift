internal import NIOCore
internal import NIOPosix

/// A connection that we are opening over UDP: sends its first bytes to one address of the peer after the other, until
/// somebody answers, who then has it.
///
/// An address that nobody can be reached at gives no sign, so the others are tried beside it (RFC 8305). The first to be
/// tried gets everything at once. The others get no more than the first frame's length before they answer: a listener of
/// ours acknowledges that and keeps nothing of it (``UDPOpening``), so those that lose leave nothing behind there.
final class UDPDialing: FrameCarrier {
    /// So much is sent before anybody has answered; the rest waits in the outbox.
    private static let openingLimit = 64 * 1024
    /// The candidate that gets everything at once.
    private static let favorite = 0
    /// What the later candidates get: the length of the first frame.
    private static let probeSize = FrameDecoder.headerSize

    let end: ConnectionEnd
    private let address: Address
    private let options: UDPOptions
    private let known: EventLoopConnection.Known
    private let result: OneShot<EventLoopConnection>
    /// The socket to dial from; `nil` for a new one for each address.
    private let socket: UDPChannelHandler?
    /// Called when it is decided who has the connection, if anybody.
    private var onEnd: () -> Void
    private var dialer: AddressDialer?
    /// Those that are tried.
    private var candidates: [Int: UDPConversation] = [:]
    private var failures: [TransportError] = []
    /// What was to be sent so far.
    private var opening: [UInt8] = []
    private var isOver = false

    private var eventLoop: any EventLoop { end.eventLoop }

    /// - Parameters:
    ///   - socket: A socket that there is already, for which a way was found; `nil` for a new one for each address.
    ///   - onEnd: Called when it is decided who has the connection, if anybody.
    init(
        _ address: Address, configuration: TransportConfiguration, options: UDPOptions, eventLoop: any EventLoop,
        result: OneShot<EventLoopConnection>, from socket: UDPChannelHandler? = nil,
        onEnd: @escaping () -> Void = {}
    ) {
        self.address = address
        self.options = options
        self.result = result
        self.socket = socket
        self.onEnd = onEnd
        end = ConnectionEnd(eventLoop: eventLoop, configuration: configuration, isAccepted: false)
        let target = Address(scheme: .udp, host: address.host, port: address.port)
        known = EventLoopConnection.Known(
            ConnectionInfo(
                transport: "udp", localAddress: "unknown", remoteAddress: "\(target)", isAddressProven: false))
    }

    /// Has the name resolved. The connection is there when an address is; nothing is sent until the first frame is.
    func begin(by resolver: NameResolution.Resolver) {
        let dialer = AddressDialer(eventLoop: eventLoop, isHeld: true) { event in
            switch event {
            case .addressFound(let found): self.found(found)
            case .attempt(let number, let target): self.start(number, target)
            case .exhausted(wasFound: false): self.giveUp(.nameNotResolved(host: self.address.host))
            case .exhausted(wasFound: true): self.giveUp(TransportError(failedAttempts: self.failures))
            case .timedOut: self.giveUp(.timedOut(.connect))
            }
        }
        self.dialer = dialer
        dialer.begin(host: address.host, port: address.port, limit: limit, by: resolver)
    }

    private var limit: TimeAmount { TimeAmount(clamping: end.configuration.dialTimeout) }

    private func found(_ first: SocketAddress) {
        var info = known.info
        info = ConnectionInfo(
            transport: info.transport, localAddress: info.localAddress, remoteAddress: "\(Address(udp: first))",
            remoteNetwork: Network(first), isAddressProven: false)
        known.info = info
        end.start(self)
        // If the task was cancelled meanwhile, the connection is dropped here, which ends all of it.
        result.resolve(.success(EventLoopConnection(end, known: known, lendsEventLoop: false)))
    }

    // MARK: Candidates

    private func start(_ number: Int, _ target: SocketAddress) {
        if let socket { return started(number, target, on: socket) }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        DatagramBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let dialing = bound.value
                    if let options = channel.syncOptions {
                        // What the system grants may be less.
                        try? options.setOption(.socketOption(.so_rcvbuf), value: .init(UDPReception.systemBuffer))
                        try? options.setOption(.socketOption(.so_sndbuf), value: .init(UDPReception.systemBuffer))
                        try UDPReadBuffers.few.apply(to: options)
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        UDPChannelHandler(
                            eventLoop: channel.eventLoop, configuration: dialing.end.configuration,
                            options: dialing.options))
                }
            }
            .connect(to: target)
            .assumeIsolated().whenComplete { self.started(number, target, $0) }
    }

    private func started(_ number: Int, _ target: SocketAddress, _ outcome: Result<any Channel, any Error>) {
        do {
            let channel = try outcome.get()
            let handler = try channel.pipeline.syncOperations.handler(type: UDPChannelHandler.self)
            guard !isOver else {
                channel.close(promise: nil)
                return
            }
            started(number, target, on: handler)
        } catch {
            failures.append(TransportError(dialing: address.withoutOptions, error))
            dialer?.failed(number)
        }
    }

    private func started(_ number: Int, _ target: SocketAddress, on handler: UDPChannelHandler) {
        let candidate = handler.open(to: target, for: self)
        candidates[number] = candidate
        candidate.write(number == Self.favorite ? opening : Array(opening.prefix(Self.probeSize)))
        candidate.flush()
    }

    /// A candidate has answered: the connection is its.
    func heard(_ candidate: UDPConversation) {
        guard !isOver, let number = candidates.first(where: { $0.value === candidate })?.key else { return }
        candidates[number] = nil
        finish()
        known.info = candidate.info
        end.handOver(to: candidate)
        if number != Self.favorite { candidate.write(Array(opening.dropFirst(Self.probeSize))) }
        opening = []
    }

    /// A candidate has come to nothing.
    func failed(_ candidate: UDPConversation, _ error: TransportError) {
        guard !isOver, let number = candidates.first(where: { $0.value === candidate })?.key else { return }
        candidates[number] = nil
        failures.append(error.said(of: address.withoutOptions))
        dialer?.failed(number)
    }

    /// Ends the race, and whoever has not won it.
    private func finish() {
        isOver = true
        dialer?.stop()
        dialer = nil
        let losers = candidates.values
        candidates = [:]
        for loser in losers { loser.stop(.closedLocally) }
        onEnd()
        onEnd = {}
    }

    private func giveUp(_ error: TransportError) {
        finish()
        result.resolve(.failure(error))
        end.fail(error)
    }

    // MARK: The carrier of the connection

    /// How long the peer gets answers after everything has gone out: nothing has.
    var lingering: TimeAmount? { nil }

    func flush() {
        guard !isOver else { return }
        let isBeginning = opening.isEmpty
        var added: [UInt8] = []
        while opening.count + added.count < Self.openingLimit, let buffer = end.outbound.take() {
            added += Array(buffer.readableBytesView)
            BufferPool.writing.give(buffer)
            guard end.outbound.wrote() else { break }
        }
        guard !added.isEmpty else { return }
        opening += added
        if isBeginning {
            dialer?.release(limit: limit)
        } else {
            candidates[Self.favorite]?.write(added)
            candidates[Self.favorite]?.flush()
        }
    }

    /// Nothing has arrived.
    func readOn() {}

    /// The race has a limit of its own.
    func stalledSince(_ now: NIODeadline) -> NIODeadline? { nil }

    func breakOff() {
        guard !isOver else {
            end.carrierEnded(.closedLocally)
            return
        }
        finish()
        end.carrierEnded(.closedLocally)
    }
}

extension Address {
    /// The address alone, as errors name it.
    var withoutOptions: Address { Address(scheme: scheme, host: host, port: port) }
}
