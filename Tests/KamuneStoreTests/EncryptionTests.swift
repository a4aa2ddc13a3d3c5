import Foundation
import GRDB
import KamuneCrypto
import Testing

@testable import KamuneStore

@Suite struct PassphraseTests {
    @Test func wrongOnes() async throws {
        let folder = try Folder()
        try await folder.store().close()
        let location = folder.location()
        for failures in 1...7 {
            #expect(throws: StoreError.wrongPassphrase(failures: failures)) {
                _ = try Store.openNow(at: location, credential: .passphrase("wrong"))
            }
            #expect(Store.passphraseFailures(at: location) == failures)
        }
        #expect(throws: StoreError.passphraseRequired) {
            _ = try Store.openNow(at: location, credential: .unprotected)
        }
        #expect(throws: StoreError.emptyPassphrase) {
            _ = try Store.openNow(at: location, credential: .passphrase(""))
        }
        #expect(Store.passphraseFailures(at: location) == 7)
        try await folder.reopen().close()
        #expect(Store.passphraseFailures(at: location) == 0)
    }

    @Test(arguments: [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (10, 32), (11, 60), (1_000_000, 60)])
    func delay(failures: Int, seconds: Int) {
        #expect(Store.delay(afterFailures: failures) == .seconds(seconds))
    }

    @Test func change() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let peer = try await store.addPeer(1)
        _ = try await store.say("still here", to: peer)
        try await store.purge()
        let old = try await store.read { try Vault.read($0.database) }
        let before = try folder.contents()
        #expect(try #require(before["kamune.db"]).contains(bytes: old.sealedKey))
        let messages = try await store.read { try Data.fetchAll($0.database, sql: "SELECT sealed FROM message") }

        try await store.changeCredential(to: .passphrase("another"), derivation: cheap)

        // One row was rewritten, and nothing is left of it: the old passphrase opens nothing any more.
        #expect(try await store.read { try Data.fetchAll($0.database, sql: "SELECT sealed FROM message") } == messages)
        for (name, bytes) in try folder.contents() {
            #expect(!bytes.contains(bytes: Array(old.sealedKey.suffix(32))), "\(name)")
            #expect(!bytes.contains(bytes: old.salt), "\(name)")
        }
        try await store.close()
        #expect(throws: StoreError.wrongPassphrase(failures: 1)) { _ = try folder.reopen() }
        let again = try Store.openNow(at: folder.location(), credential: .passphrase("another"))
        #expect(try await again.texts(with: peer) == ["still here"])

        try await again.changeCredential(to: .unprotected, derivation: cheap)
        try await again.close()
        #expect(throws: StoreError.notProtected) {
            _ = try Store.openNow(at: folder.location(), credential: .passphrase("another"))
        }
        let open = try Store.openNow(at: folder.location(), credential: .unprotected)
        #expect(try await open.texts(with: peer) == ["still here"])
    }

    @Test func standardCost() {
        let standard = KeyDerivation.standard
        #expect(128 * standard.cost * standard.blockSize == 128 << 20)
        #expect(standard.isAcceptable)
    }

    /// The file says what a guess costs; it must not be able to ask for all memory.
    @Test(arguments: [
        KeyDerivation(cost: 1 << 40, blockSize: 8, parallelism: 1),
        KeyDerivation(cost: 1 << 20, blockSize: 64, parallelism: 1),
        KeyDerivation(cost: 1 << 20, blockSize: 8, parallelism: 1),
        KeyDerivation(cost: 1 << 17, blockSize: 8, parallelism: 9),
        KeyDerivation(cost: 3, blockSize: 8, parallelism: 1), KeyDerivation(cost: 0, blockSize: 8, parallelism: 1),
        KeyDerivation(cost: 16, blockSize: 0, parallelism: 1), KeyDerivation(cost: 16, blockSize: 1, parallelism: -1),
        KeyDerivation(cost: .min, blockSize: .max, parallelism: .max),
    ])
    func unreasonableCost(derivation: KeyDerivation) {
        #expect(!derivation.isAcceptable)
        #expect(throws: StoreError.damaged(what: "the parameters of the key derivation")) {
            _ = try derivation.derive(passphrase: SecretBytes(copying: [1]), salt: [2]).count
        }
    }

    /// RFC 7914 §12.
    @Test func scryptVector() throws {
        let key = try KeyDerivation(cost: 1_024, blockSize: 8, parallelism: 16).derive(
            passphrase: SecretBytes(copying: Array("password".utf8)), salt: Array("NaCl".utf8))
        let expected: [UInt8] = [
            0xfd, 0xba, 0xbe, 0x1c, 0x9d, 0x34, 0x72, 0x00, 0x78, 0x56, 0xe7, 0x19, 0x0d, 0x01, 0xe9, 0xfe, 0x7c, 0x6a,
            0xd7, 0xcb, 0xc8, 0x23, 0x78, 0x30, 0xe7, 0x73, 0x76, 0x63, 0x4b, 0x37, 0x31, 0x62,
        ]
        #expect(key.withUnsafeBytes { Array($0) } == expected)
    }
}

@Suite struct SealingTests {
    @Test func noPlaintextOnDisk() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let me = try identity(99)
        try await store.add(me, name: "Zarathustra Quux", at: noon, statement: Array("statement-bytes".utf8))
        let peer = try await store.accept(
            try key(1), name: "Given Wolpertinger", version: "0.7.31", capabilities: ["kamune/direct-start"], at: noon)
        try await store.rename(peer.id, to: "Own Rumpelstilzchen")
        let token = Array("token-of-thirty-two-bytes-exactly".utf8)
        let session = try await store.store(
            NewSession(
                peer: peer.id, identifier: "ABCDEFGHIJKLMNOPQRSTUVWX", name: "session-xylophone", established: noon,
                transport: "carrier-pigeon", isInitiator: true), tokens: [token])
        let id = MessageID(stream: 0x1122_3344_5566_7788, number: 0x99AA_BBCC_DDEE_FF00)
        _ = try await store.hear("the eagle has landed", from: peer.id, id: id)
        _ = try await store.append(
            .outgoing(to: peer.id, body: Array("meet me at the old oak".utf8), at: noon, session: session.id))
        try await store.setSetting("setting-name-abracadabra", to: Array("setting-value-hocuspocus".utf8))

        var secrets = [
            "Zarathustra", "Wolpertinger", "Rumpelstilzchen", "0.7.31", "direct-start", "statement-bytes",
            "ABCDEFGHIJKLMNOPQRSTUVWX", "xylophone", "pigeon", "eagle has", "old oak", "abracadabra", "hocuspocus",
            passphrase,
        ].map { Array($0.utf8) }
        secrets += [token, Array(try key(1).spki.suffix(32)), Array(me.publicKey.spki.suffix(32)), id.bytes]
        secrets += [Array(id.bytes.prefix(8)), Array(id.bytes.suffix(8))]
        secrets.append(me.withSeed { Array($0) })
        let times = RecordWriter.bytes { $0.append(date: noon) }
        secrets.append(times)
        func check(_ moment: String) throws {
            let contents = try folder.contents()
            #expect(contents.count >= 2)
            for (name, bytes) in contents {
                for secret in secrets { #expect(!bytes.contains(bytes: secret), "\(moment): \(secret) in \(name)") }
            }
        }
        // What was written is in the log first, and then in the file.
        #expect(try #require(try folder.contents()["kamune.db-wal"]).count > 10_000)
        try check("in the log")
        try await store.purge()
        try check("in the file")
        try await store.close()
        try check("closed")
    }

    /// A record that was copied to another row, table or owner is as good as altered.
    @Test func movedRecords() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let (ada, bob) = (try await store.addPeer(1, "ada"), try await store.addPeer(2, "bob"))
        let first = try await store.say("one", to: ada)
        let second = try await store.say("two", to: ada)
        _ = try await store.say("three", to: bob)
        try await store.setSetting("a", to: [1])
        try await store.setSetting("b", to: [2])
        let damagedMessage = StoreError.damaged(what: "a record of the table message")

        let tables = store.tables
        try await store.close()
        /// Alters a copy of the file, and reads it.
        func attempt(
            _ sql: String, _ arguments: StatementArguments = [], _ expected: StoreError,
            _ read: (Store) async throws -> Void
        ) async throws {
            let copy = try folder.copy()
            let store = try copy.reopen()
            try await read(store)
            try await store.database.write { try $0.execute(sql: sql, arguments: arguments) }
            await #expect(throws: expected, "\(sql)") { try await read(store) }
        }
        let (a, b) = (first.position.row, second.position.row)
        // Another row's record.
        try await attempt(
            "UPDATE message SET sealed = (SELECT sealed FROM message WHERE id = ?) WHERE id = ?", [a, b], damagedMessage
        ) { _ = try await $0.texts(with: ada) }
        // Given to another peer.
        try await attempt("UPDATE message SET peer = ? WHERE id = ?", [bob.row, a], damagedMessage) {
            _ = try await $0.texts(with: bob)
        }
        // Moved in the order.
        try await attempt("UPDATE message SET id = 1000 WHERE id = ?", [a], damagedMessage) {
            _ = try await $0.texts(with: ada)
        }
        // Another table's record.
        try await attempt(
            "UPDATE message SET sealed = (SELECT sealed FROM peer LIMIT 1) WHERE id = ?", [a], damagedMessage
        ) { _ = try await $0.found(MessageSearch("one")) }
        // One bit.
        try await attempt(
            "UPDATE message SET sealed = substr(sealed, 1, 30) || x'00' || substr(sealed, 32) WHERE id = ?", [a],
            damagedMessage
        ) { try await $0.verify() }
        // Cut off.
        try await attempt("UPDATE message SET sealed = substr(sealed, 1, 20) WHERE id = ?", [a], damagedMessage) {
            _ = try await $0.messages(with: ada)
        }
        // Two peers' lookup values exchanged.
        let (x, y) = (
            tables.peers.cipher.lookup(try key(1).spki).databaseData,
            tables.peers.cipher.lookup(try key(2).spki).databaseData
        )
        try await attempt(
            "UPDATE OR REPLACE peer SET lookup = ? WHERE lookup = ?", [x, y],
            .damaged(what: "a record of the table peer")
        ) { _ = try await $0.peers() }
        // A setting under another's name.
        let settings = tables.settings.cipher
        let (nameA, nameB) = (settings.lookup([97]).databaseData, settings.lookup([98]).databaseData)
        try await attempt(
            "UPDATE OR REPLACE setting SET lookup = ? WHERE lookup = ?", [nameB, nameA],
            .damaged(what: "a record of the table setting")
        ) { _ = try await $0.setting("b") }
    }

    @Test func sizeClasses() {
        for (count, size) in [
            (0, 64), (1, 64), (64, 64), (65, 128), (1_024, 1_024), (1_025, 1_088), (2_048, 2_048), (2_049, 2_176),
            (61_435, 61_440), (65_536, 65_536), (65_537, 69_632),
        ] {
            #expect(SizeClass.size(for: count) == size, "\(count)")
        }
        for count in 0..<100_000 {
            let size = SizeClass.size(for: count)
            #expect(size >= count && size - count <= max(64, count / 16))
        }
    }

    /// Names in the index are neither told nor told apart, but neighbours stay neighbours.
    @Test func marks() async throws {
        let store = try Store.inMemory()
        let streams = store.tables.streams
        let one = streams.mark(MessageID(stream: 1, number: 1), peer: 1, direction: .incoming)
        let two = streams.mark(MessageID(stream: 1, number: 2), peer: 1, direction: .incoming)
        #expect(one.stream == two.stream && two.number == one.number &+ 1)
        let others = [
            streams.mark(MessageID(stream: 1, number: 1), peer: 2, direction: .incoming),
            streams.mark(MessageID(stream: 1, number: 1), peer: 1, direction: .outgoing),
            streams.mark(MessageID(stream: 2, number: 1), peer: 1, direction: .incoming),
        ]
        #expect(Set((others + [one]).map(\.stream)).count == 4)
        #expect(Set((others + [one]).map(\.number)).count == 4)
        let ids = [streams.newID(peer: 1), streams.newID(peer: 1), streams.newID(peer: 2)]
        #expect(ids.map(\.number) == [1, 2, 1])
        #expect(ids[0].stream == ids[1].stream && ids[0].stream != ids[2].stream)
        #expect(try Store.inMemory().tables.streams.newID(peer: 1).stream != ids[0].stream)
    }
}

extension RecordWriter {
    static func bytes(_ body: (inout RecordWriter) -> Void) -> [UInt8] {
        var writer = RecordWriter()
        body(&writer)
        return writer.bytes
    }
}
