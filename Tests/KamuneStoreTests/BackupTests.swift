import Foundation
import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneStore

@Suite struct BackupTests {
    private let word = "backup passphrase"

    private func secret(_ text: String) -> SecretBytes { SecretBytes(copying: Array(text.utf8)) }

    private func backup(_ store: Store, _ folder: Folder, replacing: Bool = false) async throws -> BackupSummary {
        try await store.backup(
            to: folder.path + "/backup", passphrase: secret(word), replacing: replacing, derivation: cheap)
    }

    private func filled(_ store: Store) async throws -> (bob: PeerID, eve: PeerID) {
        try await store.add(try identity(50), name: "old", at: noon)
        try await store.add(try identity(51, .mldsa65), name: "me", at: noon.plus(hours: 1), statement: [9])
        let (bob, eve) = (try await store.addPeer(1, "bob"), try await store.addPeer(2, "eve"))
        try await store.rename(bob, to: "Bobby")
        try await store.setVerified(bob, at: noon)
        try await store.setBlocked(eve, true)
        try await store.setTextSetting("colour", to: "blue")
        let session = try await store.store(
            NewSession(peer: bob, identifier: "S1", name: "n", established: noon, transport: "tcp", isInitiator: true),
            tokens: [[1, 2, 3]])
        for index in 0..<300 {
            let time = noon.plus(seconds: Double(index) * 10)
            _ = try await store.append(
                .incoming(
                    from: index % 2 == 0 ? bob : eve, body: Array("m\(index)".utf8), sent: time, received: time,
                    session: index % 2 == 0 ? session.id : nil))
        }
        _ = try await store.append(
            .outgoing(to: bob, body: [UInt8](repeating: 66, count: 200_000), at: noon.plus(seconds: 5_000)))
        return (bob, eve)
    }

    private func facts(_ store: Store) async throws -> [String] {
        var facts: [String] = []
        for identity in try await store.identities() {
            facts.append(
                "\(identity.publicKey) \(identity.name) \(identity.isCurrent) \(identity.created) \(identity.statement ?? [])"
            )
            facts.append("\(identity.privateKey?.withSeed { Array($0) } ?? []) \(String(describing: identity.retired))")
        }
        for peer in try await store.peers().sorted(by: { $0.givenName < $1.givenName }) {
            facts.append("\(peer.key) \(peer.displayName) \(peer.isBlocked) \(peer.isVerified) \(peer.firstSeen)")
            for message in try await store.messages(with: peer.id, limit: 10_000) {
                facts.append("\(message.text) \(message.id) \(message.state) \(message.sent) \(message.session != nil)")
            }
            for session in try await store.sessions(with: peer.id) {
                facts.append("\(session.identifier) \(session.name ?? "") \(session.established)")
            }
        }
        facts.append(try await store.textSetting("colour") ?? "")
        return facts
    }

    @Test func restore() async throws {
        let folder = try Folder()
        let store = try folder.store()
        _ = try await filled(store)
        let summary = try await backup(store, folder)
        #expect(summary == BackupSummary(identities: 2, peers: 2, sessions: 1, settings: 1, messages: 301))
        let path = folder.path + "/backup"
        #expect(try await Store.verifyBackup(at: path, passphrase: secret(word)) == summary)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let restored = try await Store.restore(
            backup: path, passphrase: secret(word), to: folder.location("new.db"), credential: .passphrase(passphrase),
            derivation: cheap)
        #expect(try await facts(restored) == facts(store))
        let id = try #require(try await restored.session(identifier: "S1")).id
        #expect(try await restored.tokenCount(of: id) == 0)
        #expect(try await restored.pendingMessages(to: restored.peers(named: "bob")[0].id).count == 1)
        try await restored.verify()
        // Everything again changes nothing.
        #expect(try await restored.merge(backup: path, passphrase: secret(word)) == BackupSummary())
        #expect(try await facts(restored) == facts(store))
        #expect(Set(try folder.contents().keys).isSuperset(of: ["kamune.db", "new.db", "backup"]))
        #expect(try folder.contents().keys.allSatisfy { !$0.contains("partial") && !$0.contains("restore-") })
        await #expect(throws: StoreError.alreadyExists(path: path)) { _ = try await backup(store, folder) }
        _ = try await store.say("later", to: try await store.addPeer(1))
        #expect(try await backup(store, folder, replacing: true).messages == 302)
    }

    @Test func merge() async throws {
        let (folder, other) = (try Folder(), try Folder())
        let (mine, theirs) = (try folder.store(), try other.store())
        for store in [mine, theirs] {
            _ = try await store.addPeer(store === mine ? 7 : 8, "only here")
            _ = try await store.addPeer(1, "bob")
        }
        let bob = try #require(try await mine.peer(withKey: try key(1))).id
        let theirBob = try #require(try await theirs.peer(withKey: try key(1))).id
        let only = try #require(try await theirs.peer(withKey: try key(8))).id
        try await mine.rename(bob, to: "mine")
        try await theirs.rename(theirBob, to: "theirs")
        try await mine.setTextSetting("a", to: "mine")
        try await theirs.setTextSetting("a", to: "theirs")
        try await theirs.setTextSetting("b", to: "theirs")
        try await mine.add(try identity(60), name: "mine", at: noon)
        try await theirs.add(try identity(61), name: "theirs", at: noon)
        for index in 0..<100 {
            let id = MessageID(stream: 1, number: UInt64(index))
            let time = noon.plus(seconds: Double(index))
            // Every third in both, the others in one of them.
            if index % 3 != 1 { _ = try await mine.hear("\(index)", from: bob, at: time, id: id) }
            if index % 3 != 2 { _ = try await theirs.hear("\(index)", from: theirBob, at: time, id: id) }
            if index % 10 == 0 { _ = try await theirs.hear("only \(index)", from: only, at: time) }
        }
        #expect(try await backup(theirs, other).messages == 77)
        let summary = try await mine.merge(backup: other.path + "/backup", passphrase: secret(word))
        #expect(summary == BackupSummary(identities: 1, peers: 1, sessions: 0, settings: 1, messages: 43))
        // In order, by their times, none twice.
        #expect(try await mine.texts(with: bob) == (0..<100).map(String.init))
        var all: [Date] = []
        for try await message in mine.history() { all.append(message.localTime) }
        #expect(all == all.sorted() && all.count == 110)
        #expect(try await mine.peer(bob)?.ownName == "mine")
        #expect(try await mine.textSetting("a") == "mine")
        #expect(try await mine.textSetting("b") == "theirs")
        #expect(try await mine.currentIdentity()?.name == "mine")
        #expect(try await mine.identities().count == 2)
        #expect(try await mine.merge(backup: other.path + "/backup", passphrase: secret(word)) == BackupSummary())
        // What comes now comes after, and is known again.
        let last = try await mine.hear("last", from: bob, id: MessageID(stream: 1, number: 1_000))
        #expect(try await mine.messages(with: bob).last == last)
        #expect(try await mine.storedIDs(among: [MessageID(stream: 1, number: 50)], with: bob, .incoming).count == 1)
        try await mine.verify()
    }

    @Test func mergeFollowsANewKey() async throws {
        let (folder, other) = (try Folder(), try Folder())
        let (mine, theirs) = (try folder.store(), try other.store())
        let bob = try await mine.addPeer(1)
        _ = try await mine.say("mine", to: bob)
        let theirBob = try await theirs.addPeer(1)
        _ = try await theirs.say("theirs", to: theirBob, at: noon.plus(hours: -1))
        try await theirs.moveTrust(from: try key(1), to: try key(2), at: noon)
        _ = try await backup(theirs, other)
        _ = try await mine.merge(backup: other.path + "/backup", passphrase: secret(word))
        let merged = try await mine.peers()
        #expect(merged.map(\.id) == [bob])
        #expect(try merged[0].key == key(2))
        #expect(try merged[0].formerKeys.map(\.key) == [key(1)])
        #expect(try await mine.texts(with: bob) == ["theirs", "mine"])
    }

    @Test(
        "who has a key that a peer gave up stays somebody else, wherever the two stand",
        arguments: [1, .max] as [Int64])
    func mergeKeepsAGivenUpKeyApart(row: Int64) async throws {
        let (folder, other) = (try Folder(), try Folder())
        let (mine, theirs) = (try folder.store(), try other.store())
        let bob = try await theirs.addPeer(1, "bob")
        _ = try await theirs.hear("from bob", from: bob)
        try await theirs.moveTrust(from: try key(1), to: try key(2), at: noon)
        let thief = StoredPeer(
            id: PeerID(row: row), key: try key(1), givenName: "bob", ownName: nil, version: "", capabilities: [],
            firstSeen: noon, lastSeen: noon, accepted: .distantFuture, verified: nil, isBlocked: false, formerKeys: [])
        try await theirs.write { try $0.insert(thief) }
        _ = try await theirs.hear("from a thief", from: thief.id)
        _ = try await backup(theirs, other)
        _ = try await mine.merge(backup: other.path + "/backup", passphrase: secret(word))
        let (kept, stranger) = (
            try #require(try await mine.peer(withKey: try key(2))),
            try #require(try await mine.peer(withKey: try key(1)))
        )
        #expect(kept.id != stranger.id && !stranger.isReinstated)
        #expect(try await mine.texts(with: kept.id) == ["from bob"])
        #expect(try await mine.texts(with: stranger.id) == ["from a thief"])
        let standing = try await mine.recognize(try key(1), name: "bob", at: noon).standing
        #expect(standing == .retired(kept))
        try await mine.verify()
    }

    @Test func tampered() async throws {
        let folder = try Folder()
        let store = try folder.store()
        _ = try await filled(store)
        _ = try await backup(store, folder)
        let whole = try #require(try folder.contents()["backup"])
        #expect(whole.count > 3 * 65_536)
        // Not shorter ones: three bytes are found by chance in one of a hundred files of this size.
        for text in ["m100", "m298", "m299"] { #expect(!whole.contains(bytes: Array(text.utf8))) }
        let path = folder.path + "/altered"
        func attempt(_ bytes: [UInt8]) async -> StoreError? {
            do {
                try folder.write(bytes, to: "altered")
                _ = try await Store.verifyBackup(at: path, passphrase: secret(word))
                return nil
            } catch {
                return error as? StoreError
            }
        }
        #expect(await attempt(whole) == nil)
        let damaged = StoreError.damaged(what: "the backup \(path)")
        #expect(await attempt([]) == .notABackup(path: path))
        #expect(await attempt(Array(whole.prefix(30))) == .truncated(path: path))
        #expect(await attempt(Array(whole.dropLast())) == .truncated(path: path))
        #expect(await attempt(whole + [0]) == damaged)
        // Cut at a boundary of chunks, and two of them exchanged.
        let chunk = 4 + 40 + BackupFormat.chunkSize
        let header = BackupFormat.headerSize
        #expect(await attempt(Array(whole.prefix(header + chunk))) == .truncated(path: path))
        let first = Array(whole[header..<(header + chunk)])
        let second = Array(whole[(header + chunk)..<(header + 2 * chunk)])
        func altered(_ chunks: [[UInt8]]) -> [UInt8] {
            Array(whole[..<header]) + chunks.flatMap { $0 } + Array(whole[(header + 2 * chunk)...])
        }
        #expect(altered([first, second]) == whole)
        let (repeated, exchanged) = (altered([first, first]), altered([second, first]))
        #expect(await attempt(repeated) == damaged)
        #expect(await attempt(exchanged) != nil)
        var newer = whole
        newer[15] = 9
        #expect(await attempt(newer) == .newerVersion(found: 9, supported: BackupFormat.version))
        var random = SeededRandom(5)
        for _ in 0..<200 {
            var bytes = whole
            // The cost of the derivation is covered too, but trying it takes long.
            let index = Int(random.integer(below: UInt32(bytes.count)))
            guard !(16..<19).contains(index) else { continue }
            bytes[index] ^= UInt8(1 << random.integer(below: 8))
            #expect(await attempt(bytes) != nil, "byte \(index)")
        }
        await #expect(throws: StoreError.wrongPassphrase(failures: 0)) {
            _ = try await Store.verifyBackup(at: folder.path + "/backup", passphrase: secret("wrong"))
        }
        // A backup that is damaged at its end changes nothing here, and makes no store.
        try folder.write(Array(whole.dropLast(100)), to: "altered")
        let before = try await facts(store)
        let empty = try Folder().store()
        await #expect(throws: StoreError.truncated(path: path)) {
            try await empty.merge(backup: path, passphrase: secret(word))
        }
        #expect(try await empty.peers().isEmpty)
        await #expect(throws: StoreError.truncated(path: path)) {
            _ = try await Store.restore(
                backup: path, passphrase: secret(word), to: folder.location("new.db"), credential: .unprotected,
                derivation: cheap)
        }
        #expect(try folder.contents()["new.db"] == nil)
        #expect(try await facts(store) == before)
    }
}
