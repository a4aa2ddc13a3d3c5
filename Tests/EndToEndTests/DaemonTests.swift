import Foundation
import KamuneSystem
import Testing

/// `kamune daemon`, and the bots in other languages that stand on it.
@Suite("Daemon")
struct DaemonTests {
    private static let examples = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Examples").path

    /// A program of the system, where there is one.
    private static func find(_ program: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private static func environment(_ home: Home) throws -> [String: String] {
        var environment = ProcessInfo.processInfo.environment
        environment["HOME"] = home.path
        environment["XDG_DATA_HOME"] = home.path
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        environment["KAMUNE_DB_PASSPHRASE"] = nil
        environment["KAMUNE_DAEMON"] = "\(try Binary.path()) daemon"
        return environment
    }

    /// Starts a bot, and gives it and where it listens.
    private static func start(_ program: String, _ arguments: [String], home: Home) async throws -> (Child, String) {
        let bot = try Child(
            program: program, arguments + ["127.0.0.1:0", home.file("bot.db")], home: home,
            environment: environment(home))
        await bot.expect("listening at 127.0.0.1:")
        let text = bot.output.text
        let match = try #require(try /listening at (127\.0\.0\.1:\d+)/.firstMatch(in: text), "\(bot.errors.text)")
        return (bot, String(match.1))
    }

    /// Sends a line to a bot by the command, and waits for what it answers.
    private static func talk(to address: String, _ line: String, expecting answer: String) async throws {
        let home = try Home()
        let child = try Child(["dial", address, "--verify", "all"], home: home)
        child.write(line + "\n")
        await child.expect(answer)
        child.closeInput()
        await child.expectExit(0)
    }

    @Test("The bot in Python answers")
    func python() async throws {
        guard let python = Self.find("python3") else {
            print("There is no python3 here, so the bot in Python was not run.")
            return
        }
        let home = try Home()
        let (bot, address) = try await Self.start(python, [Self.examples + "/python/reminder_bot.py"], home: home)
        try await Self.talk(to: address, "hello", expecting: "You said: hello")
        try await Self.talk(to: address, "count", expecting: "1 messages")
        bot.send(signal: SIGINT)
        await bot.expectExit(0)
    }

    @Test("The bot in shell answers")
    func shell() async throws {
        guard let bash = Self.find("bash"), Self.find("uptime") != nil else {
            print("There is no bash or uptime here, so the bot in shell was not run.")
            return
        }
        let home = try Home()
        let (bot, address) = try await Self.start(bash, [Self.examples + "/shell/uptime-bot"], home: home)
        try await Self.talk(to: address, "hello", expecting: "load average")
        bot.send(signal: SIGTERM)
        await bot.expectExit(128 + SIGTERM)
    }

    @Test("A signal ends the daemon with a goodbye")
    func signal() async throws {
        let home = try Home()
        let daemon = try Child(["daemon"], home: home)
        await daemon.expect(#""evt":"ready""#)
        daemon.send(signal: SIGTERM)
        await daemon.expect(#"{"data":{"status":"shutdown"},"type":"evt","evt":"response"}"#)
        await daemon.expectExit(0)
    }
}
