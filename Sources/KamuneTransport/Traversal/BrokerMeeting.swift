package import KamuneBroker
package import KamuneCrypto
internal import NIOCore
internal import NIOPosix

/// Meeting somebody by a broker alone, as 0.7 does: who knows the token dials, and who waits with it listens. Nothing is
/// known of the other but the token, so no more is tried than 0.7 tries.
package enum BrokerMeeting {
    /// What opens a NAT for the other side's datagrams (0.7: `sendNATKick` in cmd/daemon/broker.go), five of them.
    static let kick: [UInt8] = [0]
    static let kickCount = 5
    static let kickInterval = TimeAmount.milliseconds(100)

    /// Meets whoever waits with a token, and opens a conversation with them.
    ///
    /// - Parameters:
    ///   - broker: The broker's endpoint.
    ///   - token: What the other has told us, or both can compute.
    ///   - configuration: The limits; ``TransportConfiguration/dialTimeout`` covers the time until the other is there.
    /// - Throws: ``TransportError/timedOut(_:)``: the broker is silent, or nobody came. ``TransportError/cancelled``.
    package static func dial(
        broker: IPEndpoint, token: [UInt8], key: X25519PrivateKey, address: IPAddress? = nil,
        configuration: TransportConfiguration = TransportConfiguration(), options: UDPOptions = UDPOptions()
    ) async throws(TransportError) -> any Connection {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let result = OneShot<EventLoopConnection>()
        let box = NIOLoopBoundBox.makeEmptyBox(valueType: BrokerDialing.self, eventLoop: eventLoop)
        eventLoop.execute {
            let dialing = BrokerDialing(
                broker: broker, token: token, key: key, eventLoop: eventLoop, configuration: configuration,
                options: options, result: result)
            box.value = dialing
            dialing.begin(from: address)
        }
        defer {
            eventLoop.execute {
                box.value?.end()
                box.value = nil
            }
        }
        return try await result.wait()
    }

    /// Waits for those who know a token.
    ///
    /// - Parameters:
    ///   - broker: The broker's endpoint.
    ///   - token: What both have; `nil` has the broker draw one, to be told to others.
    ///   - key: What the broker knows us by, the same for as long as we wait.
    /// - Throws: ``TransportError/timedOut(_:)``: the broker is silent. Otherwise why there is no socket.
    package static func listen(
        broker: IPEndpoint, token: [UInt8]?, key: X25519PrivateKey, address: IPAddress? = nil, port: UInt16 = 0,
        configuration: TransportConfiguration = TransportConfiguration(), options: UDPOptions = UDPOptions()
    ) async throws(TransportError) -> BrokerListener {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let result = OneShot<BrokerListener>()
        eventLoop.execute {
            let waiting = BrokerWaiting(
                broker: broker, token: token, key: key, eventLoop: eventLoop, configuration: configuration,
                options: options)
            waiting.begin(at: address, port: port, result: result)
        }
        return try await result.wait()
    }

    /// Sends the datagrams that open our NAT for the other side.
    static func open(to endpoint: IPEndpoint, by sockets: TraversalSockets) {
        for index in 0..<kickCount {
            let bound = NIOLoopBound(sockets, eventLoop: sockets.eventLoop)
            sockets.eventLoop.scheduleTask(in: kickInterval * index) {
                bound.value.send(kick, from: 0, to: endpoint)
            }
        }
    }
}

/// Meets somebody and opens a conversation, on an event loop.
private final class BrokerDialing {
    private let broker: IPEndpoint
    private let token: [UInt8]
    private let key: X25519PrivateKey
    private let sockets: TraversalSockets
    private let result: OneShot<EventLoopConnection>
    private let timer: MachineTimer
    private let limit: Duration?
    private var dialogue: BrokerDialogue?
    private var isOver = false

    init(
        broker: IPEndpoint, token: [UInt8], key: X25519PrivateKey, eventLoop: any EventLoop,
        configuration: TransportConfiguration, options: UDPOptions, result: OneShot<EventLoopConnection>
    ) {
        self.broker = broker
        self.token = token
        self.key = key
        self.result = result
        sockets = TraversalSockets(eventLoop: eventLoop, configuration: configuration, options: options)
        timer = MachineTimer(eventLoop: eventLoop)
        limit = configuration.dialTimeout
    }

    func begin(from address: IPAddress?) {
        sockets.openFirst(at: address, port: 0) { [self] opened in
            if case .failure(let error) = opened { return fail(error) }
            guard !isOver else { return }
            let dialogue = BrokerDialogue(broker, key: key, purpose: .meet(token: token), by: sockets) { [weak self] in
                self?.heard($0)
            }
            self.dialogue = dialogue
            sockets.onDatagram = { [weak dialogue] datagram, _, source in dialogue?.take(datagram, from: source) }
            if let limit { timer.set(timer.now + limit) { [weak self] in self?.fail(.timedOut(.connect)) } }
            dialogue.start()
        }
    }

    private func heard(_ action: BrokerClient.Action) {
        switch action {
        case .matched(let match):
            stop()
            BrokerMeeting.open(to: match.endpoint, by: sockets)
            sockets.dial(match.endpoint, from: 0, result: result)
        case .failed:
            fail(.timedOut(.connect))
        case .send, .seen, .assigned:
            break
        }
    }

    private func stop() {
        isOver = true
        timer.set(nil) {}
        dialogue?.stop()
        dialogue = nil
        sockets.onDatagram = nil
    }

    private func fail(_ error: TransportError) {
        stop()
        sockets.close()
        result.resolve(.failure(error))
    }

    /// Nobody waits for the result any more, or it is there: then a conversation has the socket.
    func end() {
        if !isOver { fail(.cancelled) }
    }
}
