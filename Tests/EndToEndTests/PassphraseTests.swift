import Foundation
import Testing

/// Every opening with a passphrase costs a good part of a second by intent, so these are few.
@Suite("The passphrase")
struct PassphraseTests {
    private func run(
        _ arguments: [String], home: Home, environment: [String: String] = [:], input: String = ""
    ) async throws -> (code: Int32?, output: String, errors: String) {
        let child = try Child(arguments, home: home, environment: environment)
        child.write(input)
        child.closeInput()
        return (await child.exitCode(), child.output.text, child.errors.text)
    }

    @Test("it is asked for twice, not shown, and asked for again when it is wrong; scripts give it otherwise")
    func passphrase() async throws {
        let home = try Home(isUnprotected: false)
        // Without a source nothing is made.
        let none = try await run(["identity", "new"], home: home)
        #expect(none.code == 9 && none.errors.contains("KAMUNE_DB_PASSPHRASE"))
        #expect(!FileManager.default.fileExists(atPath: home.storeFile))

        let first = try Child(["identity", "new"], home: home, input: .terminal)
        await first.expect("Choose a passphrase")
        await first.expect("Passphrase: ")
        first.write("s3cret wörd\n")
        await first.expect("The same again: ")
        first.write("another\n")
        await first.expect("not the same")
        await first.expect("Passphrase: ", times: 2)
        first.write("s3cret wörd\n")
        await first.expect("The same again: ", times: 2)
        first.write("s3cret wörd\n")
        await first.expectExit(0)
        #expect(!first.output.raw.contains("s3cret") && !first.output.raw.contains("another"))
        #expect(try Home.mode(of: home.storeFile) == 0o600)

        let second = try Child(["identity", "show"], home: home, input: .terminal)
        await second.expect("Passphrase: ")
        second.write("wrong\n")
        await second.expect("The passphrase is wrong.")
        await second.expect("Passphrase: ", times: 2)
        // The ö in two parts, as some keyboards have it, is the same.
        second.write("s3cret wo\u{308}rd\n")
        await second.expect("fingerprint")
        await second.expectExit(0)

        let wrong = try await run(["peers", "list"], home: home, environment: ["KAMUNE_DB_PASSPHRASE": "wrong"])
        #expect(wrong.code == 9)
        #expect(wrong.errors == "kamune: The passphrase is wrong.\n")
        let descriptor = try await run(
            ["peers", "list", "--passphrase-fd", "0"], home: home, input: "s3cret wörd\nmore\n")
        #expect(descriptor.code == 0)
        let forced = try await run(["peers", "list", "--no-passphrase"], home: home)
        #expect(forced.code == 9)
        let bad = try await run(["peers", "list", "--passphrase-fd", "77"], home: home)
        #expect(bad.code == 9 && bad.errors.contains("descriptor 77"))
    }

    @Test(
        "Ctrl-C and Ctrl-D at the question end, and the terminal shows again what is typed",
        arguments: ["\u{03}", "\u{04}"])
    func interrupted(key: String) async throws {
        let home = try Home(isUnprotected: false)
        let child = try Child(["identity", "new"], home: home, input: .terminal)
        await child.expect("Passphrase: ")
        #expect(child.echoes == false)
        child.write(key)
        await child.expectExit(130)
        #expect(child.echoes == true)
        #expect(!FileManager.default.fileExists(atPath: home.storeFile))
    }

    @Test(
        "after it was typed, signals end the program as they do without one",
        arguments: [("\u{03}", 130), ("TERM", 143)] as [(String, Int32)])
    func signals(how: String, code: Int32) async throws {
        let server = try Server(.silent)
        let child = try Child(["dial", server.address], home: try Home(isUnprotected: false), input: .terminal)
        await child.expect("Passphrase: ")
        child.write("secret\n")
        await child.expect("The same again: ")
        child.write("secret\n")
        await child.expect("Connecting to")
        if how == "TERM" { child.send(signal: SIGTERM) } else { child.write(how) }
        await child.expectExit(code)
        #expect(child.isTerminalRaw == false && child.echoes == true)
    }

    @Test("a program that is stopped at the question asks it again, and shows what is typed no more than before")
    func stopped() async throws {
        let home = try Home(isUnprotected: false)
        let script = #"set -m; "$0" identity new; echo "stopped $?"; fg; echo "ended $?""#
        let child = try Child(
            program: "/bin/sh", ["-c", script, Binary.path()], home: home, input: .terminal,
            environment: ["XDG_DATA_HOME": home.path, "TERM": "xterm"])
        await child.expect("Passphrase: ")
        child.write("s3c\u{1A}")
        await child.expect("stopped 148")
        await child.expect("Passphrase: ", times: 2)
        #expect(child.echoes == false)
        child.write("s3cret\n")
        await child.expect("The same again: ")
        child.write("s3cret\n")
        await child.expect("ended 0")
        await child.expectExit(0)
        #expect(child.echoes == true)
        #expect(!child.output.raw.contains("s3cret"))
    }

    @Test("it can be set, changed and removed")
    func change() async throws {
        let home = try Home(isUnprotected: false)
        let unsafe = try await run(["identity", "new", "--no-passphrase"], home: home)
        #expect(unsafe.code == 0 && unsafe.errors.contains("WARNING: without a passphrase"))
        // Without one nothing need be said any more, and saying one is an error.
        #expect(try await run(["peers", "list"], home: home).code == 0)
        let none = try await run(["peers", "list"], home: home, environment: ["KAMUNE_DB_PASSPHRASE": "x"])
        #expect(none.code == 9 && none.errors.contains("has no passphrase"))

        let set = try await run(["passphrase", "--new-passphrase-fd", "0"], home: home, input: "one\n")
        #expect(set.code == 0)
        #expect(try await run(["peers", "list"], home: home).code == 9)
        let removed = try await run(
            ["passphrase", "--remove"], home: home, environment: ["KAMUNE_DB_PASSPHRASE": "one"])
        #expect(removed.code == 0 && removed.errors.contains("WARNING"))
        #expect(try await run(["peers", "list"], home: home).code == 0)
    }

    @Test("the fifth wrong one in a row makes the next wait, also that of another process")
    func delay() async throws {
        let home = try Home(isUnprotected: false)
        _ = try await run(["identity", "new"], home: home, environment: ["KAMUNE_DB_PASSPHRASE": "right"])
        // The count stands beside the store; as if there had been five.
        _ = try home.write("0 5\n", to: "kamune/kamune.db.lock")
        let start = ContinuousClock.now
        let right = try await run(["peers", "list"], home: home, environment: ["KAMUNE_DB_PASSPHRASE": "right"])
        #expect(right.code == 0 && right.errors.contains("The last 5 passphrases were wrong"))
        #expect(ContinuousClock.now - start >= .seconds(1))
    }
}
