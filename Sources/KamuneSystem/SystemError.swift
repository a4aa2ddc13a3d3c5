/// What the system says about the last call that failed.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    /// The system's number, such as `ENOSPC`.
    package let code: Int32

    /// - Parameter code: By default the number that the last call of this thread left.
    package init(_ code: Int32 = errno) {
        self.code = code
    }

    /// The system's words, such as "No space left on device".
    package var description: String {
        strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }
}

/// Repeats a system call that a signal interrupted.
///
/// - Throws: What the system says when the call fails, that is, returns -1.
package func retrying<Result: FixedWidthInteger>(_ call: () -> Result) throws(SystemError) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let code = errno
        if code != EINTR { throw SystemError(code) }
    }
}
