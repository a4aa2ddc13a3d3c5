import Foundation
import GRDB
import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneStore

@Suite struct MessageTests {
    @Test(arguments: [true, false])
    func roundTrip(onDisk: Bool) async throws {
        let folder = try Folder()
        let store = try onDisk ? folder.store() : Store.inMemory()
        let peer = try await store.addPeer(1)
        let session = try await store.store(
            NewSession(peer: peer, identifier: "S", established: noon, transport: "udp", isInitiator: true))
        let bodies: [[UInt8]] = [
            [], [0], Array("grüße 👋".utf8), [0xFF, 0xFE], [UInt8](repeating: 7, count: 61_435),
            [UInt8](repeating: 8, count: 300_000),
        ]
        for (index, body) in bodies.enumerated() {
            let sent = noon.plus(seconds: Double(index) + 0.125)
            let id = MessageID(stream: .max, number: UInt64(index))
            let result = try await store.append(
                .incoming(
                    from: peer, body: body, sent: sent, received: sent.plus(seconds: 1), session: session.id, id: id,
                    kind: MessageKind(rawValue: UInt8(index))))
            #expect(result.isNew && result.message.body == body)
            let read = try #require(try await store.message(id, with: peer, .incoming))
            #expect(read == result.message)
            #expect(read.session == session.id && read.sent == sent && read.received == sent.plus(seconds: 1))
            #expect(read.direction == .incoming && read.state == .received && read.kind.rawValue == UInt8(index))
        }
        #expect(try await store.messages(with: peer).map(\.body) == bodies)
        await #expect(throws: StoreError.self) {
            try await store.append(
                .outgoing(to: peer, body: [UInt8](repeating: 0, count: NewMessage.maximumSize + 1), at: noon))
        }
        await #expect(throws: StoreError.self) {
            try await store.append(.outgoing(to: peer, body: [], at: noon, state: .received))
        }
        try await store.verify()
    }

    @Test func neverTwice() async throws {
        let store = try Store.inMemory()
        let (bob, eve) = (try await store.addPeer(1), try await store.addPeer(2))
        let id = MessageID(stream: 3, number: 4)
        let first = try await store.append(.incoming(from: bob, body: [1], sent: noon, received: noon, id: id))
        let second = try await store.append(.incoming(from: bob, body: [2], sent: noon, received: noon, id: id))
        #expect(first.isNew && !second.isNew && second.message == first.message)
        // The same name of another peer, or in the other direction, is another message.
        #expect(try await store.append(.incoming(from: eve, body: [3], sent: noon, received: noon, id: id)).isNew)
        #expect(try await store.append(.outgoing(to: bob, body: [4], at: noon, id: id)).isNew)
        let other = MessageID(stream: 3, number: 5)
        #expect(try await store.storedIDs(among: [id, other], with: bob, .incoming) == [id])
        // Many at once.
        let wins = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await store.append(.incoming(from: bob, body: [5], sent: noon, received: noon, id: other)).isNew
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(wins == 1)
    }

    @Test func states() async throws {
        let store = try Store.inMemory()
        let (bob, eve) = (try await store.addPeer(1), try await store.addPeer(2))
        var ids: [MessageID] = []
        for index in 0..<5 { ids.append(try await store.say("\(index)", to: bob).id) }
        #expect(Set(ids).count == 5)
        let toEve = try await store.say("eve", to: eve)
        _ = try await store.hear("incoming", from: bob)
        #expect(try await Set(store.peersWithPendingMessages()) == [bob, eve])
        #expect(try await store.waitingCount(to: bob) == 5)
        #expect(try await store.waitingCount(to: eve) == 1)
        #expect(try await store.pendingMessages(to: bob).map(\.text) == ["0", "1", "2", "3", "4"])
        #expect(try await store.setState(.inFlight, of: Array(ids[0...2]), to: bob, at: noon) == Array(ids[0...2]))
        #expect(try await store.setState(.sent, of: [ids[3]], to: bob, at: noon) == [ids[3]])
        #expect(try await store.setState(.delivered, of: [ids[0]], to: bob, at: noon.plus(hours: 1)) == [ids[0]])
        // What was delivered stays so; names of others, and unknown ones, are skipped.
        let none = MessageID(stream: 0, number: 0)
        #expect(try await store.setState(.maybeLost, of: [ids[0], toEve.id, none], to: bob, at: noon).isEmpty)
        let page = try await store.messages(with: bob)
        #expect(page.map(\.state) == [.delivered, .inFlight, .inFlight, .sent, .waiting, .received])
        #expect(page[0].received == noon.plus(hours: 1) && page[1].received == nil)
        let pending = try await store.pendingMessages(to: bob, limit: 2)
        #expect(pending.map(\.text) == ["1", "2"])
        #expect(try await store.pendingMessages(to: bob, after: pending[1].position).map(\.text) == ["4"])
        #expect(try await store.setState(.maybeLost, of: [ids[1]], to: bob, at: noon) == [ids[1]])
        #expect(try await store.pendingMessages(to: bob).map(\.text) == ["2", "4"])
        await #expect(throws: StoreError.self) { try await store.setState(.received, of: ids, to: bob, at: noon) }
    }

    @Test func allOrNone() async throws {
        let store = try Store.inMemory()
        let bob = try await store.addPeer(1)
        let eve = try await store.addPeer(2)
        try await store.forget(eve)
        await #expect(throws: StoreError.noSuchRecord(what: "peer")) {
            try await store.append(contentsOf: [
                .outgoing(to: bob, body: [1], at: noon), .outgoing(to: eve, body: [2], at: noon),
            ])
        }
        #expect(try await store.messageCount() == 0)
        // One that fails takes nothing of the others with it.
        let results = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<100 {
                group.addTask {
                    let peer = index % 3 == 0 ? eve : bob
                    return (try? await store.append(.outgoing(to: peer, body: [UInt8(index)], at: noon))) != nil
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(results == 66)
        #expect(try await store.messageCount() == 66)
    }

    /// A burst shares transactions, and everything in it is there.
    @Test func burst() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let bob = try await store.addPeer(1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<3_000 { group.addTask { _ = try await store.say("\(index)", to: bob) } }
            try await group.waitForAll()
        }
        try await store.close()
        let texts = try await folder.reopen().texts(with: bob)
        #expect(Set(texts) == Set((0..<3_000).map(String.init)) && texts.count == 3_000)
    }

    @Test func pages() async throws {
        let store = try Store.inMemory()
        let (bob, eve) = (try await store.addPeer(1), try await store.addPeer(2))
        for index in 0..<2_500 {
            _ = try await store.append(
                .outgoing(to: index % 2 == 0 ? bob : eve, body: Array("\(index)".utf8), at: noon))
        }
        let latest = try await store.messages(with: bob, limit: 3)
        #expect(latest.map(\.text) == ["2494", "2496", "2498"])
        #expect(
            try await store.messages(with: bob, before: latest[0].position, limit: 2).map(\.text) == ["2490", "2492"])
        #expect(try await store.messages(with: bob, after: latest[0].position).map(\.text) == ["2496", "2498"])
        #expect(try await store.messages(with: bob, after: nil, limit: 2).map(\.text) == ["0", "2"])
        #expect(try await store.messages(with: bob, limit: -1).isEmpty)
        #expect(try await store.messageCount() == 2_500)
        #expect(try await store.texts(with: eve) == stride(from: 1, to: 2_500, by: 2).map(String.init))
        var all: [String] = []
        for try await message in store.history() { all.append(message.text) }
        #expect(all == (0..<2_500).map(String.init))
    }
}

@Suite struct SearchTests {
    @Test(arguments: [
        ("HELLO", "well, hello there", true), ("hello there", "There you are. Hello!", true), ("hello", "help", false),
        ("", "anything", true), ("straße", "in der STRAßE", true), ("ПРИВЕТ", "привет, мир", true),
        ("café", "CAFE\u{301} noir", true), ("cafe\u{301}", "Café", true), ("οδυσσευς", "ΟΔΥΣΣΕΥΣ", true),
        ("k", "\u{212A}elvin", true), ("漢字", "これは漢字です", true), ("سلام", "سلام دنیا", true), ("x", "", false),
        ("👋", "bye 👋", true), ("aab", "aaab", true), ("é", "e", false), ("i", "\u{130}stanbul", true),
    ])
    func matches(words: String, text: String, expected: Bool) {
        let matcher = MessageMatcher(words, wholeWords: false)
        #expect(Array(text.utf8).withUnsafeBytes { matcher.matches($0) } == expected)
    }

    @Test(arguments: [
        ("cat", "the Cat sat", true), ("cat", "concatenate", false), ("cat", "cat", true), ("cat", "cats", false),
        ("cat", "concat cat.", true), ("été", "l'Été.", true), ("été", "prétété", false), ("cat", "cat é", true),
        ("cat", "écat", false),
    ])
    func wholeWords(words: String, text: String, expected: Bool) {
        let matcher = MessageMatcher(words, wholeWords: true)
        #expect(Array(text.utf8).withUnsafeBytes { matcher.matches($0) } == expected)
    }

    @Test func anyBytes() {
        var random = SeededRandom(11)
        let matcher = MessageMatcher("a é", wholeWords: true)
        for _ in 0..<2_000 {
            let bytes = random.bytes(Int(random.integer(below: 40)))
            _ = bytes.withUnsafeBytes { matcher.matches($0) }
        }
    }

    @Test func filters() async throws {
        let store = try Store.inMemory()
        let (bob, eve) = (try await store.addPeer(1), try await store.addPeer(2))
        for index in 0..<100 {
            let peer = index % 2 == 0 ? bob : eve
            let time = noon.plus(hours: Double(index))
            if index % 4 < 2 {
                _ = try await store.say("word \(index)", to: peer, at: time)
            } else {
                _ = try await store.hear("word \(index)", from: peer, at: time)
            }
        }
        _ = try await store.append(
            .outgoing(to: bob, body: Array("word".utf8), at: noon, kind: MessageKind(rawValue: 9)))
        #expect(try await store.found(MessageSearch("WORD")) == (0..<100).reversed().map { "word \($0)" })
        #expect(try await store.found(MessageSearch("word 7")).count == 19)
        #expect(try await store.found(MessageSearch("7", wholeWords: true)) == ["word 7"])
        #expect(try await store.found(MessageSearch("word", peer: eve, direction: .incoming)).count == 25)
        let some = MessageSearch("word", from: noon.plus(hours: 10), until: noon.plus(hours: 13))
        #expect(try await store.found(some) == ["word 12", "word 11", "word 10"])
        #expect(try await store.found(MessageSearch("nothing")).isEmpty)
        #expect(try await store.found(MessageSearch()).count == 101)
        #expect(try await Store.inMemory().found(MessageSearch("word")).isEmpty)
    }

    /// Over many stretches, with hits that are larger than a stretch may return, and with gaps.
    @Test func long() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let bob = try await store.addPeer(1)
        var expected: [Int] = []
        for start in stride(from: 0, to: 12_000, by: 1_000) {
            try await store.append(
                contentsOf: (start..<(start + 1_000)).map { index in
                    let isHit = index % 50 == 0
                    let text = "\(index) " + (isHit ? "needle" + String(repeating: " ", count: 40_000) : "hay")
                    return .outgoing(to: bob, body: Array(text.utf8), at: noon)
                })
        }
        try await store.database.write { try $0.execute(sql: "DELETE FROM message WHERE id BETWEEN 4000 AND 6000") }
        for try await message in store.search(MessageSearch("NEEDLE", peer: bob)) {
            expected.append(Int(message.text.prefix { $0 != " " }) ?? -1)
        }
        #expect(expected == (0..<12_000).filter { $0 % 50 == 0 && !(3_999...5_999).contains($0) }.reversed())
        // One that is not read to its end ends.
        for try await message in store.search(MessageSearch("hay")) {
            #expect(message.text == "11999 hay")
            break
        }
        let search = Task { try await store.found(MessageSearch("hay")) }
        search.cancel()
        await #expect(throws: StoreError.cancelled) { _ = try await search.value }
        try await store.close()
    }
}

@Suite struct DeletionTests {
    /// Deleted bytes are in neither the file nor the log, not even as ciphertext, whatever the pages went through.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func bytesAreGone(seed: UInt64) async throws {
        let folder = try Folder()
        let store = try folder.store()
        let (bob, eve) = (try await store.addPeer(1), try await store.addPeer(2))
        var random = SeededRandom(seed)
        for index in 0..<400 {
            let body = [UInt8](repeating: 65, count: Int(random.integer(below: 900)))
            let message = try await store.append(.outgoing(to: index % 2 == 0 ? bob : eve, body: body, at: noon))
                .message
            if index % 3 == 0 { try await store.setState(.sent, of: [message.id], to: message.peer, at: noon) }
        }
        func sealed() async throws -> [Int64: [UInt8]] {
            let rows = try await store.read { transaction in
                try Row.fetchAll(transaction.database, sql: "SELECT id, sealed FROM message")
                    .map { ($0[0] as Int64, [UInt8]($0[1] as Data)) }
            }
            return Dictionary(uniqueKeysWithValues: rows)
        }
        func expectGone(_ records: [[UInt8]], _ action: String) throws {
            let files = try folder.contents()
            #expect(files["kamune.db-wal"]?.isEmpty ?? true)
            // All places of four bytes that begin something that was deleted, and then the whole.
            var remains = 0
            let starts = Dictionary(
                grouping: records.flatMap { [$0.prefix(24), $0.suffix(24)] }, by: { Array($0.prefix(4)) })
            for bytes in files.values where bytes.count > 24 {
                bytes.withUnsafeBufferPointer { bytes in
                    let wanted = Set(
                        starts.keys.map {
                            UInt32($0[0]) << 24 | UInt32($0[1]) << 16 | UInt32($0[2]) << 8 | UInt32($0[3])
                        })
                    var window: UInt32 = 0
                    for index in 0..<bytes.count {
                        window = window << 8 | UInt32(bytes[index])
                        guard wanted.contains(window), index >= 3, index + 21 <= bytes.count else { continue }
                        let found = Array(bytes[(index - 3)..<(index + 21)])
                        if records.contains(where: { $0.starts(with: found) || Array($0.suffix(24)) == found }) {
                            remains += 1
                        }
                    }
                }
            }
            #expect(remains == 0, "\(action)")
        }
        for round in 0..<4 {
            let before = try await sealed()
            let gone = before.filter { _ in random.integer(below: 10) == 0 }
            let count = try await store.deleteMessages(at: gone.keys.map { MessagePosition(row: $0) })
            #expect(count == gone.count && count > 0)
            try expectGone(Array(gone.values), "round \(round)")
        }
        let before = try await sealed()
        let ofBob = Set(try await store.messages(with: bob, limit: 1_000).map(\.position.row))
        #expect(try await store.deleteHistory(with: bob) == ofBob.count)
        try expectGone(before.filter { ofBob.contains($0.key) }.map(\.value), "history")
        let rest = try await sealed()
        #expect(rest.count == before.count - ofBob.count && rest.count > 50)
        try await store.forget(eve)
        try expectGone(Array(rest.values), "forget")
        #expect(try await store.peer(bob) != nil)
        try await store.verify()
    }

    /// Of a peer who was forgotten nothing is left: no record, and no hash by which one was found, in whatever file.
    @Test func forgettingLeavesNothing() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let (bob, eve) = (try await store.addPeer(1, "bob"), try await store.addPeer(2, "eve"))
        for (peer, name) in [(bob, "B"), (eve, "E")] {
            let tokens = (0..<40).map { [UInt8](repeating: UInt8($0), count: 32) }
            let session = try await store.store(
                NewSession(peer: peer, identifier: name, established: noon, transport: "tcp", isInitiator: true),
                tokens: tokens)
            for index in 0..<40 {
                try await store.append(
                    .incoming(
                        from: peer, body: Array("\(name) \(index)".utf8), sent: noon, received: noon,
                        session: session.id))
            }
        }
        func remains(of peer: PeerID) async throws -> [[UInt8]] {
            try await store.read { transaction in
                let sessions = "(SELECT id FROM session WHERE peer = \(peer.row))"
                let queries = [
                    "SELECT sealed FROM peer WHERE id = \(peer.row)", "SELECT lookup FROM peer WHERE id = \(peer.row)",
                    "SELECT sealed FROM session WHERE peer = \(peer.row)",
                    "SELECT lookup FROM session WHERE peer = \(peer.row)",
                    "SELECT sealed FROM token WHERE session IN \(sessions)",
                    "SELECT lookup FROM token WHERE session IN \(sessions)",
                    "SELECT sealed FROM message WHERE peer = \(peer.row)",
                ]
                return try queries.flatMap { try Data.fetchAll(transaction.database, sql: $0).map { [UInt8]($0) } }
            }
        }
        func files() throws -> Data { Data(try folder.contents().values.flatMap { $0 }) }
        let (ofBob, ofEve) = (try await remains(of: bob), try await remains(of: eve))
        #expect(ofBob.count == 124 && ofEve.count == 124)
        try await store.purge()
        let before = try files()
        for bytes in ofBob + ofEve { #expect(before.range(of: Data(bytes)) != nil) }
        try await store.forget(bob)
        // While it is open, and afterwards.
        for isClosed in [false, true] {
            if isClosed { try await store.close() }
            let after = try files()
            for bytes in ofBob {
                for part in [bytes.prefix(16), bytes.suffix(16)] { #expect(after.range(of: Data(part)) == nil) }
            }
            for bytes in ofEve { #expect(after.range(of: Data(bytes)) != nil) }
        }
    }

    /// A token that was used is not in the file any more, without the file being written anew for each.
    @Test func usedTokensAreGone() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let bob = try await store.addPeer(1)
        let session = try await store.store(
            NewSession(peer: bob, identifier: "S", established: noon, transport: "tcp", isInitiator: true),
            tokens: [[1, 2, 3], [4, 5, 6]])
        let rows = try await store.read { transaction in
            try Row.fetchAll(transaction.database, sql: "SELECT sealed, lookup FROM token ORDER BY id").map { row in
                (sealed: [UInt8](row[0] as Data), lookup: [UInt8](row[1] as Data))
            }
        }
        let before = try folder.contents()
        #expect(rows.count == 2 && rows.allSatisfy { before["kamune.db-wal"]?.contains(bytes: $0.sealed) == true })
        #expect(try await store.takeToken(of: session.id, at: noon) == [1, 2, 3])
        try await store.close()
        let file = try #require(try folder.contents()["kamune.db"])
        #expect(!file.contains(bytes: Array(rows[0].sealed.suffix(16))) && !file.contains(bytes: rows[0].lookup))
        #expect(file.contains(bytes: rows[1].sealed) && file.contains(bytes: rows[1].lookup))
    }

    /// The search of the first test here does find what is there.
    @Test func beforeItIsDeleted() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let bob = try await store.addPeer(1)
        _ = try await store.say("x", to: bob)
        let sealed = try await store.read {
            [UInt8](try Data.fetchOne($0.database, sql: "SELECT sealed FROM message") ?? Data())
        }
        #expect(try #require(try folder.contents()["kamune.db-wal"]).contains(bytes: sealed))
        try await store.deleteHistory(with: bob)
        for bytes in try folder.contents().values { #expect(!bytes.contains(bytes: Array(sealed.suffix(16)))) }
    }

    @Test func byDate() async throws {
        let store = try Store.inMemory()
        let bob = try await store.addPeer(1)
        for index in 0..<10 { _ = try await store.hear("\(index)", from: bob, at: noon.plus(hours: Double(index))) }
        #expect(try await store.deleteHistory(with: bob, before: noon.plus(hours: 7)) == 7)
        #expect(try await store.texts(with: bob) == ["7", "8", "9"])
    }

    /// What is to be sent still stays, however old; of the rest, the latest stay.
    @Test(arguments: [true, false])
    func trimming(inMemory: Bool) async throws {
        let folder = try Folder()
        let store = inMemory ? try Store.inMemory() : try folder.store()
        let (bob, eve) = (try await store.addPeer(1), try await store.addPeer(2))
        var ids: [MessageID] = []
        for index in 0..<30 {
            ids.append(try await store.say("\(index)", to: bob).id)
            _ = try await store.hear("heard \(index)", from: eve)
        }
        // 0 and 1 wait, 2 is in flight; 3 to 29 are settled in one way or another.
        try await store.setState(.inFlight, of: [ids[2]], to: bob, at: noon)
        for (index, state) in zip(3..., [.sent, .delivered, .maybeLost] as [MessageState]) {
            let some = stride(from: index, to: 30, by: 3).map { ids[$0] }
            try await store.setState(state, of: some, to: bob, at: noon)
        }
        let oldest = try await store.read {
            [UInt8](try Data.fetchOne($0.database, sql: "SELECT sealed FROM message WHERE id = 7") ?? Data())
        }
        #expect(try await store.trimHistory(with: bob, keeping: 27) == 0)
        #expect(try await store.trimHistory(with: bob, keeping: 5) == 22)
        #expect(try await store.texts(with: bob) == ["0", "1", "2", "25", "26", "27", "28", "29"])
        #expect(try await store.pendingMessages(to: bob).map(\.text) == ["0", "1", "2"])
        #expect(try await store.trimHistory(with: bob, keeping: 5) == 0)
        #expect(try await store.messageCount(with: eve) == 30)
        #expect(try await !store.read { try Erasure.isScheduled($0.database) })
        #expect(!oldest.isEmpty)
        for bytes in try folder.contents().values { #expect(!bytes.contains(bytes: oldest)) }
        // What comes next is stored after the rest, under a name of its own.
        let next = try await store.say("next", to: bob)
        #expect(!ids.contains(next.id))
        #expect(try await store.trimHistory(with: bob, keeping: 0) == 5)
        #expect(try await store.texts(with: bob) == ["0", "1", "2", "next"])
        #expect(try await store.trimHistory(with: bob, keeping: -1) == 0)
        #expect(try await store.trimHistory(with: PeerID(row: 12_345), keeping: 0) == 0)
    }

    /// A conversation that goes on for ever in memory takes no more of it than what is kept.
    @Test func trimmingBoundsMemory() async throws {
        let store = try Store.inMemory()
        let bob = try await store.addPeer(1)
        func pages() async throws -> Int {
            try await store.read { try Int.fetchOne($0.database, sql: "PRAGMA page_count") ?? 0 }
        }
        var most = 0
        for round in 0..<20 {
            try await store.append(
                contentsOf: (0..<60).map { index in
                    .incoming(from: bob, body: Array("\(round) \(index)".utf8), sent: noon, received: noon)
                })
            try await store.trimHistory(with: bob, keeping: 30)
            if round == 4 { most = try await pages() }
        }
        #expect(try await store.messageCount() == 30)
        // A page or two more or less, as they happen to be filled; without trimming, there were four times as many.
        #expect(try await pages() <= most + 2 && most > 0 && most < 33)
        try await store.verify()
    }

    /// Killed between deleting and erasing: the next opening makes up for it.
    @Test func erasureIsMadeUpFor() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let bob = try await store.addPeer(1)
        _ = try await store.say("x", to: bob)
        let sealed = try await store.read {
            [UInt8](try Data.fetchOne($0.database, sql: "SELECT sealed FROM message") ?? Data())
        }
        _ = try await store.write { try $0.deleteHistory(with: bob) }
        let copy = try folder.copy()
        #expect(try #require(try copy.contents()["kamune.db-wal"]).contains(bytes: sealed))
        let reopened = try copy.reopen()
        for bytes in try copy.contents().values { #expect(!bytes.contains(bytes: sealed)) }
        #expect(try await !reopened.read { try Erasure.isScheduled($0.database) })
    }
}
