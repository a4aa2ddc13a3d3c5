import DequeModule
import Synchronization

/// The events of a window, in order, until they are taken. At most 4 MiB of them wait; whoever does not keep up is told
/// ``NodeEvent/lagged`` in the place of what was left out.
public final class NodeEvents: AsyncSequence, Sendable {
    /// An event.
    public typealias Element = NodeEvent
    /// The sequence ends, and never fails.
    public typealias Failure = Never

    private struct State {
        var waiting: Deque<NodeEvent> = []
        var bytes = 0
        var isLagging = false
        var isFinished = false
        /// Whether what was given last is not done with yet.
        var isGiven = false
        var consumer: CheckedContinuation<Void, Never>?
        var emptyWaiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// How many bytes of events may wait.
    static let maximumBytes = 4 << 20

    /// With nothing in it.
    package init() {}

    /// Adds events.
    ///
    /// - Parameter isLimited: Whether events are left out when too many wait.
    package func add(_ events: [NodeEvent], isLimited: Bool = true) {
        let consumer = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.isFinished else { return nil }
            for event in events {
                // From what was left out on nothing comes before it was told.
                if isLimited, state.isLagging || state.bytes >= Self.maximumBytes {
                    state.isLagging = true
                    break
                }
                state.waiting.append(event)
                state.bytes += event.size
            }
            return state.consumer.take()
        }
        consumer?.resume()
    }

    /// Nothing more comes.
    package func finish() {
        let (consumer, waiters) = state.withLock { state in
            state.isFinished = true
            defer { state.emptyWaiters = [] }
            return (state.consumer.take(), state.emptyWaiters)
        }
        consumer?.resume()
        for waiter in waiters { waiter.resume() }
    }

    /// Waits until everything was taken, and whoever took it has asked for more.
    package func waitUntilTaken() async {
        await withCheckedContinuation { continuation in
            let isTaken = state.withLock { state in
                if state.isFinished || state.waiting.isEmpty && !state.isGiven { return true }
                state.emptyWaiters.append(continuation)
                return false
            }
            if isTaken { continuation.resume() }
        }
    }

    /// The next events, waiting for one; none at the end, and when the task is cancelled.
    ///
    /// - Parameter limit: So many at most, 1 or more.
    public func next(atMost limit: Int) async -> [NodeEvent] {
        while true {
            let (events, isEnd, waiters) = state.withLock {
                state -> ([NodeEvent], Bool, [CheckedContinuation<Void, Never>]) in
                state.isGiven = false
                if state.waiting.isEmpty {
                    if state.isLagging {
                        state.isLagging = false
                        state.isGiven = true
                        return ([.lagged], false, [])
                    }
                    defer { state.emptyWaiters = [] }
                    return ([], state.isFinished, state.emptyWaiters)
                }
                let count = Swift.min(Swift.max(1, limit), state.waiting.count)
                let events = Array(state.waiting.prefix(count))
                state.waiting.removeFirst(count)
                state.bytes -= events.reduce(0) { $0 + $1.size }
                state.isGiven = true
                return (events, false, [])
            }
            for waiter in waiters { waiter.resume() }
            if !events.isEmpty || isEnd || Task.isCancelled { return events }
            await waitForEvent()
        }
    }

    private func waitForEvent() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isThere = state.withLock { state in
                    if !state.waiting.isEmpty || state.isLagging || state.isFinished || Task.isCancelled { return true }
                    state.consumer = continuation
                    return false
                }
                if isThere { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.consumer.take() }?.resume()
        }
    }

    /// Iterates over the events that were not taken yet.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(events: self) }

    /// Takes events, one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let events: NodeEvents

        /// The next event, waiting for it; nil at the end, and when the task is cancelled.
        public mutating func next() async -> NodeEvent? { await events.next(atMost: 1).first }

        /// The next event, waiting for it; nil at the end, and when the task is cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> NodeEvent? {
            await events.next(atMost: 1).first
        }
    }
}
