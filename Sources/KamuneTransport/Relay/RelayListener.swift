internal import KamuneRelayProtocol
internal import NIOCore
internal import NIOPosix

/// Waits at a relay: keeps one connection registered there, for the one who comes next.
final class RelayListener: ConnectionListener {
    let localAddress: Address
    private let queue: AcceptQueue
    private let eventLoop: any EventLoop
    private let loop: NIOLoopBound<Loop>

    private init(_ address: Address, _ queue: AcceptQueue, _ eventLoop: any EventLoop, _ loop: NIOLoopBound<Loop>) {
        localAddress = address
        self.queue = queue
        self.eventLoop = eventLoop
        self.loop = loop
    }

    deinit {
        queue.close()
        eventLoop.execute { [loop] in loop.value.stop() }
    }

    func accept() async throws(TransportError) -> (any Connection)? {
        try await queue.accept()
    }

    func close() async {
        queue.close()
        let closed = OneShot<Void>()
        eventLoop.execute { [loop] in
            loop.value.stop()
            closed.resolve(.success(()))
        }
        _ = await closed.waitRegardless()
    }

    /// Registers for the first time.
    static func start(
        at address: Address, _ token: RelayToken, configuration: TransportConfiguration, tls: RelayTLS?
    ) async throws(TransportError) -> RelayListener {
        let queue = AcceptQueue(limit: configuration.pendingConnectionLimit)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let first = OneShot<NIOLoopBound<Loop>>()
        eventLoop.execute {
            let loop = Loop(address, token, configuration, tls, queue, eventLoop)
            let bound = NIOLoopBound(loop, eventLoop: eventLoop)
            loop.register { outcome in
                if !first.resolve(outcome.map { bound }) { loop.stop() }
            }
        }
        return RelayListener(address, queue, eventLoop, try await first.wait())
    }

    /// What goes on, on the event loop.
    private final class Loop {
        private let address: Address
        private let token: RelayToken
        private let configuration: TransportConfiguration
        private let tls: RelayTLS?
        private let queue: AcceptQueue
        private let eventLoop: any EventLoop
        private let begun = NIODeadline.now()
        private var waiting = RelayWaiting()
        private var isStopped = false
        /// The registration that is under way.
        private var dialing: RelayDialing?
        /// The one that stands.
        private var registration: RelayDialing.Registration?
        private var wakeUp: Scheduled<Void>?

        init(
            _ address: Address, _ token: RelayToken, _ configuration: TransportConfiguration, _ tls: RelayTLS?,
            _ queue: AcceptQueue, _ eventLoop: any EventLoop
        ) {
            self.address = address
            self.token = token
            self.configuration = configuration
            self.tls = tls
            self.queue = queue
            self.eventLoop = eventLoop
        }

        private var now: Duration { .nanoseconds((NIODeadline.now() - begun).nanoseconds) }

        /// - Parameter first: Told what has come of it, by who starts; who goes on tries again.
        func register(first: ((Result<Void, TransportError>) -> Void)? = nil) {
            guard !isStopped else { return }
            let dialing = RelayDialing(
                address, .create(token), configuration: configuration, tls: tls, eventLoop: eventLoop
            ) { outcome in
                self.dialing = nil
                switch outcome {
                case .success(let registration):
                    guard !self.isStopped else { return registration.channel.close(promise: nil) }
                    self.registration = registration
                    if let end = self.waiting.registered(at: self.now, lifetime: registration.consent.tokenLifetime) {
                        self.schedule(at: end) { self.renew() }
                    }
                    first?(.success(()))
                case .failure(let error):
                    if let first { first(.failure(error)) } else { self.tryAgain() }
                }
            } later: { event in
                switch event {
                case .registered: break
                case .paired: self.paired()
                case .ended: self.lost()
                }
            }
            self.dialing = dialing
            dialing.begin()
        }

        func stop() {
            isStopped = true
            wakeUp?.cancel()
            wakeUp = nil
            dialing.take()?.cancel()
            registration.take()?.close()
        }

        /// Somebody has come: hands over the connection, and registers for the next one.
        private func paired() {
            guard let registration = registration.take() else { return }
            waiting.used()
            if queue.reserveIfOpen() {
                let queue = queue
                // The connection fills the place when it is there, or gives it back.
                let carried = registration.carry(configuration, address) { _, channel in
                    if channel == nil { queue.cancelReservation() }
                }
                if case .success(let connection) = carried { queue.fill(connection) }
            } else {
                registration.close()
            }
            register()
        }

        /// Nobody came, and the relay's patience is over.
        private func renew() {
            guard let registration = registration.take() else { return }
            waiting.used()
            registration.close()
            register()
        }

        /// The registration that stood has ended.
        private func lost() {
            guard registration.take() != nil else { return }
            tryAgain()
        }

        private func tryAgain() {
            guard !isStopped else { return }
            schedule(at: waiting.lost(at: now)) { self.register() }
        }

        private func schedule(at time: Duration, _ action: @escaping () -> Void) {
            wakeUp?.cancel()
            wakeUp = eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(clamping: time - now)) { action() }
        }
    }
}

extension RelayDialing.Registration {
    /// Gives up its place at the relay.
    fileprivate func close() {
        handler.release()
        channel.close(promise: nil)
    }
}
