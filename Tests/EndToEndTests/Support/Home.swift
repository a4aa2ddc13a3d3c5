import Foundation
import Synchronization

/// A directory for one user's files, removed when the last of the processes that use it is gone.
final class Home: Sendable {
    let path: String
    /// Whether the person wants no passphrase, which makes tests fast: those of which it is not the subject.
    let isUnprotected: Bool

    init(isUnprotected: Bool = true) throws {
        self.isUnprotected = isUnprotected
        path = NSTemporaryDirectory() + "/kamune-test-" + UUID().uuidString
        Leftovers.add(path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// A file for an identity.
    var identityFile: String { path + "/me.pem" }
    /// Where everything is kept.
    var storeFile: String { path + "/kamune/kamune.db" }

    /// Arguments that let a command open the store.
    func storeArguments(for arguments: [String]) -> [String] {
        let commands = ["listen", "dial", "peers", "history", "identity", "backup", "restore", "passphrase"]
        guard isUnprotected, let command = arguments.first, commands.contains(command) else { return [] }
        let isSettled = arguments.contains { ["--help", "--passphrase-fd", "--no-passphrase"].contains($0) }
        return isSettled ? [] : ["--no-passphrase"]
    }

    func file(_ name: String) -> String { path + "/" + name }

    func write(_ text: String, to name: String, mode: Int = 0o600) throws -> String {
        let file = file(name)
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return file
    }

    static func contents(of file: String) throws -> String { try String(contentsOfFile: file, encoding: .utf8) }

    static func mode(of file: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    }
}

/// Directories that tests made, and that are removed at the latest when the tests are over: an object may be let go of
/// before what it stands for is not needed any more.
private enum Leftovers {
    private static let paths = Mutex<[String]>([])

    static func add(_ path: String) {
        let isFirst = paths.withLock { paths in
            paths.append(path)
            return paths.count == 1
        }
        if isFirst {
            atexit { Leftovers.paths.withLock { $0 }.forEach { try? FileManager.default.removeItem(atPath: $0) } }
        }
    }
}
