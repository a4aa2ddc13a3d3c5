import KamuneSystem

/// The program as one of the jobs of a shell. Whoever uses the terminal in the background is stopped by the system until
/// the person brings the job back, and this program like any other: but its threads block signals, and where these are
/// blocked, the system lets writing pass and fails reading. So they are let through wherever a terminal is used.
enum Job {
    /// Runs a call that uses a terminal, and lets the system stop the program in it.
    static func usingTerminal<Result>(_ call: () -> Result) -> Result {
        var signals = sigset_t()
        var former = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTTIN)
        sigaddset(&signals, SIGTTOU)
        pthread_sigmask(SIG_UNBLOCK, &signals, &former)
        let result = call()
        let code = errno
        pthread_sigmask(SIG_SETMASK, &former, nil)
        errno = code
        return result
    }

    /// Whether the terminal is this job's to use, or not one that is shared among jobs.
    static func isInForeground(_ descriptor: Int32) -> Bool {
        let group = tcgetpgrp(descriptor)
        return group == -1 || group == getpgrp()
    }

    /// Drops what was typed and not read yet. Does nothing in the background, where it is somebody else's.
    static func discardInput(_ descriptor: Int32) {
        if isatty(descriptor) == 1, isInForeground(descriptor) { _ = tcflush(descriptor, TCIFLUSH) }
    }

    /// Waits, stopped, until the terminal is this job's.
    ///
    /// - Throws: When nobody can ever bring it back, since its shell is gone.
    static func waitForForeground(_ descriptor: Int32) throws(SystemError) {
        if isInForeground(descriptor) { return }
        // Of the calls that count as using the terminal, one that changes nothing.
        _ = try retrying { usingTerminal { tcflow(descriptor, TCOON) } }
        // SIGTTOU is ignored, so nothing waits.
        guard isInForeground(descriptor) else { throw SystemError(EIO) }
    }
}
