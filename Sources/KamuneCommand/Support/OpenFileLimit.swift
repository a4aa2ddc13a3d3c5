import KamuneSystem

/// How many files and sockets this program may have open.
enum OpenFileLimit {
    /// Takes as many as the system allows.
    ///
    /// The usual limit, 1,024 or 256, is for the sake of programs that wait by `select`, which have a bit for each. Ours do
    /// not, and a listener may have thousands of peers.
    static func raise() {
        var limit = rlimit()
        #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
        let resource = RLIMIT_NOFILE
        #endif
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        #if canImport(Darwin)
        // More is refused there, whatever the limit says.
        limit.rlim_cur = min(limit.rlim_cur, rlim_t(OPEN_MAX))
        #endif
        // As before if the system does not let us.
        _ = setrlimit(resource, &limit)
    }
}
