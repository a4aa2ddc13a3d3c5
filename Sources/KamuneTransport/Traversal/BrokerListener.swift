internal import KamuneBroker
internal import KamuneCrypto
internal import NIOCore

/// Waits, by a broker, for those who know a token; each who comes opens a conversation with us over UDP.
///
/// When the broker names somebody, a few datagrams are sent there, so that our NAT lets in what comes from them. 0.7 does not
/// do that, so its listeners are reached only where their NAT lets everybody in.
package final class BrokerListener: ConnectionListener {
    /// The token, to be told to others if the broker has drawn it.
    package let token: [UInt8]
    package let localAddress: Address
    private let queue: AcceptQueue
    private let waiting: NIOLoopBound<BrokerWaiting>
    private let eventLoop: any EventLoop

    init(token: [UInt8], localAddress: Address, waiting: BrokerWaiting, eventLoop: any EventLoop) {
        self.token = token
        self.localAddress = localAddress
        queue = waiting.queue
        self.waiting = NIOLoopBound(waiting, eventLoop: eventLoop)
        self.eventLoop = eventLoop
    }

    deinit {
        queue.close()
        eventLoop.execute { [waiting] in waiting.value.close() }
    }

    package func accept() async throws(TransportError) -> (any Connection)? {
        try await queue.accept()
    }

    package func close() async {
        queue.close()
        await withCheckedContinuation { continuation in
            eventLoop.execute { [waiting] in
                waiting.value.close()
                continuation.resume()
            }
        }
    }
}

/// What ``BrokerListener`` does, on its event loop.
final class BrokerWaiting {
    private let broker: IPEndpoint
    private let token: [UInt8]?
    private let key: X25519PrivateKey
    private let eventLoop: any EventLoop
    private let sockets: TraversalSockets
    private var dialogue: BrokerDialogue?
    /// Until the listener is made.
    private var result: OneShot<BrokerListener>?

    var queue: AcceptQueue { sockets.queue }

    init(
        broker: IPEndpoint, token: [UInt8]?, key: X25519PrivateKey, eventLoop: any EventLoop,
        configuration: TransportConfiguration, options: UDPOptions
    ) {
        self.broker = broker
        self.token = token
        self.key = key
        self.eventLoop = eventLoop
        sockets = TraversalSockets(eventLoop: eventLoop, configuration: configuration, options: options)
    }

    /// Registers. It lives until the result is there, and then as long as the listener.
    func begin(at address: IPAddress?, port: UInt16, result: OneShot<BrokerListener>) {
        self.result = result
        sockets.mayOpen = { _ in true }
        sockets.openFirst(at: address, port: port) { [self] opened in
            if case .failure(let error) = opened { return fail(error) }
            let purpose = token.map { BrokerClient.Purpose.wait(token: $0) } ?? .offer
            // Holds this until there is a listener, which then does.
            let dialogue = BrokerDialogue(broker, key: key, purpose: purpose, by: sockets) { self.heard($0) }
            self.dialogue = dialogue
            sockets.onDatagram = { [weak dialogue] datagram, _, source in dialogue?.take(datagram, from: source) }
            dialogue.start()
        }
    }

    private func heard(_ action: BrokerClient.Action) {
        switch action {
        case .seen:
            // The registration goes out with this, and nobody confirms it.
            if let token { succeed(token) }
        case .assigned(let token, _):
            succeed(token)
        case .matched(let match):
            BrokerMeeting.open(to: match.endpoint, by: sockets)
        case .failed:
            fail(.timedOut(.connect))
        case .send:
            break
        }
    }

    private func succeed(_ token: [UInt8]) {
        guard let result else { return }
        self.result = nil
        let port = (broker.address.isIPv6 ? sockets.ipv6Port : sockets.port) ?? 0
        let listener = BrokerListener(
            token: token, localAddress: Address(scheme: .udp, host: "", port: port), waiting: self, eventLoop: eventLoop
        )
        result.resolve(.success(listener))
    }

    private func fail(_ error: TransportError) {
        let result = result
        close()
        result?.resolve(.failure(error))
    }

    func close() {
        result = nil
        dialogue?.stop()
        dialogue = nil
        sockets.close()
    }
}
