import KamuneSystem
import Synchronization

/// Opens once; until then everybody waits.
final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    func open() {
        let waiting = state.withLock { state in
            defer { state = (true, []) }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    /// Waits for tasks to end, but not longer than this.
    static func wait(for tasks: [Task<Void, Never>], atMost limit: Duration, by time: any TimeSource) async {
        guard !tasks.isEmpty else { return }
        let gate = Gate()
        Task {
            for task in tasks { await task.value }
            gate.open()
        }
        let timer = Task {
            try? await time.sleep(for: limit)
            gate.open()
        }
        await gate.wait()
        timer.cancel()
    }
}
