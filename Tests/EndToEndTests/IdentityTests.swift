import Foundation
import Testing

@Suite("kamune identity, in files")
struct IdentityTests {
    static let algorithms = ["ed25519", "ml-dsa-65"]

    private func run(_ arguments: [String], home: Home, input: String = "") async throws -> Child {
        let place = arguments.contains("--identity") ? [] : ["--identity", home.identityFile]
        let child = try Child(["identity"] + arguments + place, home: home)
        child.write(input)
        child.closeInput()
        _ = await child.exitCode()
        return child
    }

    /// The fingerprint that was printed.
    private func fingerprint(_ child: Child) throws -> String {
        try #require(child.output.text.firstMatch(of: #/fingerprint +(\S{43})\n/#).map { String($0.1) })
    }

    @Test("new makes a file that only its owner can read, and never replaces one unasked", arguments: algorithms)
    func new(algorithm: String) async throws {
        let home = try Home()
        let first = try await run(["new", "--algorithm", algorithm], home: home)
        await first.expectExit(0)
        #expect(try Home.mode(of: home.identityFile) == 0o600)
        let contents = try Home.contents(of: home.identityFile)
        #expect(contents.hasPrefix("-----BEGIN PRIVATE KEY-----\n"))

        let second = try await run(["new"], home: home)
        await second.expectExit(1)
        #expect(second.errors.text.contains("exists already"))
        #expect(try Home.contents(of: home.identityFile) == contents)

        let third = try await run(["new", "--force"], home: home)
        await third.expectExit(0)
        #expect(try Home.contents(of: home.identityFile) != contents)
        #expect(try Home.mode(of: home.identityFile) == 0o600)
        let left = try FileManager.default.contentsOfDirectory(atPath: home.path)
        #expect(left == ["me.pem"], "nothing is left beside it, and no store is made")
    }

    @Test("what is exported can be imported and shown, and stays the same", arguments: algorithms)
    func exportAndImport(algorithm: String) async throws {
        let (home, other) = (try Home(), try Home())
        let original = try fingerprint(try await run(["new", "--algorithm", algorithm], home: home))
        let exported = try await run(["export"], home: home)
        #expect(exported.output.raw == (try Home.contents(of: home.identityFile)))

        let imported = try await run(["import", "-"], home: other, input: exported.output.raw)
        #expect(try fingerprint(imported) == original)
        #expect(try Home.contents(of: other.identityFile) == exported.output.raw)

        let file = other.file("public.pem")
        await (try await run(["export", "--public", "--output", file], home: home)).expectExit(0)
        #expect(try Home.contents(of: file).hasPrefix("-----BEGIN PUBLIC KEY-----\n"))
        #expect(try fingerprint(try await run(["show", file], home: home)) == original)
        #expect(try fingerprint(try await run(["show"], home: home)) == original)
        await (try await run(["export", "--output", file], home: home)).expectExit(1)
        #expect(try Home.contents(of: file).hasPrefix("-----BEGIN PUBLIC KEY-----\n"))
    }

    @Test("show has every form of the fingerprint, and no private key")
    func show() async throws {
        let home = try Home()
        _ = try await run(["new"], home: home)
        let shown = try await run(["show"], home: home)
        for part in ["emoji", "pseudonym", "hex", "30:2A:30:05", "fingerprint", "public key   MCowBQYDK2Vw", "Ed25519"]
        {
            #expect(shown.output.text.contains(part), "\(part)")
        }
        let secret = try Home.contents(of: home.identityFile).split(separator: "\n")[1]
        #expect(!shown.output.text.contains(secret))
    }

    @Test("what cannot be used is told apart, and destroys nothing")
    func badFiles() async throws {
        let home = try Home()
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
        let cases: [(contents: String, mode: Int, sentence: String)] = [
            ("", 0o600, "not a PEM file"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0o600, "malformed"),
            (encrypted, 0o600, "encrypted with a passphrase"),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", 0o600, "it holds a public key"),
            ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", 0o600, "RSA PRIVATE KEY"),
            (String(repeating: "x", count: 100_000), 0o600, "larger than"),
        ]
        for (index, bad) in cases.enumerated() {
            let file = try home.write(bad.contents, to: "bad-\(index).pem", mode: bad.mode)
            for arguments in [["import", file], ["show", "--identity", file]] {
                let child = try await run(arguments, home: home)
                await child.expectExit(1)
                #expect(child.errors.text.contains(bad.sentence), "\(child.errors.text)")
            }
            let dial = try Child(["dial", "127.0.0.1:1", "--identity", file], home: home)
            await dial.expectExit(1)
            #expect(try Home.contents(of: file) == bad.contents)
        }
        #expect(!FileManager.default.fileExists(atPath: home.identityFile))
    }

    @Test("an identity that others can read is refused")
    func openFile() async throws {
        let home = try Home()
        _ = try await run(["new"], home: home)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: home.identityFile)
        let shown = try await run(["show"], home: home)
        await shown.expectExit(1)
        #expect(shown.errors.text.contains("chmod 600"))
    }

    @Test("a directory, a missing file and a path that cannot be written each have their sentence")
    func badPaths() async throws {
        let home = try Home()
        let directory = try await run(["show", "--identity", home.path], home: home)
        #expect(directory.errors.text.contains("not a file that can be used"))
        let missing = try await run(["show"], home: home)
        #expect(missing.errors.text.contains("kamune identity new"))
        let below = try home.write("x", to: "file")
        let unwritable = try await run(["new", "--identity", below + "/identity.pem"], home: home)
        await unwritable.expectExit(1)
        #expect(unwritable.errors.text.contains("could not be"))
    }

    @Test(
        "a full disk leaves no half of an identity", .enabled(if: FileManager.default.fileExists(atPath: "/dev/full")))
    func fullDisk() async throws {
        let home = try Home()
        _ = try await run(["new"], home: home)
        let child = try Child(
            program: "/bin/sh",
            ["-c", "\"$0\" identity export --identity \"$1\" >/dev/full", try Binary.path(), home.identityFile],
            home: home,
            environment: ["XDG_DATA_HOME": home.path])
        await child.expectExit(1)
        #expect(child.errors.text.contains("No space left"))

        // A file that may not grow stands for a disk that is full.
        let before = try Home.contents(of: home.identityFile)
        let limited = try Child(
            program: "/bin/sh",
            ["-c", "ulimit -f 0; \"$0\" identity new --force --identity \"$1\"", try Binary.path(), home.identityFile],
            home: home,
            environment: ["XDG_DATA_HOME": home.path])
        await limited.expectExit(1)
        #expect(limited.errors.text.contains("could not be written"))
        #expect(try Home.contents(of: home.identityFile) == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: home.path) == ["me.pem"])
    }

    // MARK: OpenSSL

    /// OpenSSL's command, if it is installed and knows Ed25519; ML-DSA came with its version 3.5.
    private func openssl(_ arguments: [String], _ home: Home) async throws -> Child? {
        let paths = ["/usr/bin/openssl", "/opt/homebrew/bin/openssl", "/usr/local/bin/openssl"]
        guard let path = paths.first(where: FileManager.default.isExecutableFile) else { return nil }
        let child = try Child(program: path, arguments, home: home, environment: ["HOME": home.path])
        child.closeInput()
        _ = await child.exitCode()
        return child
    }

    @Test("OpenSSL reads what we write, and we read what it writes")
    func interoperable() async throws {
        let (home, other) = (try Home(), try Home())
        let original = try fingerprint(try await run(["new"], home: home))
        guard let text = try await openssl(["pkey", "-in", home.identityFile, "-pubout"], home) else { return }
        await text.expectExit(0)
        let exported = try await run(["export", "--public"], home: home)
        #expect(text.output.raw == exported.output.raw)

        let file = home.file("theirs.pem")
        await (try await openssl(["genpkey", "-algorithm", "ed25519", "-out", file], home))?.expectExit(0)
        await (try await run(["import", file], home: other)).expectExit(0)
        let again = try await openssl(["pkey", "-in", other.identityFile], home)
        #expect(again?.output.raw == (try Home.contents(of: file)))
        #expect(try fingerprint(try await run(["show"], home: other)) != original)

        let encrypted = home.file("encrypted.pem")
        _ = try await openssl(
            ["pkey", "-in", file, "-aes256", "-passout", "pass:secret", "-out", encrypted], home)
        let refused = try await run(["import", encrypted, "--force"], home: other)
        await refused.expectExit(1)
        #expect(refused.errors.text.contains("passphrase"))
    }

    @Test("OpenSSL reads our ML-DSA keys, where it knows them")
    func interoperablePostQuantum() async throws {
        let home = try Home()
        _ = try await run(["new", "--algorithm", "ml-dsa-65"], home: home)
        guard let list = try await openssl(["list", "-signature-algorithms"], home),
            list.output.raw.contains("ML-DSA-65")
        else { return }
        let text = try await openssl(["pkey", "-in", home.identityFile, "-pubout"], home)
        await text?.expectExit(0)
        #expect(text?.output.raw == (try await run(["export", "--public"], home: home)).output.raw)
    }
}
