import Foundation
import Kamune
import KamuneSystem
import KamuneTestSupport
import Testing

@testable import KamuneCommand

/// Whole commands, in surroundings of their own instead of a process.
@Suite("The program")
struct ProgramTests {
    @Test("help and version are answers, wrong arguments are an error")
    func answers() async throws {
        let help = try TestContext()
        #expect(await help.run("peers", "--help") == 0)
        #expect(help.output.contains("USAGE: kamune peers") && help.errors.isEmpty)
        let group = try TestContext()
        #expect(await group.run("identity") == 0)
        #expect(group.output.contains("USAGE: kamune identity"))
        let version = try TestContext()
        #expect(await version.run("--version") == 0)
        #expect(version.output == RootCommand.programVersion + "\n")
        let wrong = try TestContext()
        #expect(await wrong.run("dance") == 64)
        #expect(wrong.output.isEmpty && wrong.errors.contains("dance"))
    }

    @Test(
        "whoever mistypes a command, or one below it, is told which they may have meant",
        arguments: [
            (["statsu"], "status"), (["peers", "lst"], "list"), (["history", "serach", "x"], "search"),
            (["requests", "blok", "1"], "block"),
        ])
    func mistyped(arguments: [String], meant: String) async throws {
        let test = try TestContext()
        #expect(await Program.run(arguments, in: test.context) == 64)
        #expect(test.errors.hasPrefix("There is no command “"))
        #expect(test.errors.contains("do you mean “\(meant)”?"), "\(test.errors)")
    }

    @Test("an identity is made, shown and named, by the clock that the command is given")
    func identity() async throws {
        let test = try TestContext()
        #expect(await test.run("identity", "show") == 1)
        #expect(test.errors.hasPrefix("kamune: Nothing is kept at"))
        #expect(await test.run("identity", "new", "--no-passphrase") == 0)
        #expect(test.output.contains("fingerprint") && test.errors.contains("WARNING"))
        test.time.advance(by: .seconds(2 * 86_400))
        #expect(await test.run("identity", "new", "--force") == 0)
        #expect(await test.run("identity", "show") == 0)
        #expect(test.output.contains(#/made (2025-12-31|2026-01-01), retired 2026-01-0[23]/#))
        #expect(await test.run("identity", "name", "Ada") == 0)
        #expect(test.output.hasSuffix("You are called “Ada”.\n"))
    }

    @Test("the passphrase comes from the environment, or from nowhere, and guessing takes its time")
    func passphrases() async throws {
        let none = try TestContext()
        #expect(await none.run("identity", "new") == 9)
        #expect(none.errors.contains("KAMUNE_DB_PASSPHRASE"))

        let test = try TestContext(environment: ["KAMUNE_DB_PASSPHRASE": "right"])
        #expect(await test.run("identity", "new") == 0)
        let file = test.scratch.text("kamune/kamune.db")
        let wrong = try TestContext(environment: ["KAMUNE_DB_PASSPHRASE": "wrong", "KAMUNE_DB_PATH": file])
        #expect(await wrong.run("peers", "list") == 9)
        #expect(wrong.errors == "kamune: The passphrase is wrong.\n")
        // As if there had been five.
        _ = try test.scratch.write("0 5\n", to: "kamune/kamune.db.lock")
        async let code = test.run("peers", "list")
        try await test.time.waitForSleepers()
        #expect(test.errors.contains("The last 5 passphrases were wrong"))
        test.time.advance(by: .seconds(1))
        #expect(await code == 0)
    }

    @Test("a store whose passphrase an earlier version took for another opens once more, and then only by itself")
    func earlierPassphrase() async throws {
        let made = try TestContext(environment: ["KAMUNE_DB_PASSPHRASE": "w\u{FFFD}rd"])
        #expect(await made.run("identity", "new") == 0)
        let path = "KAMUNE_DB_PATH=" + made.scratch.text("kamune/kamune.db")
        func list(_ letter: UInt8) async throws -> (Int32, String) {
            let variable = Array("KAMUNE_DB_PASSPHRASE=w".utf8) + [letter] + Array("rd".utf8)
            let test = try TestContext(entries: [Array(path.utf8), variable])
            return (await test.run("peers", "list"), test.errors)
        }
        let first = try await list(0xF6)
        #expect(first.0 == 0 && first.1.contains("From now on only the passphrase itself does."))
        #expect(try await list(0xF6) == (0, ""))
        #expect(try await list(0xFC).0 == 9)
        #expect(await made.run("peers", "list") == 9)
    }

    @Test("what cannot be confirmed is not done")
    func confirmation() async throws {
        let test = try TestContext()
        _ = await test.run("identity", "new", "--no-passphrase")
        #expect(await test.run("identity", "rotate") == 64)
        #expect(test.errors.contains("If so, say --yes."))
    }

    @Test("what cannot be written is told")
    func fullOutput() async throws {
        let full = open("/dev/full", O_WRONLY)
        guard full >= 0 else { return }
        defer { systemClose(full) }
        let test = try TestContext()
        let context = test.context.writing(to: StandardStream(full))
        #expect(await Program.run(["--version"], in: context) == 0)
        _ = await test.run("identity", "new", "--no-passphrase")
        #expect(await Program.run(["identity", "show"], in: context) == 1)
        #expect(test.errors.contains("The output cannot be written: No space left on device."))
    }
}
