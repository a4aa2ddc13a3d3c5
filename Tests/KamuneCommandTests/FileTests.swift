import Foundation
import Kamune
import Synchronization
import Testing

@testable import KamuneCommand

/// A directory that is removed at the end of the test.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/kamune-unit-" + UUID().uuidString
        Leftovers.add(path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        _ = chmod(path, 0o700)
        try? FileManager.default.removeItem(atPath: path)
    }

    func text(_ name: String) -> String { path + "/" + name }

    func file(_ name: String) -> FilePath { FilePath(text(name)) }

    func write(_ text: String, to name: String, mode: mode_t = 0o600) throws -> FilePath {
        try text.write(toFile: self.text(name), atomically: true, encoding: .utf8)
        #expect(chmod(self.text(name), mode) == 0)
        return file(name)
    }

    func contents(_ name: String) throws -> String { try String(contentsOfFile: text(name), encoding: .utf8) }

    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

    static func mode(_ path: FilePath) -> mode_t {
        var status = stat()
        return path.withCString { lstat($0, &status) } == 0 ? mode_t(status.st_mode & 0o7777) : 0
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

@Suite("Files")
struct FileTests {
    private func write(_ text: String, to path: FilePath, _ existing: PrivateFile.Existing) throws {
        try SecretBytes(copying: text.utf8).withUnsafeBytes { bytes throws(FileFailure) in
            try PrivateFile.write(bytes, to: path, existing: existing, what: "it")
        }
    }

    @Test("a file is written with mode 0600 whatever the umask allows, and nothing is left beside it")
    func writing() throws {
        let scratch = try Scratch()
        try write("one", to: scratch.file("f"), .refuse)
        #expect(try scratch.contents("f") == "one")
        #expect(Scratch.mode(scratch.file("f")) == 0o600)
        #expect(scratch.names == ["f"])
    }

    @Test("a file is replaced only when asked to, whatever it is")
    func replacing() throws {
        let scratch = try Scratch()
        let existing = try scratch.write("old", to: "f", mode: 0o644)
        #expect(throws: FileFailure.exists(path: existing, what: "it")) { try write("new", to: existing, .refuse) }
        #expect(try scratch.contents("f") == "old")
        try write("new", to: existing, .replace(sparing: []))
        #expect(try scratch.contents("f") == "new")
        #expect(Scratch.mode(existing) == 0o600)

        // A link that leads nowhere is there too, and what it names is not made.
        #expect(symlink(scratch.text("target"), scratch.text("link")) == 0)
        #expect(throws: FileFailure.exists(path: scratch.file("link"), what: "it")) {
            try write("new", to: scratch.file("link"), .refuse)
        }
        #expect(scratch.names == ["f", "link"])
    }

    @Test("failures to write name the file and the reason, and leave what was there")
    func failing() throws {
        let scratch = try Scratch()
        let missing = scratch.file("no/such/f")
        #expect(throws: FileFailure.system(path: missing, doing: "written", code: ENOENT)) {
            try write("x", to: missing, .refuse)
        }
        #expect(mkdir(scratch.text("d"), 0o700) == 0)
        #expect(throws: FileFailure.notReplaceable(path: scratch.file("d"))) {
            try write("x", to: scratch.file("d"), .replace(sparing: []))
        }
        #expect(scratch.names == ["d"])
        guard geteuid() != 0 else { return }
        #expect(chmod(scratch.path, 0o500) == 0)
        #expect(throws: FileFailure.system(path: scratch.file("f"), doing: "written", code: EACCES)) {
            try write("x", to: scratch.file("f"), .refuse)
        }
    }

    @Test("what is read is bounded, a file, and closed to others where it must be")
    func reading() throws {
        let scratch = try Scratch()
        let file = try scratch.write("12345", to: "f")
        func read(_ path: FilePath, limit: Int = 5, secret: Bool = true) throws -> String {
            try PrivateFile.read(path, limit: limit, secret: secret, what: "thing")
                .withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        }
        #expect(try read(file) == "12345")
        #expect(throws: FileFailure.tooLarge(path: file, limit: 4)) { try read(file, limit: 4) }
        #expect(throws: FileFailure.missing(path: scratch.file("x"), what: "thing")) { try read(scratch.file("x")) }
        #expect(throws: FileFailure.notARegularFile(path: FilePath(scratch.path))) { try read(FilePath(scratch.path)) }
        for mode: mode_t in [0o640, 0o604, 0o620, 0o602, 0o610] {
            #expect(chmod(scratch.text("f"), mode) == 0)
            #expect(throws: FileFailure.openToOthers(path: file, mode: mode)) { try read(file) }
            #expect(try read(file, secret: false) == "12345")
        }
    }

    @Test("a file that is written piece by piece is there whole or not at all")
    func pieces() throws {
        let scratch = try Scratch()
        var writer: PrivateFileWriter? = try PrivateFileWriter(scratch.file("f"), existing: .refuse, what: "it")
        try Array("one ".utf8).withUnsafeBytes { try writer?.write($0) }
        #expect(!scratch.names.contains("f"))
        try Array("two".utf8).withUnsafeBytes { try writer?.write($0) }
        try writer?.finish()
        writer = nil
        #expect(try scratch.contents("f") == "one two")
        #expect(Scratch.mode(scratch.file("f")) == 0o600)
        writer = try PrivateFileWriter(scratch.file("f"), existing: .replace(sparing: []), what: "it")
        try Array("three".utf8).withUnsafeBytes { try writer?.write($0) }
        writer = nil
        #expect(scratch.names == ["f"])
        #expect(try scratch.contents("f") == "one two")
    }

    @Test("a pipe that never ends is not read to its end")
    func endless() throws {
        let zero = open("/dev/zero", O_RDONLY)
        defer { close(zero) }
        #expect(throws: FileFailure.tooLarge(path: "zero", limit: 1_000)) {
            try PrivateFile.readToEnd(zero, path: "zero", limit: 1_000).count
        }
    }

    @Test("an identity is made once, kept, and read again", arguments: IdentityAlgorithm.allCases)
    func identities(algorithm: IdentityAlgorithm) throws {
        let scratch = try Scratch()
        let file = IdentityFile(path: scratch.file("deep/down/identity.pem"))
        #expect(throws: FileFailure.missing(path: file.path, what: "identity")) { try file.load() }
        let identity = try Identity.generate(algorithm)
        try file.save(identity)
        #expect(Scratch.mode(file.path) == 0o600)
        #expect(Scratch.mode(scratch.file("deep")) == 0o700)
        let (again, isNew) = try file.loadOrCreate()
        #expect(!isNew)
        #expect(again.publicKey == identity.publicKey)

        let (fresh, isFresh) = try IdentityFile(path: scratch.file("other.pem")).loadOrCreate()
        #expect(isFresh)
        #expect(try IdentityFile(path: scratch.file("other.pem")).load().publicKey == fresh.publicKey)
    }

    @Test("sentences about files name them and say what to do")
    func sentences() {
        let cases: [(FileFailure, String)] = [
            (.exists(path: "/f", what: "it"), "--force"),
            (.openToOthers(path: "/a b", mode: 0o644), "chmod 600 '/a b'"),
            (.openToOthers(path: "/f", mode: 0o644), "(mode 644)"),
            (.system(path: "/f", doing: "written", code: ENOSPC), "make room"),
            (.system(path: "/f", doing: "written", code: EROFS), "a disk that can be written"),
            (.notARegularFile(path: "/f\u{1B}"), "“/f\u{FFFD}”"),
        ]
        for (failure, part) in cases { #expect("\(failure)".contains(part), "\(failure)") }
    }
}
