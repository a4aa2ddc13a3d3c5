internal import KamuneBroker
internal import KamuneCrypto
internal import KamuneTraversal
internal import NIOCore

/// What ``DirectPath`` does, on its event loop.
final class DirectPathAttempt {
    /// How long other brokers are waited for when one has answered.
    static let patience = Duration.seconds(1)
    /// How many brokers are asked.
    static let brokerLimit = 4

    private let sockets: TraversalSockets
    private let eventLoop: any EventLoop
    private var dialogues: [BrokerDialogue] = []
    private var seen: [IPEndpoint: IPEndpoint] = [:]
    private var silent: Set<IPEndpoint> = []
    private var prepared: ((Result<TraversalOffer, TransportError>) -> Void)?
    private var mapped: [IPEndpoint] = []
    private var boundAddress: IPAddress?
    private let patienceTimer: MachineTimer

    private var puncher: HolePuncher<SystemRandomSource>?
    private let punchTimer: MachineTimer
    private var role = PunchRole.responder
    private var result: OneShot<any Connection>?
    private var hasDialed = false
    private var accepting: Task<Void, Never>?

    init(eventLoop: any EventLoop, configuration: TransportConfiguration, options: UDPOptions) {
        self.eventLoop = eventLoop
        sockets = TraversalSockets(eventLoop: eventLoop, configuration: configuration, options: options)
        patienceTimer = MachineTimer(eventLoop: eventLoop)
        punchTimer = MachineTimer(eventLoop: eventLoop)
    }

    // MARK: Where we are

    func prepare(
        brokers: [IPEndpoint], mapped: [IPEndpoint], address: IPAddress?, port: UInt16,
        then prepared: @escaping (Result<TraversalOffer, TransportError>) -> Void
    ) {
        self.prepared = prepared
        self.mapped = mapped
        boundAddress = address
        sockets.onDatagram = { [weak self] in self?.take($0, number: $1, from: $2) }
        sockets.openFirst(at: address, port: port) { [self] result in
            if case .failure(let error) = result {
                self.prepared = nil
                return prepared(.failure(error))
            }
            ask(brokers, from: address)
        }
    }

    private func ask(_ brokers: [IPEndpoint], from address: IPAddress?) {
        var random = SystemRandomSource()
        let reachable = brokers.filter { ($0.address.isIPv6 ? sockets.ipv6Port : sockets.port) != nil }
        guard !reachable.isEmpty, let key = try? X25519PrivateKey.generate(using: &random) else {
            return finishPreparing()
        }
        dialogues = reachable.prefix(Self.brokerLimit).map { broker in
            BrokerDialogue(broker, key: key, purpose: .discover, by: sockets) { [weak self] action in
                guard let self else { return }
                switch action {
                case .seen(let source): seen[broker] = source
                case .failed: silent.insert(broker)
                default: return
                }
                checkAnswers()
            }
        }
        for dialogue in dialogues { dialogue.start() }
    }

    private func checkAnswers() {
        guard prepared != nil else { return }
        if dialogues.allSatisfy({ seen[$0.broker] != nil || silent.contains($0.broker) }) { return finishPreparing() }
        guard seen.count == 1 else { return }
        patienceTimer.set(patienceTimer.now + Self.patience) { [weak self] in self?.finishPreparing() }
    }

    private func finishPreparing() {
        guard let prepared else { return }
        self.prepared = nil
        patienceTimer.set(nil) {}
        for dialogue in dialogues { dialogue.stop() }
        prepared(.success(offer))
    }

    private var offer: TraversalOffer {
        let addresses = boundAddress.map { [$0] } ?? LocalAddresses.list().compactMap { IPAddress(parsing: $0.host) }
        let local = addresses.compactMap { address in
            (address.isIPv6 ? sockets.ipv6Port : sockets.port).map { IPEndpoint(address, $0) }
        }
        let answers: [(server: IPEndpoint, source: IPEndpoint)] = dialogues.compactMap { dialogue in
            seen[dialogue.broker].map { (dialogue.broker, $0) }
        }
        let ipv4 = answers.filter { !$0.server.address.isIPv6 }
        let sources = answers.map(\.source)
        // If one of our own addresses is seen, nothing is translated.
        let own =
            ipv4.first { local.contains($0.source) }?.source ?? IPEndpoint(IPAddress(0, 0, 0, 0), sockets.port ?? 0)
        return TraversalOffer(
            candidates: local.filter { $0.address.isIPv6 && !$0.address.isLocal } + sources + mapped
                + local.filter { !$0.address.isIPv6 } + local.filter { $0.address.isIPv6 },
            mapping: NATMapping(local: own, seen: ipv4), lastSeen: ipv4.last?.source)
    }

    private func take(_ datagram: [UInt8], number: Int, from source: IPEndpoint) {
        for dialogue in dialogues { dialogue.take(datagram, from: source) }
        guard let actions = puncher?.receive(datagram, on: number, from: source, now: punchTimer.now) else { return }
        perform(actions)
    }

    // MARK: Reaching the peer

    func connect(role: PunchRole, _ puncher: HolePuncher<SystemRandomSource>, result: OneShot<any Connection>) {
        guard self.result == nil, sockets.onDatagram != nil else {
            result.resolve(.failure(.closedLocally))
            return
        }
        self.role = role
        self.result = result
        self.puncher = puncher
        sockets.servers = []
        if role == .responder {
            sockets.mayOpen = { [weak self] in self?.puncher?.isKnown($0) ?? false }
            accept()
        }
        perform(self.puncher?.start(now: punchTimer.now) ?? [])
    }

    private func perform(_ actions: [HolePuncher<SystemRandomSource>.Action]) {
        for action in actions {
            switch action {
            case .openSockets(let count): sockets.openMore(count)
            case .send(let datagram, let socket, let destination): sockets.send(datagram, from: socket, to: destination)
            case .reached(let path): reached(path)
            case .timedOut: fail()
            }
        }
        punchTimer.set(puncher?.deadline) { [weak self] in
            guard let self else { return }
            perform(puncher?.tick(now: punchTimer.now) ?? [])
        }
    }

    private func reached(_ path: HolePuncher<SystemRandomSource>.Path) {
        guard role == .initiator, !hasDialed, let result else { return }
        hasDialed = true
        let dialed = OneShot<EventLoopConnection>()
        sockets.dial(path.remote, from: path.socket, result: dialed)
        Task {
            result.resolve(await dialed.waitRegardless().map { $0 as any Connection })
        }
    }

    private func accept() {
        guard let result else { return }
        let queue = sockets.queue
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        accepting = Task { [eventLoop] in
            do throws(TransportError) {
                guard let connection = try await queue.accept() else { return }
                result.resolve(.success(connection))
                eventLoop.execute { bound.value.close() }
            } catch {
                result.resolve(.failure(error))
            }
        }
    }

    private func fail() {
        // A conversation that was opened has limits of its own.
        guard !hasDialed else { return }
        result?.resolve(.failure(.timedOut(.connect)))
        close()
    }

    /// Ends everything but a conversation that was opened.
    func close() {
        prepared?(.failure(.closedLocally))
        prepared = nil
        for dialogue in dialogues { dialogue.stop() }
        patienceTimer.set(nil) {}
        punchTimer.set(nil) {}
        puncher?.stop()
        accepting?.cancel()
        accepting = nil
        if hasDialed { sockets.onDatagram = nil } else { sockets.close() }
        result?.resolve(.failure(.closedLocally))
    }
}
