import KamuneSystem

/// Reads standard input, or another descriptor, when asked to and not ahead: what is not wanted yet stays with whoever
/// writes it. A terminal in the background is waited for.
final class InputReader: Sendable {
    private static let chunkSize = 16 * 1_024

    private let descriptor: Int32
    private let isTerminal: Bool
    private let queue = BlockingQueue("kamune.input")
    private let ending = WakePipe()

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
    }

    /// The next bytes, waiting for them; nil at the end, when reading fails, and after ``cancel()``, which cancelling the
    /// task does too.
    func read() async -> [UInt8]? {
        await withTaskCancellationHandler {
            await queue.run { [self] in readNow() }
        } onCancel: {
            cancel()
        }
    }

    /// Ends a read that waits, and all later ones.
    func cancel() {
        ending.wake()
    }

    private func readNow() -> [UInt8]? {
        var waiting = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: ending.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            if isTerminal, (try? Job.waitForForeground(descriptor)) == nil { return nil }
            let count = poll(&waiting, nfds_t(waiting.count), -1)
            if count < 0, errno != EINTR { return nil }
            if waiting[1].revents != 0 { return nil }
            guard count > 0, waiting[0].revents != 0 else { continue }
            // It may have gone to the background while nobody typed.
            if isTerminal, !Job.isInForeground(descriptor) { continue }
            var code: Int32 = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: Self.chunkSize) { buffer, count in
                let result = systemRead(descriptor, UnsafeMutableRawBufferPointer(buffer))
                if result < 0 { code = errno }
                count = max(result, 0)
            }
            if !chunk.isEmpty { return chunk }
            // Interrupted, or somebody else was faster: not the end.
            if ![EINTR, EAGAIN].contains(code) { return nil }
        }
    }
}
