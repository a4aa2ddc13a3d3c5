internal import KamuneBroker
internal import KamuneCrypto
internal import NIOCore

/// Has a client talk with a broker by the first of some sockets, on their event loop.
final class BrokerDialogue {
    let broker: IPEndpoint
    private let sockets: TraversalSockets
    private var client: BrokerClient
    private let timer: MachineTimer
    /// Told what has come of it.
    private let onEvent: (BrokerClient.Action) -> Void
    private var isStopped = false

    init(
        _ broker: IPEndpoint, key: X25519PrivateKey, purpose: BrokerClient.Purpose, by sockets: TraversalSockets,
        onEvent: @escaping (BrokerClient.Action) -> Void
    ) {
        self.broker = broker
        self.sockets = sockets
        self.onEvent = onEvent
        var random = SystemRandomSource()
        client = BrokerClient(key: key, purpose: purpose, random: &random)
        timer = MachineTimer(eventLoop: sockets.eventLoop)
        sockets.servers.insert(broker)
    }

    func start() { perform(client.start(now: timer.now)) }

    /// Takes a datagram, if it is the broker's.
    func take(_ datagram: [UInt8], from source: IPEndpoint) {
        guard source == broker else { return }
        perform(client.receive(datagram, now: timer.now))
    }

    func stop() {
        isStopped = true
        timer.set(nil) {}
    }

    private func perform(_ actions: [BrokerClient.Action]) {
        for action in actions where !isStopped {
            if case .send(let datagram) = action {
                sockets.send(datagram, from: 0, to: broker)
            } else {
                onEvent(action)
            }
        }
        guard !isStopped else { return }
        timer.set(client.deadline) { [weak self] in
            guard let self else { return }
            perform(client.tick(now: timer.now))
        }
    }
}
