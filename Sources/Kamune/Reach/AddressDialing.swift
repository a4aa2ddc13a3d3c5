import KamuneCrypto
import KamuneSystem

/// Performs a ``DialMachine``: dials several addresses of one peer.
actor AddressDialing {
    typealias Outcome = Result<Found<Session>, KamuneError>

    private let endpoint: Endpoint
    private let addresses: [DialAddress]
    private let expected: PublicIdentity?

    private var machine: DialMachine
    private var attempts: [Int: (address: Int, task: Task<Void, Never>)] = [:]
    /// Attempts that have been answered, and wait to introduce themselves.
    private var waiting: [Int: CheckedContinuation<Bool, Never>] = [:]
    private var failures: [AddressFailure] = []
    private var alarm: UInt64?
    private var outcome: Outcome?
    private var waiter: CheckedContinuation<Outcome, Never>?

    init(_ addresses: [DialAddress], of peer: PublicIdentity?, by endpoint: Endpoint) {
        self.endpoint = endpoint
        self.addresses = addresses
        expected = peer
        var limits = DialMachine.Limits()
        limits.answer = endpoint.configuration.dialTimeout
        limits.waiting = min(limits.waiting, endpoint.configuration.handshakeTimeout / 3)
        machine = DialMachine(
            addresses: addresses.count, limits: limits, at: endpoint.configuration.time.monotonic)
    }

    /// Dials. To be called once; cancelling the task ends everything.
    func run() async throws(KamuneError) -> Found<Session> {
        let ended: Outcome = await withTaskCancellationHandler {
            advance { $0.advance(at: $1) }
            return await withCheckedContinuation { continuation in
                if let outcome { continuation.resume(returning: outcome) } else { waiter = continuation }
            }
        } onCancel: {
            Task { await self.finish(.failure(.cancellation)) }
        }
        return try ended.get()
    }

    private var now: Duration { endpoint.configuration.time.monotonic }

    private func advance(_ event: (inout DialMachine, Duration) -> [DialMachine.Action]) {
        guard outcome == nil else { return }
        for action in event(&machine, now) { perform(action) }
        setAlarm()
    }

    private func perform(_ action: DialMachine.Action) {
        switch action {
        case .begin(let attempt, let address): begin(attempt, at: address)
        case .turn(let attempt): waiting.removeValue(forKey: attempt)?.resume(returning: true)
        case .postpone(let attempt): end(attempt)
        case .drop(let attempt, let address):
            end(attempt)
            note(address, KamuneError(.timedOut, "Nobody answered in time."))
        case .giveUp: finish(.failure(KamuneError(exhausted: failures)))
        }
    }

    // MARK: Attempts

    private func begin(_ attempt: Int, at index: Int) {
        let task = Task { [endpoint, expected, address = addresses[index]] in
            do throws(KamuneError) {
                let session = try await endpoint.dial(address, expecting: expected) { () async throws(KamuneError) in
                    guard await self.waitForTurn(attempt) else { throw .cancellation }
                }
                await self.established(attempt, session)
            } catch {
                self.failed(attempt, error)
            }
        }
        attempts[attempt] = (index, task)
    }

    /// Waits until an attempt that was answered may introduce itself.
    ///
    /// - Returns: False when it never may.
    private func waitForTurn(_ attempt: Int) async -> Bool {
        await withCheckedContinuation { continuation in
            guard attempts[attempt] != nil else { return continuation.resume(returning: false) }
            waiting[attempt] = continuation
            advance { $0.answered(attempt, at: $1) }
        }
    }

    private func established(_ attempt: Int, _ session: Session) async {
        guard outcome == nil, let address = attempts[attempt]?.address else {
            await session.close()
            return
        }
        attempts[attempt] = nil
        finish(.success(Found(carrier: session, address: addresses[address], failures: failures)))
    }

    private func failed(_ attempt: Int, _ error: KamuneError) {
        guard let address = attempts.removeValue(forKey: attempt)?.address else { return }
        note(address, error)
        advance { $0.failed(attempt, at: $1) }
    }

    private func note(_ address: Int, _ error: KamuneError) {
        failures.append(AddressFailure(address: addresses[address], error: error))
    }

    private func end(_ attempt: Int) {
        attempts.removeValue(forKey: attempt)?.task.cancel()
        waiting.removeValue(forKey: attempt)?.resume(returning: false)
    }

    private func finish(_ outcome: Outcome) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        for attempt in attempts.keys { end(attempt) }
        if let alarm { endpoint.configuration.alarms.cancel(alarm) }
        waiter?.resume(returning: outcome)
        waiter = nil
    }

    private func setAlarm() {
        let alarms = endpoint.configuration.alarms
        if let alarm { alarms.cancel(alarm) }
        guard outcome == nil, let deadline = machine.nextDeadline else { return alarm = nil }
        alarm = alarms.ring(after: max(deadline - now, .zero)) { [weak self] in
            await self?.advance { $0.advance(at: $1) }
        }
    }
}
