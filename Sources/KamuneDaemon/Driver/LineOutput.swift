import Dispatch
import Foundation
import KamuneSystem
import Synchronization

/// Writes lines to a file descriptor, in order, on a thread of its own.
final class LineOutput: DaemonOutput {
    private struct State {
        var pending: [UInt8] = []
        /// How many bytes are being written.
        var writing = 0
        /// Nobody reads any more.
        var hasFailed = false
        var isLimited = true
        var isFinishing = false
        var lastWaiter: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]

        var isFull: Bool { isLimited && !hasFailed && pending.count + writing > DaemonLimits.waitingOutput }

        mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
            guard !isFull else { return [] }
            defer { waiters = [:] }
            return Array(waiters.values)
        }
    }

    private let state = Mutex(State())
    private let work = DispatchSemaphore(value: 0)
    /// Opens when everything is written that will be.
    private let end = Gate()

    init(_ descriptor: Int32) {
        Thread.detachNewThread { [self] in write(to: descriptor) }
    }

    func send(_ line: [UInt8]) {
        let isFirst = state.withLock { state in
            if state.hasFailed { return false }
            let isFirst = state.pending.isEmpty
            state.pending.append(contentsOf: line)
            state.pending.append(UInt8(ascii: "\n"))
            return isFirst
        }
        if isFirst { work.signal() }
    }

    func waitForRoom() async {
        guard state.withLock({ $0.isFull }) else { return }
        let number = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    guard state.isFull, !Task.isCancelled else { return false }
                    state.waiters[number] = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
        }
    }

    /// Whether nobody reads any more.
    var hasFailed: Bool { state.withLock { $0.hasFailed } }

    /// From now on nobody waits for room: the end has come.
    func liftLimit() {
        let waiters = state.withLock { state in
            state.isLimited = false
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Waits until everything is written, but not longer than this.
    func finish(within limit: Duration, by time: any TimeSource) async {
        state.withLock { $0.isFinishing = true }
        work.signal()
        let timer = Task {
            try? await time.sleep(for: limit)
            end.open()
        }
        await end.wait()
        timer.cancel()
    }

    /// Waits until everything is written that will be, or nobody reads any more.
    func waitUntilEnded() async { await end.wait() }

    // MARK: The thread

    private func write(to descriptor: Int32) {
        while true {
            work.wait()
            let (bytes, isLast) = state.withLock { state in
                let bytes = state.pending
                state.pending = []
                state.writing = bytes.count
                return (bytes, state.isFinishing)
            }
            let isWritten = write(bytes, to: descriptor)
            let (waiters, hasMore) = state.withLock { state in
                state.writing = 0
                if !isWritten {
                    state.hasFailed = true
                    state.pending = []
                }
                return (state.takeWaiters(), !state.pending.isEmpty)
            }
            for waiter in waiters { waiter.resume() }
            guard isWritten, !isLast || hasMore else { break }
        }
        end.open()
    }

    private func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = systemWrite(descriptor, UnsafeRawBufferPointer(rebasing: rest))
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else if errno == EAGAIN {
                    var file = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&file, 1, -1)
                } else if errno != EINTR {
                    return false
                }
            }
            return true
        }
    }
}
