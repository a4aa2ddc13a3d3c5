import Foundation
import KamuneSystem

/// Brings the process's signals to their owner, on a thread of their own, so that they work even when everything else is
/// stuck.
///
/// The handlers only write the signal's number to a pipe, whichever thread it comes to. Nothing else is safe in one, and
/// waiting for blocked signals would not do: when `main` waits for tasks, the system's library lets the first thread
/// take any signal.
enum ProcessSignals {
    /// Begins. Called once, before anything that a signal must not interrupt.
    static func deliver(to signals: Signals) {
        // Writing to a closed pipe shall be an error of that call, not the end of the program; and so for a file that may
        // not grow.
        _ = signal(SIGPIPE, SIG_IGN)
        _ = signal(SIGXFSZ, SIG_IGN)
        guard let ends = try? systemPipe() else { return }
        // A handler never waits.
        _ = fcntl(ends.write, F_SETFL, O_NONBLOCK)
        (readEnd, writeEnd) = ends
        Thread.detachNewThread {
            var number: UInt8 = 0
            while true {
                let count = withUnsafeMutableBytes(of: &number) { systemRead(readEnd, $0) }
                if count == 1 { signals.received(Int32(number)) }
                if count == 0 || count < 0 && errno != EINTR { return }
            }
        }
        for number in SignalRule.all where !isIgnored(number) { _ = signal(number, handler) }
    }

    /// Stops the process, as the system would without us, until it is continued. Called on the signals' own thread.
    static func stop() {
        perform(SIGTSTP)
        _ = signal(SIGTSTP, handler)
        // Whoever was stopped was continued by a signal. Where nobody is there to continue us, the system does not stop us;
        // then it is as if somebody had.
        var waiting = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        if poll(&waiting, 1, continuationLimit) == 0 { handler(SIGCONT) }
    }

    /// How long the signal may take that has continued us, in milliseconds.
    private static let continuationLimit: Int32 = 100

    /// Ends the process by a signal, so that whoever started it sees that.
    static func end(by number: Int32) {
        // That one would leave the memory in a file, with every key in it.
        if number != SIGQUIT { perform(number) }
        _exit(128 + number)
    }

    /// Has the system do what it does about a signal that nobody handles.
    private static func perform(_ number: Int32) {
        _ = signal(number, SIG_DFL)
        var only = sigset_t()
        var former = sigset_t()
        sigemptyset(&only)
        sigaddset(&only, number)
        pthread_sigmask(SIG_UNBLOCK, &only, &former)
        // To this thread, so that it is done when this returns.
        _ = raise(number)
        pthread_sigmask(SIG_SETMASK, &former, nil)
    }

    /// Whether whoever started us wants a signal ignored, as `nohup` does, and shells for what they start in the background.
    private static func isIgnored(_ number: Int32) -> Bool {
        let former = signal(number, SIG_IGN)
        _ = signal(number, former)
        // C functions cannot be compared. It is right: both are pointers of a word, looked at and never called.
        return unsafeBitCast(former, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    private static let handler: @convention(c) (Int32) -> Void = { number in
        let code = errno
        withUnsafeBytes(of: UInt8(truncatingIfNeeded: number)) { _ = systemWrite(writeEnd, $0) }
        errno = code
    }

    // Unsafe because they change. It is right: they are set once, before the handlers and the thread are there that use them.
    nonisolated(unsafe) private static var readEnd: Int32 = -1
    nonisolated(unsafe) private static var writeEnd: Int32 = -1
}
