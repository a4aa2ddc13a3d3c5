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
        await listening.child.expectExit(0)
        #expect(listening.child.output.raw == "round 1\nround 2\n")
    }

    @Test("what a peer says cannot steer the terminal")
    func hostileText() async throws {
        let listening = try await Listening(["--verify", "all"], home: try Home())
        listening.child.closeInput()
        let dial = try Child(
            ["dial", listening.address, "--verify", "all", "--name", "E\u{1B}[31mve\u{202E}"], home: try Home())
        dial.write("a\u{1B}]0;title\u{07}b\u{9B}2Jc\u{202E}d\n")
        dial.closeInput()
        await dial.expectExit(0)
        await listening.child.expectExit(0)
        for text in [listening.child.output.raw, listening.child.errors.raw] {
            #expect(!text.unicodeScalars.contains { ["\u{1B}", "\u{9B}", "\u{07}", "\u{202E}"].contains($0) })
        }
        #expect(listening.child.output.raw.hasPrefix("a"))
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
