import Kamune
import Testing

@testable import KamuneCommand

@Suite("Known peers")
struct PeerBookTests {
    private func key(_ algorithm: IdentityAlgorithm = .ed25519) throws -> PublicIdentity {
        try Identity.generate(algorithm).publicKey
    }

    @Test("who was accepted is known, also to the next program")
    func remembering() throws {
        let scratch = try Scratch()
        let book = FilePeerBook(path: scratch.file("data/known-peers"))
        let (ada, bob) = (try key(), try key(.mldsa65))
        #expect(try book.trust(in: ada, name: "Ada") == .unknown)
        try book.remember(ada, name: "Ada Lovelace")
        try book.remember(bob, name: "Bob")
        let again = FilePeerBook(path: book.path)
        #expect(try again.trust(in: ada, name: "whatever") == .known(name: "Ada Lovelace"))
        #expect(try again.trust(in: bob, name: "Bob") == .known(name: "Bob"))
        #expect(try again.trust(in: key(), name: "Carol") == .unknown)
        #expect(Scratch.mode(book.path) == 0o600)
    }

    @Test(
        "a known name with another key is told, however it is written",
        arguments: ["Ada L", "ada l", " ADA  L ", "A\u{200B}da L", "Ada\u{A0}L"])
    func changed(name: String) throws {
        let book = FilePeerBook(path: try Scratch().path + "/peers")
        let ada = try key()
        try book.remember(ada, name: "Ada L")
        #expect(try book.trust(in: key(), name: name) == .changed(known: ada))
    }

    @Test("an accepted new key takes the place of the old one")
    func replaced() throws {
        let scratch = try Scratch()
        let book = FilePeerBook(path: scratch.file("peers"))
        let (old, new) = (try key(), try key())
        try book.remember(old, name: "Ada")
        try book.remember(new, name: "ada")
        #expect(try book.trust(in: old, name: "Zoe") == .unknown)
        #expect(try book.trust(in: new, name: "Zoe") == .known(name: "ada"))
        #expect(try book.load().count == 1)
    }

    @Test("names cannot forge lines")
    func hostileNames() throws {
        let scratch = try Scratch()
        let book = FilePeerBook(path: scratch.file("peers"))
        let (ada, eve) = (try key(), try key())
        let forged = "x\n2026-01-01 \(eve.fingerprint.base64) Bob"
        try book.remember(ada, name: forged)
        #expect(try book.load().count == 1)
        #expect(try book.trust(in: eve, name: "Bob") == .unknown)
        try book.remember(eve, name: String(repeating: "long", count: 10_000))
        #expect(try scratch.contents("peers").utf8.count < 1_000)
        #expect(try book.load().count == 2)
    }

    @Test(
        "a file that is damaged, or that others can write, is not trusted",
        arguments: ["nonsense", "2026-01-01 AAAA Ada", "2026-01-01", "\u{0}\u{0}\u{0}", "2026-01-01  Ada"])
    func damaged(line: String) throws {
        let scratch = try Scratch()
        let file = try scratch.write("# a comment\n\n\(line)\n", to: "peers")
        let book = FilePeerBook(path: file)
        let error = try #require(throws: FileFailure.self) { try book.trust(in: key(), name: "Ada") }
        #expect("\(error)".contains("line 3"))
        #expect(throws: FileFailure.self) { try book.remember(key(), name: "Ada") }
        #expect(try scratch.contents("peers").contains(line))
        let open = try scratch.write("", to: "open", mode: 0o666)
        #expect(throws: FileFailure.openToOthers(path: open, mode: 0o666)) {
            try FilePeerBook(path: open).trust(in: key(), name: "Ada")
        }
    }

    @Test("many programs can remember at once")
    func concurrent() async throws {
        let scratch = try Scratch()
        let path = scratch.file("peers")
        let keys = try (0..<20).map { _ in try key() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, key) in keys.enumerated() {
                group.addTask { try FilePeerBook(path: path).remember(key, name: "peer \(index)") }
            }
            try await group.waitForAll()
        }
        #expect(try FilePeerBook(path: path).load().count == 20)
        #expect(scratch.names == ["peers"])
    }
}
