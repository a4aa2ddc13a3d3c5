import Foundation
import Testing

@Suite("What is kept")
struct StoreTests {
    /// Runs a command to its end, and checks how it ended.
    @discardableResult
    private func run(
        _ arguments: [String], home: Home, exit: Int32 = 0, environment: [String: String] = [:], input: String = "",
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> (output: String, errors: String) {
        let child = try Child(arguments, home: home, environment: environment)
        child.write(input)
        child.closeInput()
        await child.expectExit(exit, sourceLocation: sourceLocation)
        return (child.output.raw, child.errors.text)
    }

    /// Two people who have talked: Ada said two lines to Bob, who said one.
    private func converse(_ ada: Home, _ bob: Home, extra: [String] = []) async throws {
        let listening = try await Listening(["--verify", "all", "--name", "Bob"] + extra, home: bob)
        let dial = try Child(
            ["dial", listening.address, "--verify", "all", "--name", "Ada"] + extra, home: ada)
        dial.write("meet me at the Station\nor at the café\n")
        await listening.child.expect("café\n")
        listening.child.write("station it is\n")
        await dial.expect("station it is\n")
        dial.closeInput()
        await dial.expectExit(0)
        listening.child.closeInput()
        await listening.child.expectExit(0)
    }

    private func fingerprint(_ text: String) throws -> String {
        try #require(text.firstMatch(of: #/fingerprint +(\S{43})\n/#).map { String($0.1) })
    }

    // MARK: Peers and history

    @Test("after a conversation, both sides find whom it was with and what was said")
    func peersAndHistory() async throws {
        let (ada, bob) = (try Home(), try Home())
        try await converse(ada, bob)
        #expect(try Home.mode(of: bob.storeFile) == 0o600)
        let adaPrint = try fingerprint(try await run(["identity", "show"], home: ada).output)

        let list = try await run(["peers", "list"], home: bob).output
        #expect(list.contains("Ada") && list.contains("not accepted") && list.contains(adaPrint.prefix(12)))
        let json = try await run(["peers", "list", "--json"], home: bob).output
        #expect(json.contains(#""name":"Ada","number":1,"#) && json.contains(#""fingerprint":"\#(adaPrint)""#))

        // Named by name, number, and the beginning of the fingerprint.
        for name in ["ada", "1", "#1", String(adaPrint.prefix(6))] {
            // A fingerprint may begin like an option.
            let shown = try await run(["peers", "show", "--no-passphrase", "--", name], home: bob).output
            #expect(try fingerprint(shown) == adaPrint)
        }
        let nobody = try await run(["peers", "show", "Eve"], home: bob, exit: 4)
        #expect(nobody.errors.contains("No peer is called “Eve”"))

        #expect(try await run(["peers", "verify", "Ada", "--yes"], home: bob).output.contains("“Ada” is verified."))
        try await run(["peers", "rename", "Ada", "Countess"], home: bob)
        #expect(try await run(["peers", "list"], home: bob).output.contains(#/1 +Countess .* verified\n/#))

        let shown = try await run(["history", "show", "Countess"], home: bob).output
        #expect(shown.contains(#/\d\d:\d\d:\d\d < Countess: meet me at the Station\n.* < Countess: or at the café\n/#))
        #expect(shown.contains(#/:\d\d > You: station it is \(delivered\)\n/#))
        let sessions = try await run(["history", "list"], home: ada).output
        #expect(sessions.contains(#/1 +20\d\d-.*Bob +tcp/#))
        try await run(["history", "rename", "1", "A plan"], home: ada)
        #expect(
            try await run(["history", "list", "--json"], home: ada).output.contains(#""name":"A plan","number":1,"#))

        // The latest first, whatever the case.
        let found = try await run(["history", "search", "STATION"], home: ada).output.split(separator: "\n")
        #expect(found.count == 2 && found[0].contains("Bob: station it is") && found[1].contains("You to Bob: meet me"))
        #expect(
            try await run(["history", "search", "tat", "--whole-words"], home: ada).output == "Nothing was found.\n")
        let early = ["history", "search", "station", "--until", "2020-01-01"]
        #expect(try await run(early, home: ada).output == "Nothing was found.\n")
        let now = ["history", "search", "station", "--from", "yesterday", "--peer", "Bob", "--limit", "1", "--json"]
        #expect(try await run(now, home: ada).output.contains(#""text":"station it is","#))

        try await run(["history", "delete", "Bob", "--yes"], home: ada)
        #expect(try await run(["history", "show"], home: ada).output == "Nothing was said.\n")
        try await run(["history", "delete", "Bob"], home: ada, exit: 64)
        try await run(["peers", "forget", "Bob", "--yes"], home: ada)
        #expect(try await run(["peers", "list"], home: ada).output == "You know no peers yet.\n")
    }

    @Test("an export is written as asked, for its owner alone, and replaces nothing unasked")
    func exports() async throws {
        let (ada, bob) = (try Home(), try Home())
        try await converse(ada, bob)
        let text = try await run(["history", "export"], home: ada).output
        #expect(text.contains(" > You to Bob: or at the café (delivered)\n"))
        let file = ada.file("talks.md")
        try await run(["history", "export", "Bob", "--format", "markdown", "--output", file], home: ada)
        #expect(try Home.contents(of: file).contains(#/- \d\d:\d\d:\d\d < \*\*Bob:\*\* station it is\n/#))
        #expect(try Home.mode(of: file) == 0o600)
        let before = try Home.contents(of: file)
        let refused = try await run(["history", "export", "--output", file], home: ada, exit: 1)
        #expect(refused.errors.contains("--force"))
        #expect(try Home.contents(of: file) == before)
        try await run(["history", "export", "--format", "jsonl", "--output", file, "--force"], home: ada)
        let lines = try Home.contents(of: file).split(separator: "\n")
        #expect(lines.count == 3)
        for line in lines {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(object?["peer"] as? String == "Bob")
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: ada.path)
        #expect(names.sorted() == ["kamune", "talks.md"], "nothing is left beside it")
    }

    // MARK: Verification

    @Test("who was let in unseen is not known, and blocked peers are refused by every policy")
    func policies() async throws {
        let (ada, bob) = (try Home(), try Home())
        try await converse(ada, bob)
        let strict = try await Listening(["--verify", "known", "--keep-listening"], home: bob)
        try await run(["dial", strict.address, "--verify", "all", "--name", "Ada"], home: ada, exit: 2)
        strict.child.send(signal: SIGTERM)
        await strict.child.expectExit(143)

        try await run(["peers", "verify", "Ada", "--yes"], home: bob)
        let again = try await Listening(["--verify", "known", "--keep-listening"], home: bob)
        try await run(["dial", again.address, "--verify", "all", "--name", "Ada"], home: ada)
        // The same name with another key.
        let eve = try Home()
        try await run(["dial", again.address, "--verify", "all", "--name", " ADA"], home: eve, exit: 2)
        await again.child.expectError("IS KNOWN WITH ANOTHER KEY")
        let keys = [ada, eve]
        for home in keys {
            let print = try fingerprint(try await run(["identity", "show"], home: home).output)
            await again.child.expectError(print)
        }
        again.child.send(signal: SIGTERM)
        await again.child.expectExit(143)

        try await run(["peers", "block", "Ada"], home: bob)
        let open = try await Listening(["--verify", "all", "--keep-listening"], home: bob)
        try await run(["dial", open.address, "--verify", "all", "--name", "Ada"], home: ada, exit: 2)
        await open.child.expectError("because you have blocked this peer")
        open.child.send(signal: SIGTERM)
        await open.child.expectExit(143)
        try await run(["peers", "unblock", "Ada"], home: bob)
        #expect(try await run(["peers", "expiry", "never"], home: bob).output.contains("never asked again"))
    }

    @Test("an incognito conversation leaves every byte as it was")
    func incognito() async throws {
        let (ada, bob) = (try Home(), try Home())
        try await converse(ada, bob)
        let before = (try store(ada), try store(bob))
        try await converse(ada, bob, extra: ["--incognito"])
        #expect(try store(ada) == before.0)
        #expect(try store(bob) == before.1)

        // Who keeps nothing yet keeps nothing afterwards.
        let (carol, dora) = (try Home(), try Home())
        try await converse(carol, dora, extra: ["--incognito"])
        for home in [carol, dora] {
            #expect(try FileManager.default.contentsOfDirectory(atPath: home.path).isEmpty)
        }
    }

    private func store(_ home: Home) throws -> [Data] {
        try [home.storeFile, home.storeFile + "-wal"].map {
            FileManager.default.fileExists(atPath: $0) ? try Data(contentsOf: URL(fileURLWithPath: $0)) : Data()
        }
    }

    // MARK: Backup

    @Test("a backup is restored on a new machine and merged into an old one, without doubling anything")
    func backups() async throws {
        let (ada, bob, other) = (try Home(), try Home(), try Home())
        try await converse(ada, bob)
        let file = ada.file("kamune.backup")
        let secret = ["KAMUNE_BACKUP_PASSPHRASE": "of the backup"]
        #expect(
            try await run(["backup", file], home: ada, environment: secret).output
                .contains("1 identity, 1 peer, 1 conversation, 3 messages"))
        #expect(try Home.mode(of: file) == 0o600)
        try await run(["backup", file], home: ada, exit: 1, environment: secret)

        let restored = try await run(["restore", file], home: other, environment: secret)
        #expect(restored.errors.contains("WARNING"))
        #expect(try Home.mode(of: other.storeFile) == 0o600)
        for command in [["identity", "show"], ["history", "show"], ["history", "export"]] {
            #expect(try await run(command, home: other).output == run(command, home: ada).output)
        }
        // Only how contacts and places are called is each store's own.
        let own = #/"(contact|position)":[^,]*,/#
        let lines = ["history", "export", "--format", "jsonl"]
        let (here, there) = (try await run(lines, home: other).output, try await run(lines, home: ada).output)
        #expect(here.replacing(own, with: "") == there.replacing(own, with: ""))
        try await run(["restore", file], home: other, exit: 1, environment: secret)

        // What happened since stays, and nothing is there twice.
        try await run(["peers", "rename", "1", "Robert"], home: ada)
        try await converse(ada, bob)
        #expect(
            try await run(["restore", file, "--merge"], home: ada, environment: secret).output
                .contains("0 identities, 0 peers, 0 conversations, 0 messages"))
        #expect(
            try await run(["history", "export", "--format", "jsonl"], home: ada).output.split(separator: "\n").count
                == 6)
        #expect(try await run(["peers", "list"], home: ada).output.contains("Robert"))

        let wrong = try await run(
            ["restore", file, "--merge"], home: ada, exit: 9, environment: ["KAMUNE_BACKUP_PASSPHRASE": "x"])
        #expect(wrong.errors.contains("The passphrase of the backup is wrong"))
        let missing = try await run(["restore", ada.file("nothing")], home: other, exit: 1, environment: secret)
        #expect(missing.errors.contains("There is no backup at"))
    }

    // MARK: Identities

    @Test("the identity in the store is made, shown, moved, followed by another, and erased")
    func identities() async throws {
        let (home, other) = (try Home(), try Home())
        let none = try await run(["identity", "show"], home: home, exit: 1)
        #expect(none.errors.contains("Nothing is kept"))
        let first = try fingerprint(try await run(["identity", "new"], home: home).output)
        let second = try await run(["identity", "new"], home: home, exit: 1)
        #expect(second.errors.contains("exists already"))
        try await run(["identity", "name", "Ada"], home: home)

        let pem = try await run(["identity", "export"], home: home).output
        #expect(pem.hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
        #expect(try fingerprint(try await run(["identity", "import", "-"], home: other, input: pem).output) == first)

        let rotated = try await run(["identity", "rotate", "--algorithm", "ml-dsa-65", "--yes"], home: home).output
        let shown = try await run(["identity", "show"], home: home).output
        #expect(try fingerprint(rotated) == fingerprint(shown) && fingerprint(shown) != first)
        #expect(shown.contains("“Ada”") && shown.contains("\(first) (Ed25519") && shown.contains("still kept"))
        try await run(["identity", "erase-old"], home: home, exit: 64)
        #expect(try await run(["identity", "erase-old", "--yes"], home: home).output.contains("1 private key erased."))
        #expect(try await run(["identity", "show"], home: home).output.contains("its private key is erased"))
    }

    @Test("what an earlier version kept in files is moved into the store at first use")
    func migration() async throws {
        let (home, friend) = (try Home(), try Home())
        try FileManager.default.createDirectory(atPath: home.path + "/kamune", withIntermediateDirectories: true)
        let file = home.path + "/kamune/identity.pem"
        let mine = try fingerprint(try await run(["identity", "new", "--identity", file], home: home).output)
        let theirs = try await run(["identity", "new"], home: friend).output
        let key = try #require(theirs.firstMatch(of: #/public key +(\S+)/#)).1
        _ = try home.write("# peers\n2026-07-01 \(key) Friend\n", to: "kamune/known-peers")

        let shown = try await run(["identity", "show"], home: home)
        #expect(try fingerprint(shown.output) == mine)
        #expect(shown.errors.contains("Your identity was moved") && shown.errors.contains("1 known peers were moved"))
        #expect(try await run(["peers", "list"], home: home).output.contains("Friend"))
        let left = try FileManager.default.contentsOfDirectory(atPath: home.path + "/kamune")
        #expect(left.contains("identity.pem.moved") && left.contains("known-peers.moved"))
        #expect(!left.contains("identity.pem") && !left.contains("known-peers"))
    }
}
