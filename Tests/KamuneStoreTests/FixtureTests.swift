import Foundation
import KamuneCrypto
import Testing

@testable import KamuneStore

/// Stores and backups that earlier versions made must open for ever. A fixture that was published is never made again; a
/// new format gets a new one beside it.
@Suite struct FixtureTests {
    @Test(arguments: ["store-v1", "store-v2", "store-v3", "store-v4"])
    func store(name: String) async throws {
        let folder = try Folder()
        let url = try #require(Bundle.module.url(forResource: name, withExtension: "db", subdirectory: "Resources"))
        try folder.write([UInt8](Data(contentsOf: url)), to: "kamune.db")
        let store = try folder.reopen()
        try await expectContents(store, of: name)
        let session = try #require(try await store.session(identifier: "ABCDEFGHIJKLMNOPQRSTUVWX"))
        #expect(try await store.consumeToken([UInt8](repeating: 3, count: 32), of: session.id, at: noon))
        #expect(try await store.takeToken(of: session.id, at: noon) == [UInt8](repeating: 4, count: 32))
        try await store.verify()
    }

    @Test(arguments: ["backup-v1", "backup-v2", "backup-v3"])
    func backup(name: String) async throws {
        let folder = try Folder()
        let url = try #require(Bundle.module.url(forResource: name, withExtension: "kamune", subdirectory: "Resources"))
        let store = try await Store.restore(
            backup: url.path, passphrase: SecretBytes(copying: Array("fixture".utf8)), to: folder.location(),
            credential: .unprotected, derivation: cheap)
        try await expectContents(store, of: name)
        try await store.verify()
    }

    /// A store of any version can be looked into without a byte of it changing.
    @Test(arguments: ["store-v1", "store-v2", "store-v3", "store-v4"])
    func lookedInto(name: String) async throws {
        let folder = try Folder()
        let url = try #require(Bundle.module.url(forResource: name, withExtension: "db", subdirectory: "Resources"))
        let bytes = [UInt8](try Data(contentsOf: url))
        try folder.write(bytes, to: "kamune.db")
        let location = folder.location()
        let store = try Store.openNow(at: location, credential: .passphrase(passphrase), isReadOnly: true)
        try await expectContents(store, of: name)
        guard case .retired = try await store.recognize(key(3), name: "x", at: noon).standing else {
            Issue.record("not retired")
            return
        }
        #expect(try await store.recognize(key(9), name: "BOB", at: noon).isNameConflict)
        await #expect(throws: StoreError.readOnly(path: location.path)) { try await store.setPeerExpiry(.standard) }
        try await store.verify()
        try await store.close()
        #expect(try folder.contents()["kamune.db"] == bytes)
    }

    private func expectContents(_ store: Store, of name: String) async throws {
        let identities = try await store.identities()
        #expect(try identities.map(\.publicKey) == [key(1), key(2, .mldsa65)])
        #expect(identities.map(\.isCurrent) == [false, true])
        #expect(identities[0].privateKey == nil && identities[1].privateKey != nil)
        #expect(identities[1].statement == [1, 2, 3] && identities[1].name == "ada")
        let bob = try #require(try await store.peers(named: "Bob from work").first)
        #expect(bob.givenName == "bob" && bob.version == "0.7.0" && bob.capabilities == ["kamune/direct-start"])
        #expect(try bob.key == key(4) && bob.formerKeys.map(\.key) == [key(3)])
        #expect(bob.verified == noon && !bob.isBlocked && bob.firstSeen == noon && bob.accepted == noon.plus(hours: 1))
        #expect(try await store.peers(named: "eve").first?.isBlocked == true)
        let messages = try await store.messages(with: bob.id)
        #expect(messages.map(\.text) == ["hello", "Grüße 👋", "waiting"])
        #expect(messages.map(\.state) == [.received, .delivered, .waiting])
        #expect(messages[0].id == MessageID(stream: 1, number: 2) && messages[0].sent == noon.plus(seconds: -1.5))
        #expect(messages[0].received == noon && messages[1].received == noon.plus(hours: 2))
        let session = try #require(try await store.session(identifier: "ABCDEFGHIJKLMNOPQRSTUVWX"))
        #expect(messages[0].session == session.id && messages[1].session == nil && session.peer == bob.id)
        #expect(session.name == "holiday" && session.transport == "tcp" && !session.isInitiator)
        #expect(session.capabilities == ["kamune/direct-start"] && session.identity == identities[1].id)
        // The first version kept no more than what both had announced.
        #expect(session.announced == nil || session.announced == announced)
        #expect(session.renewed == session.established)
        #expect(try await store.textSetting("colour") == "blue")
        #expect(try await store.peerTerms().accepted == .never)
        #expect(try await store.found(MessageSearch("GRÜSSE grüße")).isEmpty)
        #expect(try await store.found(MessageSearch("GRÜßE")) == ["Grüße 👋"])
        let addresses = try await store.addresses(of: bob.id, at: noon).map(\.text)
        let knowsAddresses = ["store-v4", "backup-v3"].contains(name)
        #expect(
            addresses == (knowsAddresses ? ["udp://dialed.example", "tcp://given.example", "tcp://told.example"] : []))
        #expect(try await store.requests(at: noon).map(\.note) == (name == "store-v4" ? ["let me in"] : []))
    }

    private let announced = SessionAnnouncements(
        own: ["kamune/direct-start", "a"], peer: ["b", "kamune/direct-start"])

    /// Makes the fixtures of this version, in the folder that KAMUNE_STORE_FIXTURES names.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["KAMUNE_STORE_FIXTURES"] != nil))
    func make() async throws {
        let target = try #require(ProcessInfo.processInfo.environment["KAMUNE_STORE_FIXTURES"])
        let folder = try Folder()
        let store = try folder.store()
        let first = try await store.add(try identity(1), name: "ada", at: noon)
        let second = try await store.add(
            try identity(2, .mldsa65), name: "ada", at: noon.plus(hours: 1), statement: [1, 2, 3])
        try await store.erasePrivateKey(of: first.id)
        let bob = try await store.accept(try key(3), name: "bob", at: noon).id
        try await store.rename(bob, to: "Bob from work")
        try await store.setVerified(bob, at: noon)
        try await store.moveTrust(from: try key(3), to: try key(4), at: noon)
        try await store.accept(
            try key(4), name: "bob", version: "0.7.0", capabilities: ["kamune/direct-start"], at: noon.plus(hours: 1))
        try await store.setBlocked(try await store.addPeer(5, "eve"), true)
        let session = try await store.store(
            NewSession(
                peer: bob, identifier: "ABCDEFGHIJKLMNOPQRSTUVWX", name: "holiday", established: noon, transport: "tcp",
                isInitiator: false, identity: second.id, capabilities: ["kamune/direct-start"], announced: announced),
            tokens: [[UInt8](repeating: 3, count: 32), [UInt8](repeating: 4, count: 32)])
        try await store.append(
            .incoming(
                from: bob, body: Array("hello".utf8), sent: noon.plus(seconds: -1.5), received: noon,
                session: session.id, id: MessageID(stream: 1, number: 2)))
        let greeting = try await store.say("Grüße 👋", to: bob, at: noon.plus(hours: 1))
        try await store.setState(.delivered, of: [greeting.id], to: bob, at: noon.plus(hours: 2))
        _ = try await store.say("waiting", to: bob, at: noon.plus(hours: 3))
        _ = try await store.write {
            try $0.handOver(to: bob, .acknowledged, after: nil, limit: 9, bytes: .max, at: noon)
        }
        try await store.addAddress("tcp://given.example", of: bob, at: noon)
        try await store.noteReached(bob, at: "udp://dialed.example", time: noon)
        try await store.setToldRoutes(["tcp://told.example"], of: bob, at: noon.plus(hours: 1))
        try await store.noteRequest(
            NewRequest(key: try key(8), name: "zoe", network: "192.0.2.0/24", isProven: true, note: "let me in"),
            at: noon)
        try await store.setTextSetting("colour", to: "blue")
        try await store.setPeerExpiry(.never)
        let secret = SecretBytes(copying: Array("fixture".utf8))
        _ = try await store.backup(
            to: target + "/backup-v\(BackupFormat.version).kamune", passphrase: secret, replacing: false,
            derivation: cheap)
        try await store.close()
        try FileManager.default.copyItem(
            atPath: folder.location().path, toPath: target + "/store-v\(Schema.version).db")
    }
}
