import KamuneSystem
import Synchronization

/// A clock that stands still until it is moved: for tests of what happens after half an hour, in no time.
///
/// It serves every kind of code: what is told the time takes `moment`, what asks for it has this one for its
/// `TimeSource`, and what sleeps on a `Clock` sleeps on this one until ``advance(by:)`` passes its deadline.
///
/// ```swift
/// let clock = ManualClock()
/// async let outcome: Void = reconnect(after: .seconds(5), clock: clock)
/// try await clock.waitForSleepers()
/// clock.advance(by: .seconds(5))
/// await outcome
/// ```
public final class ManualClock: Clock, Sendable {
    /// A time that the clock shows.
    public struct Instant: InstantProtocol {
        /// How far the clock was moved until then, since it was made.
        public let elapsed: Duration

        /// The time at which the clock has been moved this far.
        public init(elapsed: Duration) {
            self.elapsed = elapsed
        }

        /// The time that is later by `duration`.
        public func advanced(by duration: Duration) -> Instant {
            Instant(elapsed: elapsed + duration)
        }

        /// How much later the other time is.
        public func duration(to other: Instant) -> Duration {
            other.elapsed - elapsed
        }

        /// Earlier is less.
        public static func < (left: Instant, right: Instant) -> Bool {
            left.elapsed < right.elapsed
        }
    }

    private struct State {
        var now = Instant(elapsed: .zero)
        var wallOffset: Duration
        var waiters: [UInt64: Waiter] = [:]
        var lastID: UInt64 = 0

        var sleeperCount: Int {
            waiters.values.count { if case .time = $0.condition { true } else { false } }
        }

        func isMet(_ condition: Condition) -> Bool {
            switch condition {
            case .time(let deadline): deadline <= now
            case .sleepers(let count): sleeperCount >= count
            }
        }

        /// Takes out those who have waited long enough, the earliest deadline first.
        mutating func takeReady() -> [Continuation] {
            let ready = waiters.filter { isMet($0.value.condition) }
                .sorted { ($0.value.order, $0.key) < ($1.value.order, $1.key) }
            for (id, _) in ready { waiters[id] = nil }
            return ready.map(\.value.continuation)
        }
    }

    private enum Condition {
        case time(Instant)
        case sleepers(Int)
    }

    private typealias Continuation = CheckedContinuation<Void, any Error>

    private struct Waiter {
        let condition: Condition
        let continuation: Continuation

        var order: Duration {
            switch condition {
            case .time(let deadline): deadline.elapsed
            case .sleepers: .zero
            }
        }
    }

    private let state: Mutex<State>

    /// A clock whose civil time begins so long after the beginning of 1970: by default at 2026-01-01T00:00:00Z.
    public init(wall: Duration = .seconds(1_767_225_600)) {
        state = Mutex(State(wallOffset: wall))
    }

    /// The time that the clock shows.
    public var now: Instant { state.withLock { $0.now } }

    /// There is no smallest step.
    public var minimumResolution: Duration { .zero }

    /// Civil time since the beginning of 1970, and monotonic time, which begins at zero.
    public var times: (wall: Duration, monotonic: Duration) {
        state.withLock { ($0.wallOffset + $0.now.elapsed, $0.now.elapsed) }
    }

    /// Moves the clock forward, and wakes whoever slept until then or earlier. They run when they are scheduled, and see
    /// the time that the clock was moved to, not the one that they slept until.
    ///
    /// A negative duration does nothing: this clock never goes back.
    public func advance(by duration: Duration) {
        advance(to: now.advanced(by: duration))
    }

    /// Moves the clock forward to a time; see ``advance(by:)``.
    public func advance(to instant: Instant) {
        let ready = state.withLock { state in
            state.now = max(state.now, instant)
            return state.takeReady()
        }
        for continuation in ready { continuation.resume() }
    }

    /// Sets civil time, as a person or a time server would, forward or back. Nobody is woken.
    public func setWall(_ time: Duration) {
        state.withLock { $0.wallOffset = time - $0.now.elapsed }
    }

    /// Sleeps until the clock has been moved to `deadline`; not at all when it shows that time already.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    public func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
        try await wait(for: .time(deadline))
    }

    /// How many tasks sleep on this clock now.
    public var sleeperCount: Int { state.withLock { $0.sleeperCount } }

    /// Waits until at least `count` tasks sleep on this clock: then it can be moved without passing them by.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    public func waitForSleepers(_ count: Int = 1) async throws {
        try await wait(for: .sleepers(count))
    }

    private func wait(for condition: Condition) async throws {
        try Task.checkCancellation()
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: Continuation) in
                let ready = state.withLock { state in
                    state.waiters[id] = Waiter(condition: condition, continuation: continuation)
                    return state.takeReady()
                }
                for continuation in ready { continuation.resume() }
                // A cancellation before the entry was made has found nothing to cancel.
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func cancel(_ id: UInt64) {
        let waiter = state.withLock { $0.waiters.removeValue(forKey: id) }
        waiter?.continuation.resume(throwing: CancellationError())
    }
}

extension ManualClock: TimeSource {
    /// Civil time.
    package var wall: Duration { times.wall }

    /// How far the clock was moved.
    package var monotonic: Duration { now.elapsed }

    /// Sleeps until the clock was moved this far.
    ///
    /// - Throws: When the task is cancelled.
    package func sleep(until deadline: Duration) async throws(CancellationError) {
        do {
            try await sleep(until: Instant(elapsed: deadline), tolerance: nil)
        } catch {
            throw CancellationError()
        }
    }
}
