import KamuneSystem

/// Standard output or standard error, or another descriptor, without a buffer between.
final class StandardStream: Sendable {
    let descriptor: Int32
    /// Whether a person watches.
    let isTerminal: Bool
    /// Ends writing that waits for a reader who does not read.
    private let ending: WakePipe?
    /// Whether the reader can be slow: not where a file takes everything.
    private let canWait: Bool

    /// So much a pipe takes at once whenever it is ready for anything (POSIX, `write`), so that waiting is `poll`'s alone.
    private static let pieceSize = Int(PIPE_BUF)

    /// - Parameter ending: Wakes who waits for the reader when nothing is to be waited for any more. Without it the reader
    ///   is waited for without end.
    init(_ descriptor: Int32, ending: WakePipe? = nil) {
        self.descriptor = descriptor
        self.ending = ending
        isTerminal = isatty(descriptor) == 1
        var status = stat()
        canWait = fstat(descriptor, &status) != 0 || status.st_mode & S_IFMT != S_IFREG
    }

    /// How many columns the terminal has; 80 where it does not say.
    var columns: Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Writes everything; blocks while the reader does not read.
    ///
    /// - Returns: What went wrong, if something did: a closed pipe, a full disk; `ECANCELED` after ``abandon()``.
    @discardableResult
    func write(_ text: String) -> SystemError? {
        write(Array(text.utf8))
    }

    /// Writes everything; see ``write(_:)-(String)``.
    @discardableResult
    func write(_ bytes: [UInt8]) -> SystemError? {
        bytes.withUnsafeBytes { write($0) }
    }

    /// Writes everything; see ``write(_:)-(String)``.
    @discardableResult
    func write(_ bytes: UnsafeRawBufferPointer) -> SystemError? {
        var rest = bytes
        while !rest.isEmpty {
            if canWait, let error = waitForReader() { return error }
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(canWait ? Self.pieceSize : rest.count))
            let written =
                isTerminal ? Job.usingTerminal { systemWrite(descriptor, piece) } : systemWrite(descriptor, piece)
            if written >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            } else if errno != EINTR, errno != EAGAIN {
                return SystemError()
            }
        }
        return nil
    }

    /// Ends writing that waits for the reader, here and at every stream that shares the same ending.
    func abandon() {
        ending?.wake()
    }

    private func waitForReader() -> SystemError? {
        var waiting = [
            pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0),
            pollfd(fd: ending?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let count = poll(&waiting, nfds_t(waiting.count), -1)
            if count < 0 {
                if errno == EINTR { continue }
                return SystemError()
            }
            // What can be written is, even then.
            if waiting[0].revents != 0 { return nil }
            if waiting[1].revents != 0 { return SystemError(ECANCELED) }
        }
    }
}

extension StandardStream {
    /// Fills the places of standard streams that were closed when the program was started, so that no file or socket
    /// takes them and is written to. What is written to such a place fails.
    static func reserve() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
            // The lowest free descriptor is taken, which is this one.
            _ = open("/dev/null", O_RDONLY)
        }
    }

    /// Writes a line, or lines.
    ///
    /// - Throws: A ``Failure`` when nobody can read it, or the disk is full.
    func print(_ text: String) throws(Failure) {
        try put(text + "\n")
    }

    /// Writes text as it is; see ``print(_:)``.
    func put(_ text: String) throws(Failure) {
        try put(Array(text.utf8))
    }

    /// Writes bytes as they are; see ``print(_:)``.
    func put(_ bytes: [UInt8]) throws(Failure) {
        if let error = write(bytes) { throw Failure(output: error) }
    }

    /// Writes a secret as it is; see ``print(_:)``.
    func put(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        if let error = write(bytes) { throw Failure(output: error) }
    }
}
