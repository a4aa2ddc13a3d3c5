import Foundation
import KamuneSystem
import Synchronization

/// The descriptors between a test and its child.
struct Ends {
    let ourInput: Int32
    let ourOutput: Int32
    let ourErrors: Int32?
    /// Standard input, output and error of the child, for pipes.
    let theirs: [Int32]
    /// The terminal that the child opens, else nil.
    let terminalPath: String?

    init(_ input: Child.Input) throws {
        switch input {
        case .pipe:
            let (input, output, errors) = (try systemPipe(), try systemPipe(), try systemPipe())
            (ourInput, ourOutput, ourErrors) = (input.write, output.read, errors.read)
            theirs = [input.read, output.write, errors.write]
            terminalPath = nil
        case .terminal:
            (ourInput, terminalPath) = try Self.terminal()
            ourOutput = dup(ourInput)
            _ = fcntl(ourOutput, F_SETFD, FD_CLOEXEC)
            ourErrors = nil
            theirs = []
        }
    }

    func closeTheirs() {
        for descriptor in theirs { close(descriptor) }
    }

    private static func terminal() throws -> (Int32, String) {
        #if canImport(Darwin)
        let ours = posix_openpt(O_RDWR | O_NOCTTY)
        guard ours >= 0, grantpt(ours) == 0, unlockpt(ours) == 0, let name = ptsname(ours) else {
            throw POSIXError(.EMFILE)
        }
        let path = String(cString: name)
        #else
        // What posix_openpt, unlockpt and ptsname do there; those are hidden from Swift.
        let ours = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var (unlocked, number) = (Int32(0), Int32(0))
        let (unlockRequest, numberRequest) = (UInt(0x4004_5431), UInt(0x8004_5430))
        guard ours >= 0, ioctl(ours, unlockRequest, &unlocked) == 0, ioctl(ours, numberRequest, &number) == 0 else {
            throw POSIXError(.EMFILE)
        }
        let path = "/dev/pts/\(number)"
        #endif
        _ = fcntl(ours, F_SETFD, FD_CLOEXEC)
        var size = winsize(ws_row: 40, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(ours, UInt(TIOCSWINSZ), &size)
        return (ours, path)
    }
}

/// Starts processes in sessions of their own, so that a terminal is theirs and its Ctrl-C reaches them alone.
enum Spawn {
    /// Starts a process, and returns our ends of what is between.
    static func start(
        _ program: String, _ arguments: [String], environment: [String: String], input: Child.Input
    ) throws -> (pid_t, Ends) {
        // One at a time: between making a descriptor and keeping it from being inherited, no other child may start.
        try lock.withLock { _ in
            let ends = try Ends(input)
            defer { ends.closeTheirs() }
            keepDescriptors()
            return (try start(program, arguments, environment: environment, ends: ends), ends)
        }
    }

    private static let lock = Mutex(())

    /// Keeps what other tests in this process have open from the child. Sockets of SwiftNIO are inherited unless somebody says
    /// otherwise; a port that a test has left would then still be listened on, by a child that knows nothing of it.
    private static func keepDescriptors() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/dev/fd")) ?? [] {
            if let descriptor = Int32(name), descriptor > STDERR_FILENO { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        }
    }

    private static func start(
        _ program: String, _ arguments: [String], environment: [String: String], ends: Ends
    ) throws -> pid_t {
        #if canImport(Darwin)
        let flags =
            POSIX_SPAWN_SETSID | Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK)
            | POSIX_SPAWN_CLOEXEC_DEFAULT
        #else
        // POSIX_SPAWN_SETSID of glibc and musl.
        let flags = 0x80 | Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK)
        #endif
        var processID: pid_t = 0
        let code = withSpawnPreparation { actions, attributes in
            if let path = ends.terminalPath {
                for descriptor in 0..<Int32(3) {
                    // The first terminal that a session opens becomes its own.
                    posix_spawn_file_actions_addopen(&actions, descriptor, path, O_RDWR, 0)
                }
            } else {
                for (index, descriptor) in ends.theirs.enumerated() {
                    posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(index))
                }
            }
            var all = sigset_t()
            sigfillset(&all)
            posix_spawnattr_setsigdefault(&attributes, &all)
            // A thread of the tests may have signals blocked, and not every program takes them back.
            var none = sigset_t()
            sigemptyset(&none)
            posix_spawnattr_setsigmask(&attributes, &none)
            posix_spawnattr_setflags(&attributes, Int16(flags))
            return withCStrings([program] + arguments) { arguments in
                withCStrings(environment.map { "\($0.key)=\($0.value)" }) { environment in
                    posix_spawn(&processID, program, &actions, &attributes, arguments, environment)
                }
            }
        }
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EINVAL) }
        return processID
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = strings.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers + [nil])
    }
}
