import Foundation
import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneStore

/// A passphrase costs next to nothing in tests.
let cheap = KeyDerivation(cost: 16, blockSize: 1, parallelism: 1)

/// The passphrase of the tests' stores.
let passphrase = "correct horse battery staple"

/// The clock of the tests.
let noon = Date(timeIntervalSince1970: 1_800_000_000)

extension Date {
    func plus(hours: Double) -> Date { addingTimeInterval(hours * 3_600) }
    func plus(seconds: Double) -> Date { addingTimeInterval(seconds) }
}

/// A folder that is gone after the test.
final class Folder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/kamune-store-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func location(_ name: String = "kamune.db") -> StoreLocation { StoreLocation(path: path + "/" + name) }

    /// Everything in it, by name.
    func contents() throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            contents[name] = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
        }
        return contents
    }

    /// Puts a file for the owner alone into it.
    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path + "/" + name)
    }

    /// What a crash at this moment would leave: the file and its log, not what only shared memory knows.
    func copy() throws -> Folder {
        let copy = try Folder()
        // The log first: what of it reaches the file afterwards is in both.
        for name in ["kamune.db-wal", "kamune.db"] where FileManager.default.fileExists(atPath: path + "/" + name) {
            try copy.write([UInt8](Data(contentsOf: URL(fileURLWithPath: path + "/" + name))), to: name)
        }
        return copy
    }

    func store(_ name: String = "kamune.db") throws -> Store {
        try Store.create(at: location(name), credential: .passphrase(passphrase), derivation: cheap)
    }

    func reopen(_ name: String = "kamune.db") throws -> Store {
        try Store.openNow(at: location(name), credential: .passphrase(passphrase))
    }
}

/// An identity that is the same each time: the fixtures hold some that were made so.
func identity(_ seed: UInt64, _ algorithm: IdentityAlgorithm = .ed25519) throws -> Identity {
    var random = SeededRandom(seed, bytesPerNumber: 1)
    return try Identity.generate(algorithm, using: &random)
}

func key(_ seed: UInt64, _ algorithm: IdentityAlgorithm = .ed25519) throws -> PublicIdentity {
    try identity(seed, algorithm).publicKey
}

extension Store {
    /// A session is established with somebody who introduces themselves so.
    @discardableResult
    func meet(
        _ key: PublicIdentity, name: String = "bob", version: String = "0.7.0", after formerKeys: [PublicIdentity] = [],
        on grounds: AcceptanceGrounds = .policy, at time: Date = noon
    ) async throws -> StoredPeer {
        try await keep(key, name: name, version: version, after: formerKeys, on: grounds, at: time).peer
    }

    func keep(
        _ key: PublicIdentity, name: String = "bob", version: String = "0.7.0", after formerKeys: [PublicIdentity] = [],
        on grounds: AcceptanceGrounds = .policy, at time: Date = noon, identifier: String = UUID().uuidString,
        as own: PublicIdentity? = nil, isInitiator: Bool = true, announced: SessionAnnouncements? = nil,
        tokens: [[UInt8]] = []
    ) async throws -> KeptSession {
        let announced = announced ?? SessionAnnouncements(own: [], peer: [])
        let session = EstablishedSessionRecord(
            identifier: identifier, identity: try own ?? KamuneStoreTests.key(0), transport: "tcp",
            isInitiator: isInitiator, agreed: announced.own.filter(announced.peer.contains), announced: announced,
            tokens: tokens)
        let introduction = PeerIntroductionRecord(
            key: key, name: name, version: version, capabilities: announced.peer, formerKeys: formerKeys)
        return try await write { try $0.establish(session, with: introduction, on: grounds, at: time) }
    }

    func addPeer(_ seed: UInt64, _ name: String = "bob", at time: Date = noon) async throws -> PeerID {
        try await accept(try key(seed), name: name, version: "0.7.0", at: time).id
    }

    func say(_ text: String, to peer: PeerID, at time: Date = noon) async throws -> StoredMessage {
        try await append(.outgoing(to: peer, body: Array(text.utf8), at: time)).message
    }

    func hear(
        _ text: String, from peer: PeerID, at time: Date = noon, id: MessageID? = nil
    ) async throws -> StoredMessage {
        try await append(.incoming(from: peer, body: Array(text.utf8), sent: time, received: time, id: id)).message
    }

    func texts(with peer: PeerID) async throws -> [String] {
        var texts: [String] = []
        for try await message in history(with: peer) { texts.append(message.text) }
        return texts
    }

    func found(_ search: MessageSearch) async throws -> [String] {
        var texts: [String] = []
        for try await message in self.search(search) { texts.append(message.text) }
        return texts
    }
}

extension [UInt8] {
    /// Whether the bytes stand anywhere in these.
    func contains(bytes: [UInt8]) -> Bool {
        Data(self).range(of: Data(bytes)) != nil
    }
}
