import Foundation
import Testing

/// What goes wrong with files. Each fault has one sentence and the exit code 10, and when it is mended everything is there.
@Suite("Faults of the store")
struct StoreFaultTests {
    private static let storeFault: Int32 = 10

    // MARK: The file

    @Test("a file that others can read is refused")
    func readableByOthers() async throws {
        let home = try await filled()
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: home.storeFile)
        try await expectFault("chmod 600", home)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: home.storeFile)
        try await expectWhole(home)
    }

    @Test("of two processes, the second looks through the one that has the store, or says which does not answer")
    func twoProcesses() async throws {
        let home = try await filled()
        let listening = try await Listening(home: home)
        try await expectWhole(home)
        listening.child.send(signal: SIGSTOP)
        try await expectFault("Another Kamune (process ", home)
        listening.child.send(signal: SIGCONT)
        try await expectWhole(home)
        listening.child.send(signal: SIGTERM)
        await listening.child.expectExit(143)
        try await expectWhole(home)
    }

    @Test("one that is killed leaves nothing that keeps the next out")
    func killedProcess() async throws {
        let home = try await filled()
        let listening = try await Listening(home: home)
        listening.child.send(signal: SIGKILL)
        await listening.child.expectExit(128 + SIGKILL)
        try await expectWhole(home)
    }

    @Test("a file that is something else is left alone")
    func otherFile() async throws {
        let home = try await filled()
        let text = String(repeating: "no database", count: 100)
        let path = try home.write(text, to: "other.db")
        try await expectFault("is not a Kamune store", home, ["--db", path])
        #expect(try Home.contents(of: path) == text)
    }

    @Test("a file that was cut is left alone", arguments: [0, 99, 5_000, 20_000])
    func truncated(size: Int) async throws {
        let home = try await filled()
        let whole = try bytes(home)
        try whole.prefix(size).write(to: URL(fileURLWithPath: home.storeFile))
        try await expectFault("is incomplete", home)
        #expect(try bytes(home) == whole.prefix(size))
        try whole.write(to: URL(fileURLWithPath: home.storeFile))
        try await expectWhole(home)
    }

    @Test("a store of a later version is left alone")
    func newerVersion() async throws {
        let home = try await filled()
        let whole = try bytes(home)
        var newer = whole
        // PRAGMA user_version (SQLite's file format, §1.3).
        newer[63] = 99
        try newer.write(to: URL(fileURLWithPath: home.storeFile))
        try await expectFault("written by a later version of Kamune (format 99", home)
        #expect(try bytes(home) == newer)
        try whole.write(to: URL(fileURLWithPath: home.storeFile))
        try await expectWhole(home)
    }

    /// Every page in turn. One that is not needed for what is asked may go unnoticed, but nothing false is ever shown.
    @Test("a corrupt page is named as damage")
    func corruptPage() async throws {
        let home = try await filled()
        let (whole, expected) = (try bytes(home), try await export(home))
        var faults = 0
        let pages = whole.count / 4_096
        #expect(pages > 10)
        for page in 0..<pages {
            var damaged = whole
            // Of the first page, all but the header.
            for index in (page * 4_096 + (page == 0 ? 100 : 0))..<((page + 1) * 4_096) { damaged[index] ^= 0x5A }
            try damaged.write(to: URL(fileURLWithPath: home.storeFile))
            let child = try Child(["history", "export", "--format", "jsonl"], home: home)
            child.closeInput()
            switch await child.exitCode() {
            case 0: #expect(child.output.raw == expected, "page \(page)")
            case Self.storeFault:
                faults += 1
                expectSentence(child.errors.text, "damaged")
            default: Issue.record("page \(page): \(child.errors.text)")
            }
        }
        // The root, the key, the peers, the sessions and the messages at the least.
        #expect(faults >= 5)
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: home.storeFile + suffix) }
        try whole.write(to: URL(fileURLWithPath: home.storeFile))
        try await expectWhole(home)
    }

    @Test("there is nothing where nothing was made")
    func absent() async throws {
        let home = try Home()
        let child = try Child(["history", "show", "--db", home.file("absent.db")], home: home)
        child.closeInput()
        await child.expectExit(1)
        #expect(child.errors.text.contains("Nothing is kept at"))
        #expect(!FileManager.default.fileExists(atPath: home.file("absent.db")))
    }

    // MARK: Writing

    /// The superuser may write anywhere, so there the command runs without that privilege.
    private static let setpriv = "/usr/bin/setpriv"
    private static let isBoundByPermissions = geteuid() != 0 || FileManager.default.isExecutableFile(atPath: setpriv)

    @Test(
        "a file, or a folder, that may not be written is read, and left alone",
        .enabled(if: isBoundByPermissions, "the superuser may write anywhere, and there is no setpriv to change that"),
        arguments: [("kamune.db", 0o400, 0o600), ("", 0o500, 0o700)])
    func readOnly(name: String, mode: Int, former: Int) async throws {
        let home = try await filled()
        let path = home.path + "/kamune/" + name
        let before = try bytes(home)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        for arguments in [["history", "list"], ["peers", "rename", "eve", "Adam"]] {
            let isReading = arguments[0] == "history"
            let child =
                geteuid() == 0
                ? try start(Self.setpriv, ["--bounding-set=-all", "--inh-caps=-all"], arguments, home)
                : try Child(arguments, home: home)
            child.closeInput()
            await child.expectExit(isReading ? 0 : Self.storeFault)
            if isReading {
                #expect(child.output.text.contains("Bob from work") && child.errors.raw.isEmpty)
            } else {
                expectSentence(child.errors.text, "cannot be written")
            }
        }
        try FileManager.default.setAttributes([.posixPermissions: former], ofItemAtPath: path)
        #expect(try bytes(home) == before)
        try await expectWhole(home)
    }

    /// The shell's limit on the size of a file stands for a disk that is full: what goes beyond it is refused by the system
    /// in the midst of a write, wherever that is.
    @Test("a full disk refuses what is new, and keeps what is old", arguments: [1, 16, 48, 66, 80])
    func fullDisk(blocks: Int) async throws {
        let home = try await filled()
        let secret = ["KAMUNE_BACKUP_PASSPHRASE": "fixture"]
        let backup = home.file("new.backup")
        // Each of these writes at least so much: a page to the log, a backup's chunk, a whole new store.
        var attempts = [(["restore", Self.backup, "--db", home.file("new.db")], 80), (["backup", backup], 2)]
        attempts.append((["peers", "rename", "eve", "Adam"], 64))
        // In blocks of 512 bytes; the signal that the limit sends besides is ignored.
        let limit = ["-c", #"trap "" XFSZ; ulimit -f "$0" && exec "$@""#, "\(blocks)"]
        for (arguments, size) in attempts where blocks <= size {
            let child = try start("/bin/sh", limit, arguments, home, secret)
            child.closeInput()
            await child.expectExit(Self.storeFault)
            expectSentence(child.errors.text, "The disk is full")
        }
        if blocks > 64 {
            // What the log has room for is stored, though the file has none for it yet.
            for (name, wanted) in [("eve", "Adam"), ("Adam", "eve")] {
                let child = try start("/bin/sh", limit, ["peers", "rename", name, wanted], home)
                child.closeInput()
                await child.expectExit(0)
            }
        }
        // Nothing half made is left anywhere.
        let left = try FileManager.default.contentsOfDirectory(atPath: home.path)
        #expect(left.filter { $0 != "new.db.lock" } == ["kamune"])
        try await expectWhole(home)
    }

    private static let isNamespaceAllowed: Bool = {
        #if os(Linux)
        let root = NSTemporaryDirectory()
        let script = #"mount -t tmpfs -o size=64k none "$0" && touch "$0/x""#
        guard geteuid() == 0, let home = try? Home(),
            let child = try? Child(
                program: "/usr/bin/unshare", ["-m", "/bin/sh", "-c", script, home.path], home: home, environment: [:])
        else { return false }
        child.closeInput()
        return child.waitForExit() == 0 && !FileManager.default.fileExists(atPath: root + "/x")
        #else
        return false
        #endif
    }()

    @Test(
        "on a file system without room, everything can be stored again when there is room",
        .enabled(if: isNamespaceAllowed, "making a small file system takes a Linux that lets us mount one"))
    func smallFileSystem() async throws {
        let home = try await filled()
        let place = home.file("small")
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        let script = #"""
            set -eu
            kamune=$1; store=$2; place=$3
            mount -t tmpfs -o size=1m,mode=0700 none "$place"
            cp -p "$store" "$place/kamune.db"
            cat /dev/zero >"$place/filler" 2>/dev/null || true
            run() { "$kamune" "$@" --no-passphrase --db "$place/kamune.db"; }
            code=0; run peers rename eve Adam || code=$?
            echo "full: $code"
            rm "$place/filler"
            run history export --format jsonl
            run peers rename eve Adam
            run peers list
            """#
        let child = try Child(
            program: "/usr/bin/unshare",
            ["-m", "/bin/sh", "-c", script, "sh", Binary.path(), home.storeFile, place], home: home,
            environment: ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": home.path])
        child.closeInput()
        await child.expectExit(0)
        #expect(child.output.raw.contains("full: 10\n" + (try await export(home))))
        #expect(child.output.text.contains("Adam"))
        expectSentence(child.errors.text, "The disk is full")
    }

    // MARK: Tools

    private static let backup = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("KamuneStoreTests/Resources/backup-v1.kamune").path

    /// A home whose store has an identity, two peers, a session and three messages.
    private func filled() async throws -> Home {
        let home = try Home()
        let child = try Child(
            ["restore", Self.backup], home: home, environment: ["KAMUNE_BACKUP_PASSPHRASE": "fixture"])
        child.closeInput()
        await child.expectExit(0)
        return home
    }

    private func bytes(_ home: Home) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: home.storeFile)) }

    private func export(_ home: Home) async throws -> String {
        let child = try Child(["history", "export", "--format", "jsonl"], home: home)
        child.closeInput()
        await child.expectExit(0)
        return child.output.raw
    }

    /// Starts the command by another program, which is given arguments of its own first.
    private func start(
        _ program: String, _ first: [String], _ arguments: [String], _ home: Home, _ environment: [String: String] = [:]
    ) throws -> Child {
        try Child(
            program: program, first + [Binary.path()] + arguments + home.storeArguments(for: arguments), home: home,
            environment: ["XDG_DATA_HOME": home.path, "HOME": home.path].merging(environment) { $1 })
    }

    private func expectFault(_ text: String, _ home: Home, _ options: [String] = []) async throws {
        for arguments in [["history", "list"], ["peers", "rename", "eve", "Adam"]] {
            let child = try Child(arguments + options, home: home)
            child.closeInput()
            await child.expectExit(Self.storeFault)
            expectSentence(child.errors.text, text)
            #expect(child.output.raw.isEmpty)
        }
    }

    /// One line, one sentence.
    private func expectSentence(_ errors: String, _ text: String) {
        #expect(errors.contains(text), "\(errors)")
        #expect(errors.hasPrefix("kamune: ") && errors.split(separator: "\n").count == 1, "\(errors)")
    }

    private func expectWhole(_ home: Home) async throws {
        let text = try await export(home)
        #expect(text.split(separator: "\n").count == 3 && text.contains("hello") && text.contains("Grüße 👋"))
        let child = try Child(["peers", "list"], home: home)
        child.closeInput()
        await child.expectExit(0)
        #expect(child.output.text.contains("Bob from work") && child.output.text.contains("eve"))
    }
}
