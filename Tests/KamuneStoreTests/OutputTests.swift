import Foundation
import KamuneCrypto
import Testing

@testable import KamuneStore

@Suite("How far outputs have come") struct OutputTests {
    private func unwritten(_ store: Store, _ output: String) async throws -> [String] {
        try await store.incomingMessages(after: store.outputPosition(output), limit: 1_000).messages.map(\.text)
    }

    @Test("an output begins with what comes from then on, over all peers, and goes on where it was after a restart")
    func position() async throws {
        let folder = try Folder()
        do {
            let store = try folder.store()
            let (bob, eve) = (try await store.addPeer(1, "bob"), try await store.addPeer(2, "eve"))
            _ = try await store.hear("before", from: bob)
            #expect(try await unwritten(store, "a") == [])
            _ = try await store.hear("one", from: bob)
            _ = try await store.say("ours", to: bob)
            let two = try await store.hear("two", from: eve)
            _ = try await store.hear("three", from: bob)
            #expect(try await unwritten(store, "a") == ["one", "two", "three"])
            #expect(try await unwritten(store, "b") == [])
            try await store.noteWritten(through: two.position, to: "a")
            try await store.close()
        }
        let store = try folder.reopen()
        #expect(try await unwritten(store, "a") == ["three"])
        let bob = try #require(try await store.peer(withKey: try key(1))).id
        _ = try await store.hear("four", from: bob)
        #expect(try await unwritten(store, "a") == ["three", "four"])
        #expect(try await unwritten(store, "b") == ["four"])
        #expect(try await unwritten(store, "c") == [])
        // It never goes back.
        let end = try await store.incomingMessages(after: store.outputPosition("a")).through
        try await store.noteWritten(through: end, to: "a")
        try await store.noteWritten(through: MessagePosition(row: 1), to: "a")
        #expect(try await unwritten(store, "a") == [])
        try await store.verify()
    }

    @Test("pages leave nothing out, whatever stands between", arguments: [1, 2, 3, 7])
    func pages(limit: Int) async throws {
        let store = try Store.inMemory()
        let bob = try await store.addPeer(1)
        var position = try await store.outputPosition("a")
        for index in 0..<10 {
            if index % 3 == 0 { _ = try await store.say("ours", to: bob) }
            _ = try await store.hear("\(index)", from: bob)
        }
        var texts: [String] = []
        while true {
            let page = try await store.incomingMessages(after: position, limit: limit)
            texts += page.messages.map(\.text)
            position = page.through
            if page.isEnd { break }
        }
        #expect(texts == (0..<10).map { "\($0)" })
    }

    @Test("after a backup was merged, what was not written is written, and nothing else where all was")
    func merged() async throws {
        let folder = try Folder()
        let path = folder.path + "/backup"
        let other = try folder.store("other.db")
        let (bobThere, eveThere) = (try await other.addPeer(1, "bob"), try await other.addPeer(2, "eve"))
        _ = try await other.outputPosition("a")
        for index in 0..<4 {
            _ = try await other.hear("old \(index)", from: bobThere, at: noon.plus(seconds: Double(index) * 10))
            _ = try await other.hear("eve \(index)", from: eveThere, at: noon.plus(seconds: Double(index) * 10 + 1))
        }
        let word = SecretBytes(copying: [1])
        _ = try await other.backup(to: path, passphrase: word.copy(), replacing: false, derivation: cheap)

        let store = try folder.store()
        let bob = try await store.addPeer(1, "bob")
        _ = try await store.outputPosition("done")
        _ = try await store.outputPosition("behind")
        let first = try await store.hear("first", from: bob, at: noon.plus(seconds: 5))
        let last = try await store.hear("last", from: bob, at: noon.plus(seconds: 100))
        try await store.noteWritten(through: last.position, to: "done")
        try await store.noteWritten(through: first.position, to: "behind")
        _ = try await store.merge(backup: path, passphrase: word)
        #expect(try await store.texts(with: bob) == ["old 0", "first", "old 1", "old 2", "old 3", "last"])
        #expect(try await unwritten(store, "done") == [])
        #expect(try await unwritten(store, "behind") == ["last"])
        // The backup's own position means nothing here.
        #expect(try await unwritten(store, "a") == [])
        _ = try await store.hear("new", from: bob, at: noon.plus(seconds: 200))
        #expect(try await unwritten(store, "done") == ["new"])
        #expect(try await unwritten(store, "behind") == ["last", "new"])
        try await store.verify()
    }
}
