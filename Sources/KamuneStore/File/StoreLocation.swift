import Foundation
import KamuneSystem

/// Where a store is.
public struct StoreLocation: Hashable, Sendable {
    /// The path of the database file. Its log (`-wal`, `-shm`) and its lock (`.lock`) stand beside it.
    public let path: String

    /// The environment variable that names the file.
    public static let environmentVariable = "KAMUNE_DB_PATH"

    /// The name of the file in the data directory.
    public static let fileName = "kamune.db"

    /// A file at a path. A leading `~/` is not looked at: the shell resolves it.
    public init(path: String) {
        self.path = path
    }

    /// The rule for the command: an argument, or else `KAMUNE_DB_PATH`, or else the platform's data directory.
    ///
    /// - Parameters:
    ///   - argument: what the person gave with `--db`.
    ///   - environment: the process's, unless a test says otherwise. Empty values count as absent.
    ///   - home: the person's home directory: by default that of the environment, or else the one that the system has on
    ///     record.
    public static func resolve(
        argument: String? = nil, environment: [String: String]? = nil, home: String? = nil
    ) -> StoreLocation {
        let environment = environment ?? ProcessInfo.processInfo.environment
        // NSHomeDirectory() looks at HOME on Apple's systems only.
        let home = home ?? environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory()
        if let argument, !argument.isEmpty { return StoreLocation(path: argument) }
        if let path = environment[environmentVariable], !path.isEmpty { return StoreLocation(path: path) }
        return StoreLocation(path: directory(environment: environment, home: home) + "/" + fileName)
    }

    /// The platform's data directory for Kamune: `~/Library/Application Support/kamune` on Apple's systems, elsewhere
    /// `$XDG_DATA_HOME/kamune` or `~/.local/share/kamune` (XDG Base Directory Specification; a relative `XDG_DATA_HOME`
    /// is ignored, as it says).
    public static func directory(environment: [String: String], home: String) -> String {
        #if canImport(Darwin)
        return home + "/Library/Application Support/kamune"
        #else
        if let base = environment["XDG_DATA_HOME"], base.hasPrefix("/") {
            return (base.count > 1 && base.hasSuffix("/") ? String(base.dropLast()) : base) + "/kamune"
        }
        return home + "/.local/share/kamune"
        #endif
    }

    var logPath: String { path + "-wal" }
    var sharedMemoryPath: String { path + "-shm" }
    var lockPath: String { path + ".lock" }

    var directory: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The files of the store: none of them may be replaced while it is there.
    public var files: [String] { [path, logPath, sharedMemoryPath, lockPath] }

    /// The same place by the name that the system gives it: without links on the way, and from the root, so that it is never
    /// taken for anything but a path. As it is when not even its folder is there.
    public var resolved: StoreLocation {
        if let path = Self.real(path) { return StoreLocation(path: path) }
        guard let folder = Self.real(directory) else { return self }
        let name = path.split(separator: "/").last ?? ""
        return StoreLocation(path: folder == "/" ? "/\(name)" : "\(folder)/\(name)")
    }

    private static func real(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Whether there is a file.
    public var exists: Bool { FileManager.default.fileExists(atPath: path) }
}
