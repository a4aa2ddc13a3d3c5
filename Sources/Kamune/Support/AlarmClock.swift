internal import HeapModule
package import KamuneSystem
internal import Synchronization

/// Wakes whoever has something to do at a time: all that is due together on one timer.
///
/// A process may hold thousands of sessions that each ping every half minute. A sleeping task for each would wake two
/// threads for each; here those that are due within each other's leeway are woken in one go, so that what they send
/// goes out together too.
package final class AlarmClock: Sendable {
    /// Alarms are ordered by when they have to ring at the latest. Nothing in one is counted by reference: a heap moves them
    /// about.
    private struct Alarm: Comparable {
        let due: Duration
        let latest: Duration
        let number: UInt64

        static func < (left: Alarm, right: Alarm) -> Bool { left.latest < right.latest }
        static func == (left: Alarm, right: Alarm) -> Bool { left.latest == right.latest }
    }

    typealias Ring = @Sendable () async -> Void

    private struct State {
        var alarms = Heap<Alarm>()
        /// What each does, by its number.
        var rings: [UInt64: Ring] = [:]
        var lastNumber: UInt64 = 0
        var sleeper: (until: Duration, task: Task<Void, Never>)?
    }

    /// By which they ring.
    package let time: any TimeSource
    private let state = Mutex(State())

    /// The one of this process.
    package static let shared = AlarmClock(time: .system)

    package init(time: any TimeSource) {
        self.time = time
    }

    /// How late an alarm may ring, as a share of the time until then, and at most.
    private static var leewayShare: Int { 32 }
    private static var longestLeeway: Duration { .seconds(1) }

    /// How many cancelled alarms are kept at least before those that are left are gathered.
    private static var fewCancelled: Int { 64 }

    /// Calls `ring` once after this time, or a little later: by a 32nd of it, at most a second.
    ///
    /// Alarms that ring together ring one after the other, so `ring` must not wait for anything but its actor.
    ///
    /// - Returns: What ``cancel(_:)`` takes.
    @discardableResult
    func ring(after wait: Duration, _ ring: @escaping Ring) -> UInt64 {
        let wait = max(wait, .zero)
        let due = time.monotonic + wait
        let leeway = min(wait / Self.leewayShare, Self.longestLeeway)
        return state.withLock { state in
            state.lastNumber += 1
            state.rings[state.lastNumber] = ring
            state.alarms.insert(Alarm(due: due, latest: due + leeway, number: state.lastNumber))
            sleep(&state)
            return state.lastNumber
        }
    }

    /// Lets an alarm not ring, and frees what it holds. One that has rung, or is about to, is left alone.
    func cancel(_ number: UInt64) {
        // Freed outside of the lock: that may run anybody's code.
        let ring = state.withLock { state in
            let ring = state.rings.removeValue(forKey: number)
            // A stranger who begins handshakes and drops them must not make us keep more than there are.
            if state.alarms.count > 2 * state.rings.count + Self.fewCancelled {
                let rings = state.rings
                state.alarms = Heap(state.alarms.unordered.filter { rings[$0.number] != nil })
            }
            return ring
        }
        withExtendedLifetime(ring) {}
    }

    /// How many alarms are kept, cancelled ones included.
    var alarmCount: Int { state.withLock { $0.alarms.count } }

    /// Sleeps for this time, or a little longer; see ``ring(after:_:)``.
    ///
    /// A sleep that is cancelled, as that of most limits, leaves nothing behind.
    ///
    /// - Throws: When the task is cancelled.
    func sleep(for time: Duration) async throws(CancellationError) {
        let sleeper = Sleeper()
        let isOver = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard sleeper.begin(continuation) else { return }
                let number = ring(after: time) { sleeper.end(isOver: true) }
                // A cancellation before has found no alarm to cancel.
                if !sleeper.keep(number) { cancel(number) }
            }
        } onCancel: {
            if let number = sleeper.end(isOver: false) { cancel(number) }
        }
        if !isOver { throw CancellationError() }
    }

    /// Sees to it that somebody sleeps until the first alarm has to ring, and no longer.
    private func sleep(_ state: inout State) {
        guard let latest = state.alarms.min?.latest else { return }
        if let sleeper = state.sleeper, sleeper.until <= latest { return }
        state.sleeper?.task.cancel()
        let task = Task.detached { [self] in
            // Cancelled when another wakes earlier.
            guard (try? await time.sleep(until: latest)) != nil else { return }
            await wake(latest)
        }
        state.sleeper = (latest, task)
    }

    private func wake(_ latest: Duration) async {
        while let ring = next(after: latest) { await ring() }
    }

    /// Takes out the next alarm that is due, or lets another sleep until one is.
    private func next(after latest: Duration) -> Ring? {
        let now = time.monotonic
        return state.withLock { state in
            // Somebody who woke just when an earlier alarm was set has no place here any more.
            guard state.sleeper?.until == latest else { return nil }
            while let first = state.alarms.min, first.due <= now {
                state.alarms.removeMin()
                if let ring = state.rings.removeValue(forKey: first.number) { return ring }
            }
            state.sleeper = nil
            sleep(&state)
            return nil
        }
    }
}

/// A task that sleeps until an alarm rings or it is cancelled, whichever comes first.
private final class Sleeper: Sendable {
    private enum State {
        case awake
        case asleep(CheckedContinuation<Bool, Never>, alarm: UInt64?)
        case ended
    }

    private let state = Mutex(State.awake)

    /// - Returns: Whether it sleeps now; else it was cancelled before.
    func begin(_ continuation: CheckedContinuation<Bool, Never>) -> Bool {
        let isCancelled = state.withLock { state in
            if case .ended = state { return true }
            state = .asleep(continuation, alarm: nil)
            return false
        }
        if isCancelled { continuation.resume(returning: false) }
        return !isCancelled
    }

    /// - Returns: Whether it still sleeps, and knows the alarm that wakes it.
    func keep(_ alarm: UInt64) -> Bool {
        state.withLock { state in
            guard case .asleep(let continuation, _) = state else { return false }
            state = .asleep(continuation, alarm: alarm)
            return true
        }
    }

    /// - Returns: The alarm that was to wake it.
    @discardableResult
    func end(isOver: Bool) -> UInt64? {
        let (continuation, alarm) = state.withLock { state -> (CheckedContinuation<Bool, Never>?, UInt64?) in
            defer { state = .ended }
            if case .asleep(let continuation, let alarm) = state { return (continuation, alarm) }
            return (nil, nil)
        }
        continuation?.resume(returning: isOver)
        return alarm
    }
}
