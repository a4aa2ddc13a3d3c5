import Foundation
import GRDB
import KamuneCrypto
import KamuneProtocol
import Testing

@testable import KamuneStore

/// The columns beside the sealed records are not sealed, so somebody may have exchanged those of two rows. Whatever is asked
/// for, it is noticed: nobody is taken for somebody else, and nothing for absent.
@Suite struct ExchangedColumnTests {
    /// Something that is asked of a store.
    struct Query: Sendable, CustomTestStringConvertible {
        let table: String
        /// What is exchanged.
        var columns = ["lookup"]
        let name: String
        let run: @Sendable (Filled) async throws -> Void

        var testDescription: String { "\(table), \(columns.joined(separator: " and ")): \(name)" }
    }

    /// A store with two of everything.
    struct Filled: Sendable {
        let store: Store
        let folder: Folder
        let peers: [PeerID]
        let identities: [IdentityID]
        let sessions: [SessionID]
        let messages: [StoredMessage]
        let tokens: [[UInt8]] = [[1, 2, 3], [4, 5, 6]]

        init() async throws {
            folder = try Folder()
            store = try folder.store()
            let store = store
            identities = [
                try await store.add(identity(1), name: "old", at: noon).id,
                try await store.add(identity(2), name: "new", at: noon.plus(hours: 1)).id,
            ]
            peers = [try await store.addPeer(11, "ada"), try await store.addPeer(12, "bob")]
            var sessions: [SessionID] = []
            for (peer, identifier) in zip(peers, ["A", "B"]) {
                let session = NewSession(
                    peer: peer, identifier: identifier, established: noon, transport: "tcp", isInitiator: true)
                sessions.append(try await store.store(session, tokens: sessions.isEmpty ? tokens : []).id)
            }
            self.sessions = sessions
            // One waits, one does not.
            let first = try await store.say("one", to: peers[0])
            let second = try await store.say("two", to: peers[0])
            try await store.setState(.delivered, of: [second.id], to: peers[0], at: noon)
            messages = [first, second]
            try await store.setTextSetting("a", to: "1")
            try await store.setTextSetting("b", to: "2")
        }

        /// Exchanges columns of the first two rows of a table.
        func exchange(_ columns: [String], in table: String) async throws {
            try await store.database.write { database in
                let ids = try Int64.fetchAll(database, sql: "SELECT id FROM \(table) ORDER BY id")
                let (a, b) = (ids[0], ids[1])
                for column in columns {
                    func value(_ row: Int64) throws -> DatabaseValue {
                        try DatabaseValue.fetchOne(
                            database, sql: "SELECT \(column) FROM \(table) WHERE id = ?", arguments: [row]) ?? .null
                    }
                    let (first, second) = (try value(a), try value(b))
                    // By way of a value that nothing else has, since the columns are unique.
                    for (value, row) in [(0x5EED.databaseValue, a), (first, b), (second, a)] {
                        try database.execute(
                            sql: "UPDATE \(table) SET \(column) = ? WHERE id = ?", arguments: [value, row])
                    }
                }
            }
        }

        func backUp() async throws {
            _ = try await store.backup(
                to: folder.path + "/backup-\(UUID())", passphrase: SecretBytes(copying: [1]), replacing: false,
                derivation: cheap)
        }
    }

    private static let queries: [Query] =
        [
            Query(table: "identity", name: "all") { _ = try await $0.store.identities() },
            Query(table: "identity", name: "current") { _ = try await $0.store.currentIdentity() },
            Query(table: "identity", name: "by key") { filled in
                _ = try await filled.store.read { try $0.identity(withKey: key(1)) }
            },
            Query(table: "identity", name: "add") { filled in
                _ = try await filled.store.add(try identity(900), name: "x", at: noon)
            },
            Query(table: "identity", name: "rename") { try await $0.store.rename($0.identities[0], to: "x") },
            Query(table: "identity", name: "erase") { try await $0.store.erasePrivateKey(of: $0.identities[0]) },
            Query(table: "identity", name: "back up") { try await $0.backUp() },
            Query(table: "identity", name: "verify") { try await $0.store.verify() },

            Query(table: "peer", name: "all") { _ = try await $0.store.peers() },
            Query(table: "peer", name: "by number") { _ = try await $0.store.peer($0.peers[0]) },
            Query(table: "peer", name: "by key") { _ = try await $0.store.peer(withKey: key(11)) },
            Query(table: "peer", name: "by name") { _ = try await $0.store.peers(named: "ada") },
            Query(table: "peer", name: "accept") { _ = try await $0.store.addPeer(12) },
            Query(table: "peer", name: "rename") { try await $0.store.rename($0.peers[0], to: "x") },
            Query(table: "peer", name: "verify one") { try await $0.store.setVerified($0.peers[1], at: noon) },
            Query(table: "peer", name: "block") { try await $0.store.setBlocked($0.peers[0], true) },
            Query(table: "peer", name: "seen") { try await $0.store.setLastSeen($0.peers[0], at: noon) },
            Query(table: "peer", name: "recognize") {
                _ = try await $0.store.recognize(key(11), name: "ada", at: noon)
            },
            Query(table: "peer", name: "recognize by a former key") {
                _ = try await $0.store.recognize(key(13), name: "ada", formerKeys: [key(11)], at: noon)
            },
            Query(table: "peer", name: "back up") { try await $0.backUp() },
            Query(table: "peer", name: "verify") { try await $0.store.verify() },

            Query(table: "alias", name: "recognize") {
                _ = try await $0.store.recognize(key(13), name: "ada", at: noon)
            },
            Query(table: "alias", name: "establish") { _ = try await $0.store.meet(key(11), name: "other") },
            Query(table: "alias", name: "accept") { _ = try await $0.store.addPeer(12, "other") },
            Query(table: "alias", name: "rename") { try await $0.store.rename($0.peers[0], to: "BOB") },
            Query(table: "alias", name: "forget") { try await $0.store.forget($0.peers[0]) },
            Query(table: "alias", name: "verify") { try await $0.store.verify() },

            Query(table: "session", name: "all") { _ = try await $0.store.sessions() },
            Query(table: "session", name: "of a peer") { _ = try await $0.store.sessions(with: $0.peers[0]) },
            Query(table: "session", name: "by number") { _ = try await $0.store.session($0.sessions[0]) },
            Query(table: "session", name: "by identifier") { _ = try await $0.store.session(identifier: "A") },
            Query(table: "session", name: "store") { filled in
                _ = try await filled.store.store(
                    NewSession(
                        peer: filled.peers[0], identifier: "A", established: noon, transport: "tcp",
                        isInitiator: true))
            },
            Query(table: "session", name: "rename") { try await $0.store.rename($0.sessions[0], to: "x") },
            Query(table: "session", name: "end") {
                try await $0.store.endSession($0.sessions[0], at: noon, gracefully: false)
            },
            Query(table: "session", name: "take a token") {
                _ = try await $0.store.takeToken(of: $0.sessions[0], at: noon)
            },
            Query(table: "session", name: "consume a token") {
                _ = try await $0.store.consumeToken($0.tokens[1], of: $0.sessions[0], at: noon)
            },
            Query(table: "session", name: "expire tokens") { try await $0.store.removeExpiredTokens(at: noon) },
            Query(table: "session", name: "back up") { try await $0.backUp() },
            Query(table: "session", name: "verify") { try await $0.store.verify() },

            Query(table: "token", name: "take") { _ = try await $0.store.takeToken(of: $0.sessions[0], at: noon) },
            Query(table: "token", name: "consume") {
                _ = try await $0.store.consumeToken($0.tokens[1], of: $0.sessions[0], at: noon)
            },
            Query(table: "token", name: "verify") { try await $0.store.verify() },

            Query(table: "setting", name: "read") { _ = try await $0.store.textSetting("a") },
            Query(table: "setting", name: "write") { try await $0.store.setTextSetting("b", to: "3") },
            Query(table: "setting", name: "remove") { filled in
                try await filled.store.setTextSetting("a", to: nil)
                try await filled.store.setTextSetting("a", to: "1")
            },
            Query(table: "setting", name: "back up") { try await $0.backUp() },
            Query(table: "setting", name: "verify") { try await $0.store.verify() },
        ] + messageQueries(["stream", "number"]) + messageQueries(["turn"])

    private static func messageQueries(_ columns: [String]) -> [Query] {
        let queries: [(String, @Sendable (Filled) async throws -> Void)] = [
            ("latest", { _ = try await $0.store.messages(with: $0.peers[0]) }),
            ("oldest", { _ = try await $0.store.messages(with: $0.peers[0], after: nil) }),
            ("history", { for try await _ in $0.store.history() {} }),
            ("history with a peer", { _ = try await $0.store.texts(with: $0.peers[0]) }),
            ("pending", { _ = try await $0.store.pendingMessages(to: $0.peers[0]) }),
            ("by name", { _ = try await $0.store.message($0.messages[1].id, with: $0.peers[0], .outgoing) }),
            (
                "which are stored",
                { _ = try await $0.store.storedIDs(among: [$0.messages[1].id], with: $0.peers[0], .outgoing) }
            ),
            (
                "set a state",
                { _ = try await $0.store.setState(.delivered, of: [$0.messages[1].id], to: $0.peers[0], at: noon) }
            ),
            (
                "hand over",
                { filled in
                    _ = try await filled.store.write {
                        try $0.handOver(
                            to: filled.peers[0], .acknowledged, after: nil, limit: 9, bytes: .max, at: noon)
                    }
                }
            ),
            (
                "settle up to a place",
                { filled in
                    _ = try await filled.store.write {
                        try $0.settle(
                            through: StreamPlace(.max), to: filled.peers[0], as: .delivered, at: noon)
                    }
                }
            ),
            (
                "settle what the peer has",
                { filled in
                    _ = try await filled.store.write {
                        try $0.settle(peerHas: filled.messages[0].id, to: filled.peers[0], at: noon)
                    }
                }
            ),
            (
                "the last that came in",
                { filled in _ = try await filled.store.read { try $0.lastIncoming(from: filled.peers[0]) } }
            ),
            (
                "append again",
                { filled in
                    _ = try await filled.store.append(
                        .outgoing(to: filled.peers[0], body: [], at: noon, id: filled.messages[1].id))
                }
            ),
            ("search", { _ = try await $0.store.found(MessageSearch("two")) }),
            ("search without a hit", { _ = try await $0.store.found(MessageSearch("nothing")) }),
            ("search a peer", { _ = try await $0.store.found(MessageSearch("two", peer: $0.peers[0])) }),
            ("delete by time", { try await $0.store.deleteHistory(with: $0.peers[0], before: noon.plus(hours: -1)) }),
            ("back up", { try await $0.backUp() }),
            ("verify", { try await $0.store.verify() }),
        ]
        return queries.map { Query(table: "message", columns: columns, name: $0.0, run: $0.1) }
    }

    @Test(arguments: queries)
    func isNoticed(query: Query) async throws {
        let filled = try await Filled()
        try await query.run(filled)
        let changed = try await Filled()
        try await changed.exchange(query.columns, in: query.table)
        await #expect(throws: StoreError.damaged(what: "a record of the table \(query.table)")) {
            try await query.run(changed)
        }
    }

    @Test func formerKeys() async throws {
        let filled = try await Filled()
        for seed: UInt64 in [21, 22] {
            _ = try await filled.store.accept(key(seed), name: "", at: noon)
            try await filled.store.moveTrust(from: key(seed), to: key(seed + 10), at: noon)
        }
        let lookups = try await filled.store.read { transaction in
            try [UInt64(21), 22].map {
                PeerAlias.formerKey(try key($0)).lookup(transaction.tables.aliases.cipher).databaseData
            }
        }
        try await filled.store.database.write { database in
            for (from, to) in [(lookups[0], Data([1])), (lookups[1], lookups[0]), (Data([1]), lookups[1])] {
                try database.execute(sql: "UPDATE alias SET lookup = ? WHERE lookup = ?", arguments: [to, from])
            }
        }
        for seed: UInt64 in [21, 22] {
            await #expect(throws: StoreError.damaged(what: "a record of the table alias")) {
                _ = try await filled.store.recognize(key(seed), name: "x", at: noon)
            }
        }
    }

    /// Whoever takes over a history, or puts it in order, looks at every record of it.
    @Test(arguments: [["stream", "number"], ["turn"]])
    func isNoticedOnTheMove(columns: [String]) async throws {
        let filled = try await Filled()
        let other = try await Filled()
        try await filled.exchange(columns, in: "message")
        let damaged = StoreError.damaged(what: "a record of the table message")
        await #expect(throws: damaged) { try await filled.store.moveTrust(from: key(12), to: key(11), at: noon) }
        let path = other.folder.path + "/backup"
        _ = try await other.store.append(
            .incoming(from: other.peers[0], body: [65], sent: noon, received: noon.plus(hours: -5)))
        _ = try await other.store.backup(
            to: path, passphrase: SecretBytes(copying: [1]), replacing: false, derivation: cheap)
        await #expect(throws: damaged) {
            try await filled.store.merge(backup: path, passphrase: SecretBytes(copying: [1]))
        }
    }
}
