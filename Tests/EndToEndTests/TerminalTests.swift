import Foundation
import Testing

@Suite("Conversations in a terminal")
struct TerminalTests {
    /// Two people at their terminals, who know each other already or not.
    struct Pair {
        let listening: Listening
        let dial: Child
        let homeA: Home
        let homeB: Home

        init(verify: String = "all") async throws {
            homeA = try Home()
            homeB = try Home()
            listening = try await Listening(
                ["--verify", verify, "--name", "Bob"], home: homeB, input: .terminal)
            dial = try Child(
                ["dial", listening.address, "--verify", verify, "--name", "Ada"], home: homeA, input: .terminal)
        }

        func expectConnected() async {
            await dial.expect("Connected with Bob")
            await listening.child.expect("Connected with Ada")
        }
    }

    @Test("what one types, the other reads, with time and name")
    func conversation() async throws {
        let pair = try await Pair()
        await pair.expectConnected()
        pair.dial.write("hello Bob\r")
        await pair.listening.child.expect("Ada: hello Bob\n")
        await pair.dial.expect("Ada: hello Bob\n")
        pair.listening.child.write("hello Ada, größe 🔒\r")
        await pair.dial.expect("Bob: hello Ada, größe 🔒\n")
        #expect(pair.dial.output.text.contains(#/\d\d:\d\d < Bob: hello Ada/#))
        pair.dial.write("/quit\r")
        await pair.dial.expectExit(0)
        await pair.listening.child.expect("Ada has ended the conversation.")
        await pair.listening.child.typeUntilEnd("\u{04}")
        await pair.listening.child.expectExit(0)
    }

    @Test("an incoming line does not tear the one that is being typed, which can be edited")
    func editing() async throws {
        let pair = try await Pair()
        await pair.expectConnected()
        pair.dial.write("helo Bob")
        await pair.dial.expect("to Bob> helo Bob")
        pair.listening.child.write("are you there?\r")
        await pair.dial.expect("Bob: are you there?\nto Bob> helo Bob")
        // Five to the left, the missing letter, then the end of the line and an exclamation mark.
        pair.dial.write("\u{1B}[D\u{1B}[D\u{1B}[D\u{1B}[D\u{1B}[Dl\u{05}!\r")
        await pair.listening.child.expect("Ada: hello Bob!\n")
        // The line before, again.
        pair.dial.write("\u{1B}[A\r")
        await pair.listening.child.expect("Ada: hello Bob!\n", times: 2)
        pair.dial.write("/quit\r")
        await pair.dial.expectExit(0)
    }

    @Test(
        "/quit, Ctrl-D, Ctrl-C and signals end gracefully, on either side, and give the terminal back",
        arguments: ["/quit\r", "\u{04}", "\u{03}", "TERM", "HUP"], [true, false])
    func endings(how: String, isDialer: Bool) async throws {
        let pair = try await Pair()
        await pair.expectConnected()
        let (quitter, other) = isDialer ? (pair.dial, pair.listening.child) : (pair.listening.child, pair.dial)
        #expect(quitter.isTerminalRaw == true)
        switch how {
        case "TERM": quitter.send(signal: SIGTERM)
        case "HUP": quitter.send(signal: SIGHUP)
        default: quitter.write(how)
        }
        await quitter.expectExit(0)
        #expect(quitter.isTerminalRaw == false)
        await other.expect("\(isDialer ? "Ada" : "Bob") has ended the conversation.")
        // Nothing from outside ends the program of somebody who may be typing.
        other.write("/quit\r")
        await other.expectExit(0)
    }

    @Test("in the background it waits, as programs do, until it is brought to the foreground")
    func background() async throws {
        let home = try Home()
        let script = #"set -m; "$0" listen 127.0.0.1:0 --no-passphrase & read line; jobs; fg; echo "ended $?""#
        let child = try Child(
            program: "/bin/sh", ["-c", script, Binary.path()], home: home, input: .terminal,
            environment: ["XDG_DATA_HOME": home.path, "TERM": "xterm"])
        // It may be anywhere before it needs the terminal, or stopped there.
        child.write("\n")
        await child.expect("> ")
        #expect(child.isTerminalRaw == true)
        child.write("/who\r")
        await child.expect("You:")
        child.write("/quit\r")
        await child.expect("ended 0")
        await child.expectExit(0)
        #expect(child.isTerminalRaw == false)
    }

    @Test("a second signal ends at once, even when the other side does not answer, and gives the terminal back")
    func twoInterrupts() async throws {
        let pair = try await Pair()
        await pair.expectConnected()
        pair.dial.send(signal: SIGSTOP)
        // Two of the same kind could be taken for one when they come together; of these, either may come first.
        pair.listening.child.write("\u{03}")
        pair.listening.child.send(signal: SIGTERM)
        let code = await pair.listening.child.exitCode()
        #expect(code == 130 || code == 143)
        #expect(pair.listening.child.isTerminalRaw == false)
        pair.dial.send(signal: SIGKILL)
    }

    @Test("Ctrl-C and Ctrl-D end what has not begun yet", arguments: ["\u{03}", "\u{04}"])
    func interruptedDial(key: String) async throws {
        let server = try Server(.silent)
        let child = try Child(["dial", server.address], home: try Home(), input: .terminal)
        await child.expect("Connecting to")
        child.write(key)
        await child.expectExit(130)
        #expect(child.isTerminalRaw == false)
    }

    @Test("a stranger is shown with every fingerprint, and accepted or refused by the person")
    func strangers() async throws {
        let pair = try await Pair(verify: "ask")
        await pair.listening.child.expect("Talk with “Ada”? (y/n)")
        for part in ["You have not met", "“Ada”", "emoji", "hex", "pseudonym", "fingerprint"] {
            #expect(pair.listening.child.output.text.contains(part))
        }
        pair.listening.child.write("maybe\r")
        await pair.listening.child.expect("Talk with “Ada”? (y/n)", times: 3)
        await pair.listening.child.type("y\r", until: "Accepted.")
        await pair.dial.expect("Talk with “Bob”?")
        pair.dial.write("yes\r")
        await pair.expectConnected()
        pair.dial.write("/quit\r")
        await pair.dial.expectExit(0)

        // Now they know each other: nobody is asked.
        let again = try Child(
            ["dial", pair.listening.address, "--name", "Ada", "--verify", "known"], home: pair.homeA, input: .terminal)
        await again.expect("Connected with Bob")
        again.write("hello again\r")
        await pair.listening.child.expect("Ada: hello again")
        again.write("/quit\r")
        await again.expectExit(0)
        #expect(try Home.mode(of: pair.homeB.storeFile) == 0o600)
    }

    @Test("whoever is refused learns it, and the listener goes on")
    func refused() async throws {
        let pair = try await Pair(verify: "ask")
        await pair.listening.child.expect("Talk with “Ada”?")
        pair.listening.child.write("n\r")
        await pair.dial.expectExit(2)
        #expect(pair.dial.output.text.contains("refused us"))
        let other = try Child(
            ["dial", pair.listening.address, "--name", "Eve"], home: try Home(), input: .terminal)
        await pair.listening.child.expect("Talk with “Eve”?")
        await pair.listening.child.type("y\r", until: "Accepted.")
        await other.expect("Talk with “Bob”?")
        other.write("n\r")
        await other.expectExit(3)
        pair.listening.child.write("/quit\r")
        await pair.listening.child.expectExit(0)
        let peers = try Child(["peers", "list"], home: pair.homeB)
        await peers.expectExit(0)
        // A yes is kept with the session that it was said for, and there was none.
        #expect(!peers.output.text.contains("Eve") && !peers.output.text.contains("Ada"))
    }

    @Test("a known name with another key is a loud warning, and yes must be spelled out")
    func changedKey() async throws {
        let pair = try await Pair(verify: "ask")
        await pair.listening.child.expect("Talk with “Ada”?")
        pair.listening.child.write("y\r")
        await pair.dial.expect("Talk with “Bob”?")
        pair.dial.write("y\r")
        await pair.expectConnected()
        pair.dial.write("/quit\r")
        await pair.dial.expectExit(0)

        let impostor = try Child(
            ["dial", pair.listening.address, "--verify", "all", "--name", "ada"], home: try Home(), input: .terminal)
        let listener = pair.listening.child
        await listener.expect("IS KNOWN WITH ANOTHER KEY")
        await listener.expect("The key that you accepted before:")
        await listener.expect("The key that is shown now:")
        await listener.expect("type yes to accept")
        await listener.type("y\r", until: "type yes to accept", times: 3)
        await listener.type("n\r", until: "You refused")
        await impostor.expectExit(2)
    }

    @Test("what was begun for one is not sent to the next, and a goodbye does not end the program of who is typing")
    func drafts() async throws {
        let pair = try await Pair()
        await pair.expectConnected()
        pair.dial.write("only for Bo")
        await pair.dial.expect("to Bob> only for Bo")
        pair.listening.child.write("for Ada al")
        await pair.listening.child.expect("to Ada> for Ada al")
        pair.listening.child.send(signal: SIGTERM)
        await pair.listening.child.expectExit(0)
        await pair.dial.expect("to Bob (away)> only for Bo")
        // A shell would take it for a command; here it waits for the one whom it is for.
        pair.dial.write("b\r")
        await pair.dial.expect("> Ada: only for Bob")
        await pair.dial.expect("It waits until Bob is back.")
        await pair.dial.typeUntilEnd("/quit\r")
        await pair.dial.expectExit(0)
        let history = try Child(["history", "show"], home: pair.homeA)
        await history.expect("> You to Bob: only for Bob (waiting)")
        await history.expectExit(0)
    }

    @Test("several lines that are pasted are one message, and no commands")
    func paste() async throws {
        let pair = try await Pair()
        await pair.expectConnected()
        #expect(pair.dial.output.raw.contains("\u{1B}[?2004h"))
        pair.dial.write("\u{1B}[200~one\r/quit\rtwo\r\u{1B}[201~")
        await pair.dial.expect("to Bob> one⏎/quit⏎two")
        pair.dial.write("\r")
        await pair.listening.child.expect("Ada: one\n    /quit\n    two\n")
        pair.dial.write("/quit\r")
        await pair.dial.expectExit(0)
        #expect(pair.dial.output.raw.hasSuffix("\u{1B}[?2004l\u{1B}[?7h"))
    }

    @Test("a long text is pasted at once, not a letter at a time", .timeLimit(.minutes(1)))
    func longPaste() async throws {
        let pair = try await Pair()
        await pair.expectConnected()
        pair.dial.write("\u{1B}[200~\(String(repeating: "twelve bytes ", count: 4_700))the end\u{1B}[201~\r")
        await pair.listening.child.expect("the end\n")
        pair.dial.write("/quit\r")
        await pair.dial.expectExit(0)
    }

    /// The terminal of the tests has 200 columns, of which time, sign and name take 13.
    @Test("a message cannot pass itself off as another's, by its width or its length")
    func forging() async throws {
        let pair = try await Pair()
        await pair.expectConnected()
        let wide = "\u{E19}\u{E33}"
        pair.dial.write(String(repeating: wide, count: 100) + ".21:50 Bob: yes\r")
        await pair.listening.child.expect("\n    " + String(repeating: wide, count: 7) + ".21:50 Bob: yes\n")
        pair.dial.write(String(repeating: "x", count: 187) + " 21:50 Bob: no\r")
        await pair.listening.child.expect("x\n    21:50 Bob: no\n")
        pair.dial.write("/quit\r")
        await pair.dial.expectExit(0)
    }

    @Test("keys that mean nothing here, and answers of the terminal, are no text")
    func unknownKeys() async throws {
        let pair = try await Pair()
        await pair.expectConnected()
        // F1 of the Linux console, F5, the background's colour, the kind of terminal.
        pair.dial.write("a\u{1B}[[Ab\u{1B}[15~c\u{1B}]11;rgb:0000/0000/0000\u{1B}\\d\u{1B}[?62;22ce\r")
        await pair.listening.child.expect("Ada: abcde\n")
        pair.dial.write("/quit\r")
        await pair.dial.expectExit(0)
    }

    @Test("who comes during a conversation is refused")
    func busy() async throws {
        let pair = try await Pair()
        await pair.expectConnected()
        let late = try Child(["dial", pair.listening.address, "--verify", "all"], home: try Home())
        late.closeInput()
        await late.expectExit(2)
        pair.dial.write("still here\r")
        await pair.listening.child.expect("Ada: still here")
    }

    @Test("a terminal that can only print does too")
    func dumb() async throws {
        let listening = try await Listening(
            ["--name", "Bob"], home: try Home(), input: .terminal, environment: ["TERM": "dumb"])
        let dial = try Child(
            ["dial", listening.address, "--name", "Ada", "--verify", "all"], home: try Home(), input: .terminal)
        await listening.child.expect("Talk with “Ada”?")
        listening.child.write("y\n")
        await listening.child.expect("Connected with Ada")
        await dial.expect("Connected with Bob")
        dial.write("hello\r")
        await listening.child.expect("Ada: hello\n")
        listening.child.write("and back\n")
        await dial.expect("Bob: and back\n")
        #expect(!listening.child.output.raw.contains("\u{1B}"))
        listening.child.write("/quit\n")
        await listening.child.expectExit(0)
        await dial.expect("Bob has ended the conversation.")
        await dial.typeUntilEnd("/quit\r")
        await dial.expectExit(0)
    }
}
