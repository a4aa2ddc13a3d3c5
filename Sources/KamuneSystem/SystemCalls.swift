// Some types have members of these names, so the system's functions are spelled in full here, once; and what systems
// have under different names or types gets one.

/// `read(2)`.
package func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    #if canImport(Darwin)
    Darwin.read(descriptor, buffer.baseAddress, buffer.count)
    #elseif canImport(Musl)
    Musl.read(descriptor, buffer.baseAddress, buffer.count)
    #else
    Glibc.read(descriptor, buffer.baseAddress, buffer.count)
    #endif
}

/// `write(2)`.
package func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    #if canImport(Darwin)
    Darwin.write(descriptor, bytes.baseAddress, bytes.count)
    #elseif canImport(Musl)
    Musl.write(descriptor, bytes.baseAddress, bytes.count)
    #else
    Glibc.write(descriptor, bytes.baseAddress, bytes.count)
    #endif
}

/// `close(2)`.
package func systemClose(_ descriptor: Int32) {
    #if canImport(Darwin)
    _ = Darwin.close(descriptor)
    #elseif canImport(Musl)
    _ = Musl.close(descriptor)
    #else
    _ = Glibc.close(descriptor)
    #endif
}

/// `connect(2)`.
package func systemConnect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ size: socklen_t) -> Int32 {
    #if canImport(Darwin)
    Darwin.connect(descriptor, address, size)
    #elseif canImport(Musl)
    Musl.connect(descriptor, address, size)
    #else
    Glibc.connect(descriptor, address, size)
    #endif
}

/// `listen(2)`.
package func systemListen(_ descriptor: Int32, _ backlog: Int32) -> Int32 {
    #if canImport(Darwin)
    Darwin.listen(descriptor, backlog)
    #elseif canImport(Musl)
    Musl.listen(descriptor, backlog)
    #else
    Glibc.listen(descriptor, backlog)
    #endif
}

/// `pipe(2)`: two ends that no child inherits.
package func systemPipe() throws(SystemError) -> (read: Int32, write: Int32) {
    var ends: [Int32] = [-1, -1]
    #if canImport(Darwin)
    let code = Darwin.pipe(&ends)
    #elseif canImport(Musl)
    let code = Musl.pipe(&ends)
    #else
    let code = Glibc.pipe(&ends)
    #endif
    guard code == 0 else { throw SystemError() }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
}

/// `socketpair(2)`: two connected sockets that no child inherits, on Linux not even one that is started at this moment.
package func systemSocketPair() throws(SystemError) -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    #if canImport(Darwin)
    let code = socketpair(AF_UNIX, SocketType.stream, 0, &ends)
    #else
    let code = socketpair(AF_UNIX, SocketType.stream | SocketType.closedInChildren, 0, &ends)
    #endif
    guard code == 0 else { throw SystemError() }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
}

/// The types of sockets, as `socket(2)` takes them.
package enum SocketType {
    #if canImport(Glibc)
    package static let stream = Int32(SOCK_STREAM.rawValue)
    package static let datagram = Int32(SOCK_DGRAM.rawValue)
    fileprivate static let closedInChildren = Int32(SOCK_CLOEXEC.rawValue)
    #else
    package static let stream = Int32(SOCK_STREAM)
    package static let datagram = Int32(SOCK_DGRAM)
    #if canImport(Musl)
    fileprivate static let closedInChildren = Int32(SOCK_CLOEXEC)
    #endif
    #endif
}

/// The flags of `send(2)` and its like.
package enum SendFlags {
    /// Never raises SIGPIPE. Where there is no such flag, a socket has an option for it.
    #if canImport(Darwin)
    package static let withoutSignal: Int32 = 0
    #else
    package static let withoutSignal = Int32(MSG_NOSIGNAL)
    #endif

    /// Never waits.
    package static let withoutWaiting = Int32(MSG_DONTWAIT)
}

/// Has the disk keep the contents of a file: `fdatasync(2)`, or on Apple's systems, where that reaches the disk's own memory
/// only, `F_FULLFSYNC`.
package func systemSynchronizeData(_ descriptor: Int32) throws(SystemError) {
    #if canImport(Darwin)
    let code = fcntl(descriptor, F_FULLFSYNC)
    #else
    let code = fdatasync(descriptor)
    #endif
    guard code == 0 else { throw SystemError() }
}

/// How many files and sockets this process may have open, now and at the most that it may ask for; nil when the system does
/// not say.
package func systemOpenFileLimit() -> (current: UInt64, greatest: UInt64)? {
    var limit = rlimit()
    guard getrlimit(openFilesResource, &limit) == 0 else { return nil }
    return (UInt64(limit.rlim_cur), UInt64(limit.rlim_max))
}

/// Asks for another limit of open files. Everything stays as it was if the system does not let us.
package func setSystemOpenFileLimit(_ count: UInt64) {
    var limit = rlimit()
    guard getrlimit(openFilesResource, &limit) == 0 else { return }
    limit.rlim_cur = min(rlim_t(count), limit.rlim_max)
    #if canImport(Darwin)
    // More is refused there, whatever the limit says.
    limit.rlim_cur = min(limit.rlim_cur, rlim_t(OPEN_MAX))
    #endif
    _ = setrlimit(openFilesResource, &limit)
}

#if canImport(Glibc)
private let openFilesResource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
#else
private let openFilesResource = RLIMIT_NOFILE
#endif
