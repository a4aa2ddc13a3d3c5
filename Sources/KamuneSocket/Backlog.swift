import Synchronization

/// How much waits to be written to somebody who reads slowly, and who waits until there is room for more: the one bound of
/// everything that goes out in lines.
///
/// It counts bytes. Whoever adds never waits; whoever is about to make more waits first.
package final class Backlog: Sendable {
    /// What somebody waits for.
    private enum Condition: Sendable {
        case room, nothing, end
    }

    private struct State {
        var bytes = 0
        /// Nobody will read any more.
        var isClosed = false
        var isLimited = true
        var lastWaiter: UInt64 = 0
        var waiters: [UInt64: (condition: Condition, continuation: CheckedContinuation<Void, Never>)] = [:]

        func meets(_ condition: Condition, limit: Int) -> Bool {
            if isClosed { return true }
            return switch condition {
            case .room: !isLimited || bytes < limit
            case .nothing: bytes == 0
            case .end: false
            }
        }

        mutating func takeReady(limit: Int) -> [CheckedContinuation<Void, Never>] {
            if waiters.isEmpty { return [] }
            let ready = waiters.filter { meets($0.value.condition, limit: limit) }
            for number in ready.keys { waiters[number] = nil }
            return ready.values.map(\.continuation)
        }
    }

    private let limit: Int
    private let state = Mutex(State())

    /// Nothing waits yet.
    ///
    /// - Parameter limit: From how many bytes on there is no room for more.
    package init(limit: Int) { self.limit = limit }

    // MARK: Counting

    /// Notes that so many bytes wait from now on.
    ///
    /// - Returns: Whether they will be written: not when nobody reads any more.
    package func add(_ count: Int) -> Bool {
        state.withLock { state in
            if !state.isClosed { state.bytes += count }
            return !state.isClosed
        }
    }

    /// As ``add(_:)``, but only if there is room: however many add at once, no more than one goes beyond the limit.
    package func addIfThereIsRoom(_ count: Int) -> Bool {
        state.withLock { state in
            guard !state.isClosed, state.meets(.room, limit: limit) else { return false }
            state.bytes += count
            return true
        }
    }

    /// Notes that so many bytes wait no more.
    package func remove(_ count: Int) {
        change { $0.bytes -= count }
    }

    /// Nobody will read any more: nobody waits for it either.
    package func close() {
        change { $0.isClosed = true }
    }

    /// From now on there is always room: the end has come, and whatever is still to be said is said.
    package func liftLimit() {
        change { $0.isLimited = false }
    }

    private func change(_ body: (inout State) -> Void) {
        let ready = state.withLock { state in
            body(&state)
            return state.takeReady(limit: limit)
        }
        for continuation in ready { continuation.resume() }
    }

    // MARK: Waiting

    /// Whether there is room for more, and somebody who reads it.
    package var hasRoom: Bool { state.withLock { !$0.isClosed && $0.meets(.room, limit: limit) } }

    /// Whether nobody will read any more.
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Waits until there is room for more. Returns also when nobody will read any more, and when the task is cancelled.
    package func waitForRoom() async { await wait(for: .room) }

    /// Waits until nothing waits any more. Returns also when nobody will read any more, and when the task is cancelled.
    package func waitUntilEmpty() async { await wait(for: .nothing) }

    /// Waits until nobody will read any more. Returns also when the task is cancelled.
    package func waitUntilClosed() async { await wait(for: .end) }

    private func wait(for condition: Condition) async {
        let number = state.withLock { state -> UInt64? in
            if state.meets(condition, limit: limit) { return nil }
            state.lastWaiter += 1
            return state.lastWaiter
        }
        guard let number else { return }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    guard !state.meets(condition, limit: limit), !Task.isCancelled else { return false }
                    state.waiters[number] = (condition, continuation)
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.continuation.resume()
        }
    }
}
