import Foundation
import Testing

@Suite("A new identity")
struct SuccessionTests {
    @discardableResult
    private func run(
        _ arguments: [String], home: Home, exit: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> (output: String, errors: String) {
        let child = try Child(arguments, home: home)
        child.closeInput()
        await child.expectExit(exit, sourceLocation: sourceLocation)
        return (child.output.raw, child.errors.text)
    }

    private func fingerprint(of home: Home) async throws -> String {
        let shown = try await run(["identity", "show"], home: home).output
        return try #require(shown.firstMatch(of: #/fingerprint +(\S{43})\n/#).map { String($0.1) })
    }

    /// Ada says a line to Bob, who listens.
    private func say(
        _ line: String, from ada: Home, to bob: Home, adaPolicy: String = "all", bobPolicy: String = "all"
    ) async throws -> (ada: Child, bob: Child) {
        let listening = try await Listening(["--verify", bobPolicy, "--name", "Bob"], home: bob)
        let dial = try Child(["dial", listening.address, "--verify", adaPolicy, "--name", "Ada"], home: ada)
        dial.write(line + "\n")
        await listening.child.expect(line + "\n")
        dial.closeInput()
        await dial.expectExit(0)
        listening.child.closeInput()
        await listening.child.expectExit(0)
        return (dial, listening.child)
    }

    @Test("trust and history go over to it, from one to the next, and nobody else gets them")
    func rotations() async throws {
        let (ada, bob) = (try Home(), try Home())
        _ = try await say("one", from: ada, to: bob)
        try await run(["peers", "verify", "Bob", "--yes"], home: ada)
        try await run(["peers", "verify", "Ada", "--yes"], home: bob)
        let first = try await fingerprint(of: bob)

        // The listener has a new identity.
        try await run(["identity", "rotate", "--algorithm", "ml-dsa-65", "--yes"], home: bob)
        let second = try await fingerprint(of: bob)
        let told = "“Bob” has taken a new identity, and the old one vouches for it: \(first) is now \(second)."
        let talk = try await say("two", from: ada, to: bob, adaPolicy: "known", bobPolicy: "known")
        await talk.ada.expectError(told)
        #expect(!talk.ada.errors.text.contains("WARNING"))
        // The next time there is nothing to tell.
        let again = try await say("three", from: ada, to: bob, adaPolicy: "known", bobPolicy: "known")
        #expect(!again.ada.errors.text.contains("new identity"))

        // Two steps at once, and the private keys of before are gone.
        try await run(["identity", "rotate", "--yes"], home: bob)
        try await run(["identity", "rotate", "--yes"], home: bob)
        let own = try await run(["identity", "show"], home: bob).output.split(separator: "\n")
        for key in [first, second] {
            let line = try #require(own.first { $0.contains(key) })
            #expect(line.hasSuffix("; vouches for the one in use; its private key is still kept"))
        }
        try await run(["identity", "erase-old", "--yes"], home: bob)
        let last = try await fingerprint(of: bob)
        let third = try await say("four", from: ada, to: bob, adaPolicy: "known", bobPolicy: "known")
        await third.ada.expectError("\(second) is now \(last).")

        let shown = try await run(["peers", "show", "Bob"], home: ada).output
        #expect(shown.contains(last) && shown.contains("\(first), until"))
        #expect(shown.contains(second) && shown.contains("verified"))
        #expect(try await run(["peers", "list", "--json"], home: ada).output.split(separator: "\n").count == 1)
        let history = try await run(["history", "show", "Bob"], home: ada).output
        for line in ["one", "two", "three", "four"] { #expect(history.contains("You: \(line) ")) }

        // The one who dials has a new identity, in a terminal.
        let old = try await fingerprint(of: ada)
        try await run(["identity", "rotate", "--yes"], home: ada)
        let new = try await fingerprint(of: ada)
        let listening = try await Listening(["--verify", "ask"], home: bob, input: .terminal)
        let dial = try Child(["dial", listening.address, "--verify", "known", "--name", "Ada"], home: ada)
        await listening.child.expect("“Ada” has taken a new identity, and the old one vouches for it: \(old) is")
        await listening.child.expect("Connected with Ada")
        dial.closeInput()
        await dial.expectExit(0)
        listening.child.write("/quit\r")
        await listening.child.expectExit(0)
        #expect(try await run(["peers", "show", "Ada"], home: bob).output.contains(new))
    }

    @Test("a name without a statement, and a given-up key with another one, get nobody in")
    func impostors() async throws {
        let (ada, bob, eve, thief) = (try Home(), try Home(), try Home(), try Home())
        _ = try await say("one", from: ada, to: bob)
        try await run(["peers", "verify", "Ada", "--yes"], home: bob)
        // A copy of Ada's store is stolen.
        try FileManager.default.copyItem(atPath: ada.path + "/kamune", toPath: thief.path + "/kamune")
        try await run(["identity", "rotate", "--yes"], home: ada)
        _ = try await say("two", from: ada, to: bob, bobPolicy: "known")

        let listening = try await Listening(["--verify", "all", "--keep-listening"], home: bob)
        // The old key itself.
        try await run(["dial", listening.address, "--verify", "all", "--name", "Ada"], home: thief, exit: 2)
        await listening.child.expectError("“Ada” HAS GIVEN UP THIS KEY FOR ANOTHER")
        // A key that it vouches for.
        try await run(["identity", "rotate", "--yes"], home: thief)
        try await run(["dial", listening.address, "--verify", "all", "--name", "Ada"], home: thief, exit: 2)
        await listening.child.expectError("AN OLD KEY OF “Ada” VOUCHES FOR TWO NEW ONES")
        // Ada herself is as welcome as before.
        try await run(["dial", listening.address, "--verify", "known", "--name", "Ada"], home: ada, exit: 3)
        try await run(["dial", listening.address, "--verify", "all", "--name", "Ada"], home: ada)
        listening.child.send(signal: SIGTERM)
        await listening.child.expectExit(143)

        let strict = try await Listening(["--verify", "known", "--keep-listening"], home: bob)
        try await run(["dial", strict.address, "--verify", "all", "--name", "Ada"], home: eve, exit: 2)
        await strict.child.expectError("IS KNOWN WITH ANOTHER KEY")
        strict.child.send(signal: SIGTERM)
        await strict.child.expectExit(143)
    }

    @Test("an incognito listener knows the successor, and not a byte of what it keeps changes")
    func incognito() async throws {
        let (ada, bob) = (try Home(), try Home())
        _ = try await say("one", from: ada, to: bob)
        try await run(["peers", "verify", "Ada", "--yes"], home: bob)
        let old = try await fingerprint(of: ada)
        try await run(["identity", "rotate", "--yes"], home: ada)
        let before = try Data(contentsOf: URL(fileURLWithPath: bob.storeFile))
        let listening = try await Listening(["--verify", "known", "--incognito"], home: bob)
        let dial = try Child(
            ["dial", listening.address, "--verify", "all", "--name", "Ada", "--incognito"], home: ada)
        dial.write("two\n")
        await listening.child.expect("two\n")
        await listening.child.expectError("the old one vouches for it: \(old) is now")
        dial.closeInput()
        await dial.expectExit(0)
        listening.child.closeInput()
        await listening.child.expectExit(0)
        #expect(try Data(contentsOf: URL(fileURLWithPath: bob.storeFile)) == before)
    }
}
