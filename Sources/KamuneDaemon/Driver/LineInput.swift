import Foundation
import KamuneSystem
import Synchronization

/// Reads lines from a file descriptor, on a thread of its own. While nobody takes them, it reads no further than one more
/// piece.
final class LineInput: Sendable {
    /// How much is read at once, in bytes.
    private static let pieceSize = 64 << 10

    private struct State {
        var waiting: [LineCutter.Cut]?
        var isOver = false
        var taker: CheckedContinuation<[LineCutter.Cut]?, Never>?
    }

    private let state = Mutex(State())
    /// Says that what waited was taken.
    private let taken = DispatchSemaphore(value: 0)
    private let stopping: (read: Int32, write: Int32)

    init(_ descriptor: Int32) throws(SystemError) {
        stopping = try systemPipe()
        let wake = stopping.read
        Thread.detachNewThread { self.read(descriptor, wake) }
    }

    deinit {
        systemClose(stopping.read)
        systemClose(stopping.write)
    }

    /// The next lines, waiting for them; nil at the end. Asked by one task at a time.
    func next() async -> [LineCutter.Cut]? {
        await withCheckedContinuation { continuation in
            let answer: [LineCutter.Cut]?? = state.withLock { state in
                if let waiting = state.waiting {
                    state.waiting = nil
                    return .some(waiting)
                }
                if state.isOver { return .some(nil) }
                state.taker = continuation
                return nil
            }
            guard let answer else { return }
            if answer != nil { taken.signal() }
            continuation.resume(returning: answer)
        }
    }

    /// Reads no more. Whoever waits is told that it is the end.
    func stop() {
        withUnsafeBytes(of: UInt8(0)) { _ = systemWrite(stopping.write, $0) }
        finish()
        taken.signal()
    }

    // MARK: The thread

    private func read(_ descriptor: Int32, _ wake: Int32) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 1)
        defer { buffer.deallocate() }
        var cutter = LineCutter()
        while isReadable(descriptor, wake) {
            let count = systemRead(descriptor, buffer)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { break }
            let cuts = cutter.take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            // A passphrase may have been in it.
            UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]).initializeMemory(as: UInt8.self, repeating: 0)
            if !cuts.isEmpty { offer(cuts) }
            if state.withLock({ $0.isOver }) { return }
        }
        let last = cutter.finish()
        if !last.isEmpty { offer(last) }
        finish()
    }

    /// Waits until there is something to read, or nothing is to be read any more.
    private func isReadable(_ descriptor: Int32, _ wake: Int32) -> Bool {
        var files = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let count = poll(&files, 2, -1)
            if count < 0, errno == EINTR { continue }
            return count > 0 && files[1].revents == 0
        }
    }

    /// Hands lines over, and waits until they were taken.
    private func offer(_ cuts: [LineCutter.Cut]) {
        let taker = state.withLock { state in
            defer { state.taker = nil }
            if state.taker == nil { state.waiting = cuts }
            return state.taker
        }
        if let taker { taker.resume(returning: cuts) } else { taken.wait() }
    }

    private func finish() {
        let taker = state.withLock { state in
            state.isOver = true
            defer { state.taker = nil }
            return state.taker
        }
        taker?.resume(returning: nil)
    }
}
