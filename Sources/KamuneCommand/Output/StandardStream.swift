/// Standard output or standard error, without a buffer between.
struct StandardStream: Sendable {
    let descriptor: Int32

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Writes everything; blocks while the reader does not read.
    ///
    /// - Returns: What went wrong, if something did: a closed pipe, a full disk.
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
            let written = systemWrite(descriptor, rest)
            if written >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&waiting, 1, -1)
            default: return SystemError()
            }
        }
        return nil
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
        if let error = write(text) { throw Failure(.failure, "The output cannot be written: \(error).") }
    }
}
