import KamuneCrypto
import KamuneProtocol
import KamuneSystem
import KamuneTransport
import Synchronization

/// Drives a ``SessionMachine`` over a connection: one task reads frames, an alarm watches the time, and callers send.
///
/// Frames are sealed and queued at the connection in one step, without a suspension between, so that they leave in the
/// order of their numbers.
actor SessionCore {
    nonisolated let id: String
    nonisolated let role: Role
    nonisolated let inbox: Mailbox<Message>

    private var machine: SessionMachine
    private let connection: any Connection
    private let closeTimeout: Duration
    private let alarms: AlarmClock
    private let time: any TimeSource
    private var end: SessionEnd?
    private var isClosing = false
    private var hasHungUp = false
    private var alarm: UInt64?
    private var endWaiters: [CheckedContinuation<SessionEnd, Never>] = []
    private var hangUpWaiters: [CheckedContinuation<Void, Never>] = []
    private var heldBackSenders: [CheckedContinuation<Void, Never>] = []
    private var pingWaiters: [CheckedContinuation<Result<Duration, KamuneError>, Never>] = []

    private var answersWhileCongested = 0

    /// How many answers may be queued while the outbound buffer is full; an answer takes 600 bytes or so.
    private static let maximumAnswersWhileCongested = 256

    /// Frames handled in one go before others may use the actor.
    private static let framesPerTurn = 16

    init(
        _ machine: consuming SessionMachine, role: Role, connection: any Connection, configuration: Configuration
    ) {
        id = machine.id
        self.role = role
        self.machine = machine
        self.connection = connection
        closeTimeout = configuration.closeTimeout
        alarms = configuration.alarms
        time = configuration.time
        inbox = Mailbox(capacity: configuration.maximumWaitingMessages)
    }

    /// Starts reading, with what arrived along with the end of the handshake.
    nonisolated func start(with frames: [[UInt8]]) {
        Task { await self.read(startingWith: frames) }
    }

    // MARK: Sending

    func send(_ payload: [UInt8]) async throws(KamuneError) -> SentMessage {
        while machine.heldBackUntil != nil, machine.isOpen {
            await withCheckedContinuation { heldBackSenders.append($0) }
        }
        try throwIfEnded()
        let message: SealedMessage
        do {
            message = try machine.send(payload, at: time.moment)
        } catch {
            throw KamuneError(error)
        }
        try await transmit(message.frame)
        let sentAt = message.metadata.timestamp ?? time.timestamp
        return SentMessage(id: message.metadata.id, sentAt: .init(sentAt))
    }

    func ping() async throws(KamuneError) -> Duration {
        try throwIfEnded()
        let frame: [UInt8]
        do {
            frame = try machine.ping(at: time.moment)
        } catch {
            throw KamuneError(error)
        }
        try await transmit(frame)
        try throwIfEnded()
        return try await withCheckedContinuation { pingWaiters.append($0) }.get()
    }

    /// Queues a frame at the connection, then waits until there is room for the next.
    private func transmit(_ frame: [UInt8]) async throws(KamuneError) {
        do throws(TransportError) {
            try connection.enqueue([frame])
            if connection.isCongested { try await connection.waitForRoom() }
        } catch {
            if error == .cancelled { throw .cancellation }
            let error = KamuneError(error)
            finish(.failed(error))
            throw error
        }
    }

    private func throwIfEnded() throws(KamuneError) {
        switch end {
        case nil: return
        case .failed(let error): throw error
        case .closedByUs, .closedByPeer: throw .sessionHasEnded
        }
    }

    // MARK: Receiving

    private func read(startingWith first: [[UInt8]]) async {
        setAlarm()
        var frames = first
        while true {
            var next = 0
            while next < frames.count {
                let turn = frames[next..<min(next + Self.framesPerTurn, frames.count)]
                next = turn.endIndex
                for frame in turn where end == nil { received(frame) }
                if next < frames.count { await Task.yield() }
            }
            // After the peer's goodbye nothing follows; after ours, what was on its way is read and dropped.
            if let end, end != .closedByUs { break }
            if inbox.isFull { await inbox.waitForRoom() }
            do throws(TransportError) {
                guard let batch = try await connection.receive() else {
                    finish(.failed(KamuneError(.connectionLost, "The connection ended without a goodbye.")))
                    break
                }
                frames = batch
            } catch {
                finish(.failed(KamuneError(lost: error)))
                break
            }
        }
        hasHungUp = true
        let waiters = hangUpWaiters
        hangUpWaiters = []
        for waiter in waiters { waiter.resume() }
        await connection.close()
    }

    private func received(_ frame: [UInt8]) {
        let now = time.moment
        do {
            let event = try machine.receivedFrame(frame, at: now)
            releaseHeldBackSenders()
            switch event {
            case .message(let message):
                inbox.add(Message(message, receivedAt: now.wall))
            case .answer(let frame):
                try answer(frame)
            case .pong(let roundTrip):
                resumePings(.success(roundTrip))
            case .closedByPeer:
                finish(.closedByPeer)
            case .nothing:
                break
            }
        } catch let error as ProtocolError {
            finish(.failed(KamuneError(error)))
        } catch let error as TransportError {
            finish(.failed(KamuneError(lost: error)))
        } catch {
            finish(.failed(KamuneError(.system, "An unexpected error occurred.", cause: error)))
        }
    }

    /// Queues an answer. Reading cannot wait for the peer to read: two peers who both did would wait for ever. So a peer
    /// who asks and asks and reads nothing is given up after a while.
    private func answer(_ frame: [UInt8]) throws(TransportError) {
        answersWhileCongested = connection.isCongested ? answersWhileCongested + 1 : 0
        guard answersWhileCongested <= Self.maximumAnswersWhileCongested else {
            finish(
                .failed(
                    KamuneError(.protocolViolation, "The other side keeps asking and does not read the answers.")))
            return
        }
        try connection.enqueue([frame])
    }

    // MARK: Time

    private func setAlarm() {
        guard end == nil, let deadline = machine.nextDeadline else { return }
        alarm = alarms.ring(after: max(deadline - time.monotonic, .milliseconds(1))) { [weak self] in
            await self?.alarmRang()
        }
    }

    private func alarmRang() {
        timeElapsed()
        setAlarm()
    }

    private func timeElapsed() {
        guard end == nil else { return }
        do {
            switch try machine.timeElapsed(at: time.moment) {
            case .nothing: break
            case .send(let frame): try connection.enqueue([frame])
            case .peerIsGone:
                finish(.failed(KamuneError(.connectionLost, "The other side no longer answers.")))
            }
            if machine.heldBackUntil == nil { releaseHeldBackSenders() }
        } catch {
            finish(.failed(KamuneError(.connectionLost, "The connection is lost.", cause: error)))
        }
    }

    private func releaseHeldBackSenders() {
        if heldBackSenders.isEmpty { return }
        let senders = heldBackSenders
        heldBackSenders = []
        for sender in senders { sender.resume() }
    }

    // MARK: Ending

    func close() async {
        guard !isClosing else {
            _ = await waitUntilEnded()
            return
        }
        isClosing = true
        if end == nil {
            // A first message that is still held back was promised to arrive before the goodbye.
            while machine.heldBackUntil != nil, !heldBackSenders.isEmpty {
                await withCheckedContinuation { heldBackSenders.append($0) }
            }
            if let goodbye = try? machine.close(at: time.moment) { try? connection.enqueue([goodbye]) }
            finish(.closedByUs)
        }
        // Closing a socket while the peer's frames wait unread in it would reset the connection, and take with it what
        // the peer has not read yet. So our side is ended first, and the peer's awaited.
        connection.finishSending()
        if !hasHungUp {
            let connection = connection
            let limit = closeTimeout
            let watchdog = Task { [alarms] in
                guard (try? await alarms.sleep(for: limit)) != nil else { return }
                connection.abort()
            }
            await withCheckedContinuation { hangUpWaiters.append($0) }
            watchdog.cancel()
        }
    }

    /// Ends the session at once, without a goodbye: the peer sees a lost connection, and may resume.
    func abandon(_ error: KamuneError) {
        finish(.failed(error))
    }

    func waitUntilEnded() async -> SessionEnd {
        if let end { return end }
        return await withCheckedContinuation { endWaiters.append($0) }
    }

    private func finish(_ how: SessionEnd) {
        guard end == nil else { return }
        end = how
        if let alarm { alarms.cancel(alarm) }
        releaseHeldBackSenders()
        switch how {
        case .closedByUs:
            inbox.finish()
            resumePings(.failure(.sessionHasEnded))
        case .closedByPeer:
            inbox.finish()
            resumePings(.failure(.sessionHasEnded))
        case .failed(let error):
            inbox.finish(throwing: error)
            resumePings(.failure(error))
            connection.abort()
        }
        for waiter in endWaiters { waiter.resume(returning: how) }
        endWaiters = []
    }

    private func resumePings(_ result: Result<Duration, KamuneError>) {
        let waiters = pingWaiters
        pingWaiters = []
        for waiter in waiters { waiter.resume(returning: result) }
    }
}

extension KamuneError {
    /// How the end of an established session's connection looks from above.
    init(lost error: TransportError) {
        let general = KamuneError(error)
        self.init(general.code == .sessionEnded ? .connectionLost : general.code, general.message, cause: error)
    }
}
