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
    /// Where everything counts that the peer makes us hold.
    nonisolated let budget: MemoryBudget
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

    /// Whether the peer's frames are left where they are because nobody takes its messages.
    private var isReadingPaused = false
    /// Whether somebody waits for room to answer a ping in.
    private var isAnswerWaiting = false
    /// What the budget was told of the bytes that the machine keeps.
    private var machineBytes = 0
    /// Messages that were opened in this turn and are not in the inbox yet. Nothing is left here when a turn ends.
    private var opened: [Message] = []
    private var openedSize = 0

    /// Frames handled in one go before others may use the actor.
    private static let framesPerTurn = 16
    /// How many bytes of messages are opened before they go to the inbox, where they count.
    private static let openedLimit = 16 << 10

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
        budget = connection.budget
        inbox = Mailbox(limit: connection.budget.limit)
    }

    /// Starts reading, with what arrived along with the end of the handshake: where frames arrive, if the connection lets
    /// one, which saves waking a thread for them.
    nonisolated func start(with frames: [[UInt8]]) {
        Task(executorPreference: connection.preferredExecutor) { await self.read(startingWith: frames) }
    }

    // MARK: Sending

    func send(_ payload: [UInt8]) async throws(KamuneError) -> SentMessage {
        while end == nil, machine.heldBackUntil != nil, machine.isOpen {
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

    /// Sends messages in this order, some at a time, so that reading goes on meanwhile.
    ///
    /// - Returns: How many were queued. When these are not all, the session has ended.
    func send(contentsOf payloads: [[UInt8]]) async -> Int {
        while end == nil, machine.heldBackUntil != nil, machine.isOpen {
            await withCheckedContinuation { heldBackSenders.append($0) }
        }
        var count = 0
        while count < payloads.count, end == nil {
            var frames: [[UInt8]] = []
            var failure: ProtocolError?
            do throws(ProtocolError) {
                for payload in payloads[count...].prefix(Self.framesPerTurn) {
                    frames.append(try machine.send(payload, at: time.moment).frame)
                }
            } catch {
                failure = error
            }
            do throws(TransportError) {
                try connection.enqueue(frames)
                count += frames.count
                if connection.isCongested { try await connection.waitForRoom() } else { await Task.yield() }
            } catch {
                finish(.failed(KamuneError(lostSession: error)))
                return count
            }
            if let failure {
                finish(.failed(KamuneError(failure)))
                return count
            }
        }
        return count
    }

    func ping() async throws(KamuneError) -> Duration {
        try throwIfEnded()
        let frame: [UInt8]
        do {
            frame = try machine.ping(at: time.moment)
        } catch {
            throw KamuneError(error)
        }
        // Between queueing and waiting there is nothing, or the answer could come first.
        do throws(TransportError) {
            try connection.enqueue([frame])
        } catch {
            let error = KamuneError(lostSession: error)
            finish(.failed(error))
            throw error
        }
        return try await withCheckedContinuation { pingWaiters.append($0) }.get()
    }

    /// Queues a frame at the connection, then waits until there is room for the next.
    private func transmit(_ frame: [UInt8]) async throws(KamuneError) {
        do throws(TransportError) {
            try connection.enqueue([frame])
            if connection.isCongested { try await connection.waitForRoom() }
        } catch {
            if error == .cancelled { throw .cancellation }
            let error = KamuneError(lostSession: error)
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
            await receive(&frames)
            // After the peer's goodbye nothing follows; after ours, what was on its way is read and dropped.
            if let end, end != .closedByUs { break }
            do throws(TransportError) {
                guard let batch = try await connection.receive() else {
                    finish(.failed(KamuneError(.connectionLost, "The connection ended without a goodbye.")))
                    break
                }
                frames = batch
            } catch {
                finish(.failed(KamuneError(lostSession: error)))
                break
            }
        }
        hasHungUp = true
        let waiters = hangUpWaiters
        hangUpWaiters = []
        for waiter in waiters { waiter.resume() }
        await connection.close()
    }

    /// Opens frames one by one, while there is room for what comes of them. The others count as held.
    private func receive(_ frames: inout [[UInt8]]) async {
        var waiting = frames.totalSize
        budget.add(waiting)
        for index in frames.indices {
            if inbox.isFull {
                handOver()
                isReadingPaused = true
                await inbox.waitForRoom()
                isReadingPaused = false
            } else if index % Self.framesPerTurn == Self.framesPerTurn - 1 {
                handOver()
                await Task.yield()
            }
            var frame: [UInt8] = []
            swap(&frame, &frames[index])
            waiting -= frame.count
            budget.remove(frame.count)
            if end == nil { received(frame) }
        }
        handOver()
        budget.remove(waiting)
    }

    /// Puts what was opened into the inbox, where whoever takes it is woken once for all of it.
    private func handOver() {
        if opened.isEmpty { return }
        inbox.add(opened, size: \.memorySize, in: budget)
        opened.removeAll(keepingCapacity: true)
        openedSize = 0
    }

    private func received(_ frame: [UInt8]) {
        let now = time.moment
        do {
            let event = try machine.receivedFrame(frame, at: now)
            releaseHeldBackSenders()
            switch event {
            case .message(let message):
                let message = Message(message, receivedAt: now.wall)
                opened.append(message)
                openedSize += message.memorySize
                if openedSize >= Self.openedLimit { handOver() }
            case .answer(let frame):
                try connection.enqueue([frame])
            case .pinged:
                try answerPing()
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
            finish(.failed(KamuneError(lostSession: error)))
        } catch {
            finish(.failed(KamuneError(.system, "An unexpected error occurred.", cause: error)))
        }
    }

    /// Answers the peer's latest ping when there is room. Reading cannot wait for that: two peers who both did would wait
    /// for each other to read for ever.
    private func answerPing() throws(TransportError) {
        if connection.isCongested {
            countMachineBytes()
            guard !isAnswerWaiting else { return }
            isAnswerWaiting = true
            Task {
                do throws(TransportError) {
                    try await connection.waitForRoom()
                } catch {
                    // There never will be. The reader learns why.
                    return
                }
                isAnswerWaiting = false
                if end == nil { try? answerPing() }
            }
            return
        }
        do {
            if let frame = try machine.answerPing(at: time.moment) { try connection.enqueue([frame]) }
        } catch let error as TransportError {
            throw error
        } catch {
            finish(.failed(KamuneError(.system, "An answer could not be sealed.", cause: error)))
        }
        countMachineBytes()
    }

    private func countMachineBytes() {
        budget.add(machine.heldByteCount - machineBytes)
        machineBytes = machine.heldByteCount
    }

    // MARK: Time

    /// Whether the peer does not answer, and may be gone. See ``Connection/isDoubtful``.
    nonisolated var isDoubtful: Bool { connection.isDoubtful }

    /// Has something called whenever ``isDoubtful`` has changed. To be called once.
    nonisolated func onDoubt(_ observer: @escaping @Sendable () -> Void) { connection.onDoubt(observer) }

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
        let now = time.moment
        if isReadingPaused { machine.pausedReading(at: now) }
        do {
            switch try machine.timeElapsed(at: now) {
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
            while end == nil, machine.heldBackUntil != nil, !heldBackSenders.isEmpty {
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
        handOver()
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
    /// How the end of an established session's connection looks from above: whatever it was, the session is lost. A peer
    /// that has gone without a goodbye, or whose goodbye was lost, is one that answers no more.
    init(lostSession error: TransportError) {
        if case .timedOut = error {
            self.init(
                .connectionLost,
                "The other side has vanished: it answered no more, and no goodbye has arrived.", cause: error)
        } else {
            self.init(lost: error)
        }
    }

    /// How the end of a connection looks from above.
    init(lost error: TransportError) {
        let general = KamuneError(error)
        self.init(general.code == .sessionEnded ? .connectionLost : general.code, general.message, cause: error)
    }
}
