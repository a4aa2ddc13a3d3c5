import Testing

@Suite("kamune demo, help and version")
struct DemoTests {
    @Test("demo shows the handshake, the fingerprints, the suite and a conversation, and what to type next")
    func demo() async throws {
        let child = try Child(["demo"], home: try Home())
        await child.expectExit(0)
        let text = child.output.text
        for part in [
            "Ada dials", "Bob listens", "HPKE", "pseudonym", "emoji", "hex",
            "Ed25519_ML-KEM-768_HKDF-SHA512_ChaCha20-Poly1305X", "Hello Bob!", " ms", "goodbye", "kamune listen",
            "kamune dial HOST:9000",
        ] {
            #expect(text.contains(part), "\(part)")
        }
        #expect(!child.output.raw.contains("\u{1B}"), "no colours in a pipe")
        #expect(child.errors.raw.isEmpty)
    }

    @Test("demo works with ML-DSA-65 identities")
    func postQuantumDemo() async throws {
        let child = try Child(["demo", "--algorithm", "ml-dsa-65"], home: try Home())
        await child.expectExit(0)
        #expect(child.output.text.contains("ML-DSA-65_ML-KEM-768"))
    }

    @Test("a limit of open files that the system lets us raise is no limit")
    func fewOpenFiles() async throws {
        let home = try Home()
        let child = try Child(
            program: "/bin/sh", ["-c", "ulimit -Sn 12 && exec \"$0\" demo", try Binary.path()], home: home,
            environment: ["HOME": home.path])
        await child.expectExit(0)
        #expect(child.output.text.contains("Hello Bob!"))
    }

    @Test(
        "colours are for terminals, unless NO_COLOR is set or the terminal cannot",
        arguments: [([:], true), (["NO_COLOR": "1"], false), (["TERM": "dumb"], false), (["NO_COLOR": ""], true)])
    func colours(environment: [String: String], isColoured: Bool) async throws {
        let child = try Child(["demo"], home: try Home(), input: .terminal, environment: environment)
        await child.expectExit(0)
        #expect(child.output.raw.contains("\u{1B}[") == isColoured)
    }

    @Test(
        "every command has a help text",
        arguments: [
            [], ["demo"], ["listen"], ["dial"], ["bench"], ["identity"], ["identity", "new"], ["identity", "show"],
            ["identity", "export"], ["identity", "import"], ["identity", "name"], ["identity", "rotate"],
            ["identity", "erase-old"], ["peers"], ["peers", "list"], ["peers", "show"], ["peers", "rename"],
            ["peers", "verify"], ["peers", "block"], ["peers", "unblock"], ["peers", "forget"], ["peers", "expiry"],
            ["history"], ["history", "list"], ["history", "show"], ["history", "search"], ["history", "export"],
            ["history", "rename"], ["history", "delete"], ["backup"], ["restore"], ["passphrase"],
        ])
    func help(command: [String]) async throws {
        let child = try Child(command + ["--help"], home: try Home())
        await child.expectExit(0)
        #expect(child.output.text.contains("OVERVIEW:"))
        #expect(child.output.text.contains("USAGE: kamune"))
    }

    @Test("the help of listen and dial lists the exit codes", arguments: ["listen", "dial"])
    func exitCodes(command: String) async throws {
        let child = try Child([command, "--help"], home: try Home())
        await child.expectExit(0)
        #expect(child.output.text.contains("EXIT CODES:"))
    }

    @Test("the version, completion scripts, and wrong arguments")
    func usage() async throws {
        let home = try Home()
        let version = try Child(["--version"], home: home)
        await version.expectExit(0)
        #expect(version.output.text.hasPrefix("kamune 1"))
        let completion = try Child(["--generate-completion-script", "bash"], home: home)
        await completion.expectExit(0)
        #expect(completion.output.text.contains("kamune"))
        for wrong in [
            ["dial"], ["dance"], ["dial", "host:1", "--verify", "nobody"], ["listen", "--once", "--keep-listening"],
        ] {
            let child = try Child(wrong, home: home)
            await child.expectExit(64)
            #expect(!child.errors.text.isEmpty)
            #expect(child.output.text.isEmpty)
        }
    }
}
