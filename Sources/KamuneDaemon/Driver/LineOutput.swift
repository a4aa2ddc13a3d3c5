import Dispatch
import Foundation
import KamuneSocket
import KamuneSystem
import Synchronization

/// Writes lines to a file descriptor, in order, on a thread of its own.
final class LineOutput: DaemonOutput {
    private struct State {
        var pending: [UInt8] = []
        var isFinishing = false
    }

    private let backlog = Backlog(limit: DaemonLimits.waitingOutput)
    private let state = Mutex(State())
    private let work = DispatchSemaphore(value: 0)
    /// Opens when everything is written that will be.
    private let end = Gate()

    init(_ descriptor: Int32) {
        Thread.detachNewThread { [self] in write(to: descriptor) }
    }

    func send(_ line: [UInt8]) {
        guard backlog.add(line.count + 1) else { return }
        let isFirst = state.withLock { state in
            let isFirst = state.pending.isEmpty
            state.pending.append(contentsOf: line)
            state.pending.append(UInt8(ascii: "\n"))
            return isFirst
        }
        if isFirst { work.signal() }
    }

    func waitForRoom() async { await backlog.waitForRoom() }

    /// Whether nobody reads any more.
    var hasFailed: Bool { backlog.isClosed }

    /// From now on nobody waits for room: the end has come.
    func liftLimit() { backlog.liftLimit() }

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
                return (bytes, state.isFinishing)
            }
            let isWritten = write(bytes, to: descriptor)
            if !isWritten { backlog.close() }
            backlog.remove(bytes.count)
            let hasMore = state.withLock { !$0.pending.isEmpty }
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
