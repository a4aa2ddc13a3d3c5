import Foundation
import KamuneSystem

/// Starts this program once more, in a session of its own, so that it goes on when the terminal is closed.
enum BackgroundProcess {
    /// Starts it.
    ///
    /// - Parameters:
    ///   - path: The program.
    ///   - arguments: Without the program's name. No secret: everybody can read them.
    /// - Returns: The process, and the end of a pipe from which what it says on standard error is read.
    static func start(_ path: String, _ arguments: [[UInt8]]) throws(SystemError) -> (process: pid_t, errors: Int32) {
        let pipe = try systemPipe()
        defer { systemClose(pipe.write) }
        let texts = [Array(path.utf8)] + arguments
        var pointers: [UnsafeMutablePointer<CChar>?] = texts.map { text in
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: text.count + 1)
            for (index, byte) in text.enumerated() { copy[index] = CChar(bitPattern: byte) }
            copy[text.count] = 0
            return copy
        }
        defer { for pointer in pointers { pointer?.deallocate() } }
        pointers.append(nil)
        // What the environment says of passphrases is for the one who was given it, not for a process that stays.
        var variables: [UnsafeMutablePointer<CChar>?] = []
        var next = environ
        while let entry = next.pointee {
            if !isSecret(entry) { variables.append(entry) }
            next += 1
        }
        variables.append(nil)
        var process: pid_t = 0
        let code = withSpawnPreparation { actions, attributes in
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
            posix_spawn_file_actions_adddup2(&actions, pipe.write, STDERR_FILENO)
            // What a terminal, a script or a build has open is not to be kept open by a process that stays.
            #if canImport(Darwin)
            posix_spawnattr_setflags(&attributes, Int16(newSession | POSIX_SPAWN_CLOEXEC_DEFAULT))
            #else
            for descriptor in otherDescriptors { posix_spawn_file_actions_addclose(&actions, descriptor) }
            posix_spawnattr_setflags(&attributes, Int16(newSession))
            #endif
            return posix_spawn(&process, path, &actions, &attributes, pointers, variables)
        }
        guard code == 0 else {
            systemClose(pipe.read)
            throw SystemError(code)
        }
        return (process, pipe.read)
    }

    #if !canImport(Darwin)
    /// Every descriptor beyond the standard ones. Closing one that is closed already is no failure, in glibc and musl.
    private static var otherDescriptors: [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/fd")) ?? []
        return names.compactMap { Int32($0) }.filter { $0 > STDERR_FILENO }
    }
    #endif

    /// Whether a variable holds a passphrase.
    private static func isSecret(_ entry: UnsafePointer<CChar>) -> Bool {
        let text = String(cString: entry)
        let names = ["KAMUNE_DB_PASSPHRASE=", "KAMUNE_DB_NEW_PASSPHRASE=", "KAMUNE_BACKUP_PASSPHRASE="]
        return names.contains { text.hasPrefix($0) }
    }

    /// `POSIX_SPAWN_SETSID`, which glibc shows only to who asks for GNU extensions.
    #if canImport(Darwin)
    private static let newSession: Int32 = 0x0400
    #else
    private static let newSession: Int32 = 0x80
    #endif
}
