import KamuneSystem

/// A socket that systemd made, and has this process wait at (sd_listen_fds(3)).
package enum ActivatedSocket {
    /// The first descriptor that systemd hands over.
    private static let firstDescriptor: Int32 = 3

    /// The socket's descriptor; nil when this process was not started for one.
    ///
    /// - Parameter variable: The value of a variable of the environment.
    package static func descriptor(_ variable: (String) -> String?) -> Int32? {
        guard variable("LISTEN_PID") == String(getpid()), variable("LISTEN_FDS").flatMap({ Int($0) }) == 1 else {
            return nil
        }
        // Not for the programs that this one may start.
        guard fcntl(firstDescriptor, F_SETFD, FD_CLOEXEC) == 0 else { return nil }
        return firstDescriptor
    }
}
