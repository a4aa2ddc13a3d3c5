import Crypto
import Foundation
package import KamuneSystem

/// Where the process that holds a file is found by others of the same user: a socket whose name is made of the file's path,
/// in a directory that only the user can enter.
///
/// The place follows from the user and the path alone, never from variables: programs that were started by a terminal, by a
/// timer and by the system's service manager must find one another.
package struct SocketLocation: Sendable, Equatable {
    /// The socket's path: at most 107 bytes, which is what the system has room for (unix(7), `sun_path`).
    package let path: String

    /// The most bytes of a path, the zero at its end not counted: 108 on Linux, 104 on Darwin.
    package static let maximumPathSize = 103

    /// Where the socket may be, the best place first. Whoever serves takes the first that it can have; whoever looks for it
    /// looks in all.
    ///
    /// - Parameter file: The resolved path of the file that is held.
    package static func candidates(for file: String) -> [SocketLocation] {
        let digest = SHA256.hash(data: Array(file.utf8)).prefix(16)
        let digits = "0123456789abcdef".map { $0 }
        // A service manager that makes the socket cannot compute a digest.
        let name =
            file == standardFile
            ? "default" : digest.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
        return directories.map { SocketLocation(path: "\($0)/\(name).sock") }.filter {
            $0.path.utf8.count <= maximumPathSize
        }
    }

    /// The store of somebody who names none, whatever the variables of this process are; nil where the system does not tell
    /// where the user is at home.
    private static var standardFile: String? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 4_096)
        let home = buffer.withUnsafeMutableBufferPointer { buffer -> String? in
            guard let space = buffer.baseAddress,
                getpwuid_r(getuid(), &entry, space, buffer.count, &found) == 0, found != nil
            else { return nil }
            return entry.pw_dir.map { String(cString: $0) }
        }
        #if canImport(Darwin)
        return home.map { $0 + "/Library/Application Support/kamune/kamune.db" }
        #else
        return home.map { $0 + "/.local/share/kamune/kamune.db" }
        #endif
    }

    private static var directories: [String] {
        let user = getuid()
        #if canImport(Darwin)
        // The user's own folder for what is temporary; /tmp is where every user can get in the way of others.
        var buffer = [UInt8](repeating: 0, count: 1_024)
        let count = buffer.withUnsafeMutableBytes { bytes in
            confstr(
                _CS_DARWIN_USER_TEMP_DIR, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        let own = count > 1 ? String(decoding: buffer[..<(count - 1)], as: UTF8.self) : ""
        return (own.isEmpty ? [] : [own + "kamune"]) + ["/tmp/kamune-\(user)"]
        #else
        // Of systemd-logind, which makes it for who is logged in and takes it away with the last session.
        return ["/run/user/\(user)/kamune", "/tmp/kamune-\(user)"]
        #endif
    }

    /// Makes the directory, or makes sure that it is the user's own and nobody else's.
    ///
    /// - Throws: A ``SystemError``; `EPERM` when the directory is somebody else's, or open to others.
    package func prepareDirectory() throws(SystemError) {
        let directory = directory
        if mkdir(directory, 0o700) != 0, errno != EEXIST { throw SystemError(errno) }
        try Self.checkOwner(of: directory)
    }

    /// Whether the directory is there and can be trusted; a socket in another is not spoken to.
    package var isTrusted: Bool { (try? Self.checkOwner(of: directory)) != nil }

    /// Whether the directory is there, but is somebody else's, or open to others: then nobody can be found in it.
    package var isObstructed: Bool {
        do throws(SystemError) {
            try Self.checkOwner(of: directory)
            return false
        } catch {
            return error.code == EPERM
        }
    }

    /// The directory that it is in.
    package var directory: String { String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]) }

    private static func checkOwner(of directory: String) throws(SystemError) {
        var status = stat()
        guard lstat(directory, &status) == 0 else { throw SystemError(errno) }
        guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
            throw SystemError(EPERM)
        }
    }

    package init(path: String) {
        self.path = path
    }
}
