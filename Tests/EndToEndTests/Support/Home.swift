import Foundation

/// A directory for one user's files, removed at the end of the test.
final class Home: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/kamune-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The identity that is used when none is named.
    var identityFile: String { path + "/kamune/identity.pem" }
    /// The known peers that are used when no file is named.
    var peersFile: String { path + "/kamune/known-peers" }

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
