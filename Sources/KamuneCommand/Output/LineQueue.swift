import Synchronization

/// Lines that wait to be written, for those who must not wait for a reader. They are bounded in bytes: what comes beyond that
/// is left out, and counted.
final class LineQueue: Sendable {
    /// What is to be written next.
    struct Entry: Equatable, Sendable {
        let text: String
        /// How many were left out before it.
        let missed: Int
    }

    private struct State {
        var entries: [Entry] = []
        var size = 0
        var missed = 0
        var isFinished = false
        var waiter: CheckedContinuation<Entry?, Never>?

        mutating func take() -> Entry? {
            guard !entries.isEmpty else { return nil }
            let entry = entries.removeFirst()
            size -= entry.text.utf8.count
            return entry
        }
    }

    private let state: Mutex<State>
    /// The most that waits, in bytes.
    private let limit: Int

    init(limit: Int) {
        state = Mutex(State())
        self.limit = limit
    }

    /// Adds a line, or lines. Never waits.
    func add(_ text: String) {
        let (waiter, entry) = state.withLock { state -> (CheckedContinuation<Entry?, Never>?, Entry?) in
            guard !state.isFinished, state.size + text.utf8.count <= limit else {
                state.missed += 1
                return (nil, nil)
            }
            state.entries.append(Entry(text: text, missed: state.missed))
            state.missed = 0
            state.size += text.utf8.count
            guard let waiter = state.waiter.take() else { return (nil, nil) }
            return (waiter, state.take())
        }
        waiter?.resume(returning: entry)
    }

    /// The next line, waiting for it; nil when all are taken and ``finish()`` was called. One task may wait.
    func next() async -> Entry? {
        await withCheckedContinuation { continuation in
            let (isReady, entry) = state.withLock { state -> (Bool, Entry?) in
                if let entry = state.take() { return (true, entry) }
                if state.isFinished { return (true, nil) }
                state.waiter = continuation
                return (false, nil)
            }
            if isReady { continuation.resume(returning: entry) }
        }
    }

    /// No more lines will come.
    func finish() {
        state.withLock { state in
            state.isFinished = true
            return state.waiter.take()
        }?.resume(returning: nil)
    }
}
