import KamuneSystem
import Testing

@Suite("Conversations of scripts")
struct PipeTests {
    @Test("each line is sent, and the conversation ends gracefully on both sides")
    func lines() async throws {
        let (homeA, homeB) = (try Home(), try Home())
        let listening = try await Listening(["--verify", "all"], home: homeB)
        let dial = try Child(["dial", listening.address, "--verify", "all"], home: homeA)
        dial.write("hello\nline two, with é and 🔒\r\nwithout a line feed")
        dial.closeInput()
        await dial.expectExit(0)
        #expect(dial.output.raw.isEmpty)
        listening.child.closeInput()
        await listening.child.expectExit(0)
        #expect(listening.child.output.raw == "hello\nline two, with é and 🔒\nwithout a line feed\n")
        #expect(listening.child.errors.text.contains("A new identity was made for you"))
    }

    @Test("a listener whose input is empty receives until the other side ends")
    func emptyInput() async throws {
        let listening = try await Listening(["--verify", "all"], home: try Home())
        listening.child.closeInput()
        let dial = try Child(["dial", listening.address, "--verify", "all"], home: try Home())
        await dial.expectError("Connected with")
        dial.write("one\n")
        await listening.child.expect("one\n")
        dial.write("two\n")
        await listening.child.expect("two\n")
        dial.closeInput()
        await dial.expectExit(0)
        await listening.child.expectExit(0)
    }

    @Test("lines go both ways")
    func bothWays() async throws {
        let listening = try await Listening(["--verify", "all"], home: try Home())
        let dial = try Child(["dial", listening.address, "--verify", "all"], home: try Home())
        listening.child.write("from the listener\n")
        await dial.expect("from the listener\n")
        dial.write("from the dialer\n")
        await listening.child.expect("from the dialer\n")
        listening.child.closeInput()
        await listening.child.expectExit(0)
        await dial.expectExit(0)
    }

    @Test("--linger waits for answers after the last line")
    func linger() async throws {
        let listening = try await Listening(["--verify", "all"], home: try Home())
        let dial = try Child(["dial", listening.address, "--verify", "all", "--linger", "60"], home: try Home())
        dial.write("question\n")
        dial.closeInput()
        await listening.child.expect("question\n")
        listening.child.write("answer\n")
        await dial.expect("answer\n")
        listening.child.closeInput()
        await dial.expectExit(0)
        await listening.child.expectExit(0)
    }

    @Test("a listener that keeps listening serves many, and bad peers disturb nobody")
    func keepListening() async throws {
        let listening = try await Listening(["--verify", "all", "--keep-listening"], home: try Home())
        listening.child.closeInput()
        let garbage: [[UInt8]] = [
            [], [0], Array("GET / HTTP/1.1\r\n\r\n".utf8), Server.frame([]), Server.frame([1, 2, 3]),
            Server.frame([UInt8](repeating: 0xff, count: 65_535)), Server.frame([UInt8](repeating: 0, count: 1_216)),
        ]
        for round in 1...2 {
            for bytes in garbage { Server.shout(bytes, at: listening.port) }
            let dial = try Child(["dial", listening.address, "--verify", "all"], home: try Home())
            dial.write("round \(round)\n")
            dial.closeInput()
            await dial.expectExit(0)
            await listening.child.expect("round \(round)\n")
        }
        listening.child.send(signal: SIGTERM)
        await listening.child.expectExit(143)
        #expect(listening.child.output.raw == "round 1\nround 2\n")
    }

    @Test("a pipe gets what was sent, byte for byte, and what is said about it cannot steer a terminal")
    func hostileText() async throws {
        let listening = try await Listening(["--verify", "all"], home: try Home())
        listening.child.closeInput()
        let dial = try Child(
            ["dial", listening.address, "--verify", "all", "--name", "E\u{1B}[31mve\u{202E}"], home: try Home())
        let text = "a\u{1B}]0;title\u{07}b\u{9B}2Jc\u{202E}d\t\u{A0}e\u{E000}\n"
        dial.write(text)
        dial.closeInput()
        await dial.expectExit(0)
        await listening.child.expectExit(0)
        let told = listening.child.errors.raw
        #expect(told.contains("E\u{FFFD}[31mve"))
        #expect(!told.unicodeScalars.contains { ["\u{1B}", "\u{9B}", "\u{07}", "\u{202E}"].contains($0) })
        #expect(listening.child.output.raw == text)
    }

    @Test("who starts a script at a terminal is asked there about somebody new")
    func firstContact() async throws {
        let listening = try await Listening(["--verify", "all", "--name", "Bob"], home: try Home())
        let home = try Home()
        let script = #"echo hello | "$0" dial "$1" --no-passphrase 2>"$2"; echo "ended $?""#
        let child = try Child(
            program: "/bin/sh", ["-c", script, Binary.path(), listening.address, home.file("errors")], home: home,
            input: .terminal, environment: ["XDG_DATA_HOME": home.path, "TERM": "xterm"])
        await child.expect("You have not met this peer before")
        await child.expect("Talk with “Bob”? (y/n) ")
        child.write("y\n")
        await listening.child.expect("hello\n")
        await child.expect("ended 0")
        await child.expectExit(0)
        listening.child.closeInput()
        await listening.child.expectExit(0)
    }

    @Test("SIGTERM ends a listener whose output nobody reads")
    func blockedPipe() async throws {
        let home = try Home()
        let pipe = home.file("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        // Somebody has it open, and reads nothing.
        let reader = open(pipe, O_RDONLY | O_NONBLOCK)
        defer { systemClose(reader) }
        let script = #"exec "$0" listen 127.0.0.1:0 --verify all --no-passphrase >"$1""#
        let listener = try Child(
            program: "/bin/sh", ["-c", script, Binary.path(), pipe], home: home,
            environment: ["XDG_DATA_HOME": home.path])
        listener.closeInput()
        _ = await listener.errors.wait(within: Child.patience) { Listening.address(in: $0) != nil }
        let address = try #require(Listening.address(in: listener.errors.text))
        let dial = try Child(["dial", address, "--verify", "all"], home: try Home())
        // Three times what the pipe takes; all of it is stored, and so delivered.
        dial.write(String(repeating: String(repeating: "x", count: 999) + "\n", count: 200))
        dial.closeInput()
        await dial.expectExit(0)
        listener.send(signal: SIGTERM)
        await listener.expectExit(143)
    }

    @Test("an interrupted script says goodbye")
    func interrupt() async throws {
        let listening = try await Listening(["--verify", "all"], home: try Home())
        let dial = try Child(["dial", listening.address, "--verify", "all"], home: try Home())
        dial.write("before\n")
        await listening.child.expect("before\n")
        dial.send(signal: SIGINT)
        await dial.expectExit(130)
        await listening.child.expectExit(0)
    }

    @Test("a process that is killed is not taken for one that said goodbye")
    func killed() async throws {
        let listening = try await Listening(["--verify", "all", "--reconnect", "0"], home: try Home())
        let dial = try Child(["dial", listening.address, "--verify", "all"], home: try Home())
        dial.write("before\n")
        await listening.child.expect("before\n")
        dial.send(signal: SIGKILL)
        await listening.child.expectExit(7)
    }

    @Test("a line that is too long is told, and ends the conversation")
    func tooLong() async throws {
        let listening = try await Listening(["--verify", "all"], home: try Home())
        let dial = try Child(["dial", listening.address, "--verify", "all"], home: try Home())
        dial.write("short\n" + String(repeating: "x", count: 61_436) + "\n")
        await dial.expectExit(1)
        #expect(dial.errors.text.contains("Line 2"))
        listening.child.closeInput()
        await listening.child.expectExit(0)
        #expect(listening.child.output.raw == "short\n")
    }

    @Test("thousands of lines arrive in order")
    func many() async throws {
        let listening = try await Listening(["--verify", "all"], home: try Home())
        let dial = try Child(["dial", listening.address, "--verify", "all"], home: try Home())
        let text = (0..<2_000).map { "line \($0)\n" }.joined()
        dial.write(text)
        dial.closeInput()
        await dial.expectExit(0)
        listening.child.closeInput()
        await listening.child.expectExit(0)
        #expect(listening.child.output.raw == text)
    }
}
