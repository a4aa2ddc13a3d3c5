import Foundation
import KamuneSystem
import Testing

@Suite("Where things are kept and written")
struct PlaceTests {
    /// Runs a command to its end, with nothing to read.
    private func run(_ arguments: [String], home: Home) async throws -> (code: Int32?, output: String, errors: String) {
        let child = try Child(
            arguments, home: home, environment: ["KAMUNE_BACKUP_PASSPHRASE": "correct horse battery staple"])
        child.closeInput()
        let code = await child.exitCode()
        return (code, child.output.raw, child.errors.text)
    }

    /// Runs a script, in which `$0` is the command and `$1` the home.
    private func script(
        _ text: String, program: String = "/bin/sh", _ arguments: [String] = [], home: Home
    ) async throws -> (code: Int32?, output: String, errors: String) {
        let child = try Child(
            program: program, arguments + ["-c", text, Binary.path(), home.path], home: home,
            environment: ["XDG_DATA_HOME": home.path, "HOME": home.path, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
        child.closeInput()
        let code = await child.exitCode()
        return (code, child.output.raw, child.errors.text)
    }

    private static let commands = [
        "backup": ["backup"], "history export": ["history", "export", "--output"],
        "identity export": ["identity", "export", "--output"], "identity new": ["identity", "new", "--identity"],
    ]

    @Test(
        "--force replaces neither the store, by whatever name, nor what is no plain file",
        arguments: ["backup", "history export", "identity export", "identity new"])
    func force(name: String) async throws {
        let home = try Home()
        #expect(try await run(["identity", "new"], home: home).code == 0)
        let shown = try await run(["identity", "show"], home: home).output
        let manager = FileManager.default
        try manager.createSymbolicLink(atPath: home.file("folder"), withDestinationPath: home.path + "/kamune")
        try manager.linkItem(atPath: home.storeFile, toPath: home.file("hard.db"))
        try manager.createSymbolicLink(atPath: home.file("soft.db"), withDestinationPath: home.storeFile)
        #expect(mkfifo(home.file("pipe"), 0o600) == 0)
        for target in [
            home.storeFile, home.storeFile + ".lock", home.file("folder/kamune.db"), home.file("hard.db"),
            home.file("soft.db"), home.file("pipe"), home.file("kamune"), "/dev/null",
        ] {
            let result = try await run((Self.commands[name] ?? []) + [target, "--force"], home: home)
            #expect(result.code == 1, "\(target): \(result)")
            #expect(result.errors.contains("is not replaced"), "\(target): \(result.errors)")
        }
        #expect(try await run(["identity", "show"], home: home).output == shown)
        // A plain file is replaced.
        let file = try home.write("old", to: "plain")
        let result = try await run((Self.commands[name] ?? []) + [file, "--force"], home: home)
        #expect(result.code == 0, "\(result)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) != Data("old".utf8))
    }

    @Test("a backup goes to standard output, too, and nothing of it stays beside the store")
    func backupToOutput() async throws {
        let (home, other) = (try Home(), try Home())
        #expect(try await run(["identity", "new"], home: home).code == 0)
        let shown = try await run(["identity", "show"], home: home).output
        let environment = "KAMUNE_BACKUP_PASSPHRASE='correct horse battery'"
        let made = try await script(#"\#(environment) "$0" backup - --no-passphrase >"$1/backup""#, home: home)
        #expect(made.code == 0 && made.errors.contains("Saved and checked: 1 identity"), "\(made)")
        let names = try FileManager.default.contentsOfDirectory(atPath: home.path + "/kamune")
        #expect(!names.contains { $0.contains("backup") }, "\(names)")
        let restored = try await script(
            #"\#(environment) "$0" restore "\#(home.file("backup"))" --no-passphrase"#, home: other)
        #expect(restored.code == 0, "\(restored)")
        #expect(try await run(["identity", "show"], home: other).output == shown)
    }

    @Test("what is no backup is called so, and a folder is named as what it is")
    func noBackup() async throws {
        let home = try Home()
        let file = try home.write(String(repeating: "x", count: 1_000), to: "text")
        for (path, words) in [(file, "is not a Kamune backup"), (home.path, "is not a file that can be used here")] {
            let result = try await script(
                #"KAMUNE_BACKUP_PASSPHRASE=x "$0" restore "\#(path)" --no-passphrase"#, home: home)
            #expect(result.code == 1 && result.errors.contains(words), "\(result)")
        }
    }

    @Test("a store is one by whatever name", arguments: ["soft", "hard", "folder"])
    func links(kind: String) async throws {
        let home = try Home()
        let listening = try await Listening(home: home)
        let manager = FileManager.default
        var path = home.file("link.db")
        switch kind {
        case "soft": try manager.createSymbolicLink(atPath: path, withDestinationPath: home.storeFile)
        case "hard": try manager.linkItem(atPath: home.storeFile, toPath: path)
        default:
            try manager.createSymbolicLink(atPath: home.file("folder"), withDestinationPath: home.path + "/kamune")
            path = home.file("folder/kamune.db")
        }
        let result = try await run(["identity", "show", "--db", path], home: home)
        if kind == "hard" {
            // The one that has it cannot be found under this name.
            #expect(result.code == 10 && result.errors.contains("has what is kept, and does not answer"), "\(result)")
        } else {
            #expect(result.code == 0 && result.output.contains("fingerprint"), "\(result)")
        }
        listening.child.send(signal: SIGTERM)
        await listening.child.expectExit(143)
        #expect(try await run(["identity", "show", "--db", path], home: home).code == 0)
    }

    @Test("what looks like a URI is a path")
    func uri() async throws {
        let home = try Home()
        let name = "file:x.db?mode=memory"
        let result = try await script(#"cd "$1" && "$0" identity new --no-passphrase --db '\#(name)'"#, home: home)
        #expect(result.code == 0, "\(result)")
        #expect(FileManager.default.fileExists(atPath: home.file(name)))
        let shown = try await script(#"cd "$1" && "$0" identity show --no-passphrase --db '\#(name)'"#, home: home)
        #expect(shown.code == 0, "\(shown)")
    }

    /// Whether this machine lets us make a place of our own in which a disk can only be read.
    private static let canMount: Bool = {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        process.arguments = ["-m", "sh", "-c", "mount --bind /tmp /tmp && mount -o remount,ro,bind /tmp"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    @Test(
        "on a disk that can only be read, what only reads works, and what writes says why not",
        .enabled(if: canMount, "namespaces for mounts are needed"))
    func readOnlyDisk() async throws {
        let home = try Home()
        #expect(try await run(["identity", "new"], home: home).code == 0)
        let shown = try await run(["identity", "show"], home: home).output
        for name in ["kamune.db.lock", "kamune.db-wal", "kamune.db-shm"] {
            try? FileManager.default.removeItem(atPath: home.path + "/kamune/" + name)
        }
        func readOnly(_ command: String) async throws -> (code: Int32?, output: String, errors: String) {
            try await script(
                #"mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$0" \#(command) --no-passphrase"#,
                program: "/usr/bin/unshare", ["-m", "/bin/sh"], home: home)
        }
        let result = try await readOnly("identity show")
        #expect(result.code == 0 && result.output == shown, "\(result)")
        for command in ["peers list", "history list", "history search word", "identity export --public"] {
            let result = try await readOnly(command)
            #expect(result.code == 0, "\(command): \(result)")
        }
        let name = try await readOnly("identity name Ada")
        #expect(name.code == 10 && name.errors.contains("cannot be written"), "\(name)")

        let listening = try await Listening(["--verify", "all"], home: try Home())
        listening.child.closeInput()
        let dial = try await readOnly("dial \(listening.address) --verify all --incognito --linger 0.1")
        #expect(dial.code == 0, "\(dial)")
        await listening.child.expectExit(0)
    }
}
