import Foundation
import KamuneCrypto
import KamuneProtocol
import KamuneTestKit

@testable import Kamune
@testable import KamuneStore

/// The store as it is, in memory, for a simulation.
final class KeptStore: SimulatedStore {
    private var store: Store
    /// By which the peer is known in either record.
    private var keys: [PublicIdentity]
    private var peers: [PeerID] = []
    private var backups: [Int: (path: String, keys: [PublicIdentity], joins: Int)] = [:]
    /// How often two records have turned out to be one.
    private var joins = 0
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "kamune-simulation-" + UUID().uuidString)

    /// A passphrase costs next to nothing here.
    private static let cheap = KeyDerivation(cost: 16, blockSize: 1, parallelism: 1)

    private static var passphrase: SecretBytes { SecretBytes(copying: [1]) }

    init() async throws {
        store = try Store.inMemory()
        keys = [try Self.newKey(), try Self.newKey()]
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try await findPeers()
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private static func newKey() throws -> PublicIdentity { try Identity.generate(.ed25519).publicKey }

    private func findPeers() async throws {
        peers = []
        for key in keys { peers.append(try await store.accept(key, name: "peer", at: Date()).id) }
    }

    func perform(
        _ operations: [ConversationMachine.StoreOperation], record: Int, at now: Int64
    ) async throws -> (outcomes: [ConversationMachine.StoreOutcome], told: [[UInt8]]) {
        let results = try await store.perform(
            operations, with: peers[record], in: nil, sessions: [:], at: Date(plausible: now))
        let told = results.flatMap { result -> [[UInt8]] in
            if case .kept = result.outcome { result.messages.map(\.body) } else { [] }
        }
        return (results.map(\.outcome), told)
    }

    func names(_ count: Int, record: Int) async throws -> [DeliveryID] {
        store.newMessageIDs(count, to: peers[record]).map { DeliveryID($0) }
    }

    func contents(record: Int) async throws -> [SimulatedMessage] {
        try await store.messages(with: peers[record], limit: .max).map { message in
            SimulatedMessage(state: SimulatedMessage.State(message.state), body: message.body)
        }
    }

    func backUp(to name: Int) async throws {
        let path = folder.appending(path: "\(name)").path
        _ = try await store.backup(
            to: path, passphrase: Self.passphrase, replacing: true, derivation: Self.cheap)
        backups[name] = (path, keys, joins)
    }

    func restore(from name: Int?) async throws {
        store = try Store.inMemory()
        if let name, let backup = backups[name] {
            (keys, joins) = (backup.keys, backup.joins)
            _ = try await store.merge(backup: backup.path, passphrase: Self.passphrase)
        }
        try await findPeers()
    }

    func merge(from name: Int) async throws {
        // One that was made after the records had become one would make them one here, unseen by the simulation.
        guard let backup = backups[name], backup.joins <= joins else { return }
        _ = try await store.merge(backup: backup.path, passphrase: Self.passphrase)
        try await findPeers()
        try await store.verify()
    }

    func delete(_ body: [UInt8], record: Int) async throws {
        let messages = try await store.messages(with: peers[record], limit: .max).filter { $0.body == body }
        try await store.deleteMessages(at: messages.map(\.position))
    }

    func joinRecords() async throws {
        try await store.moveTrust(from: keys[0], to: keys[1], at: Date())
        keys = [keys[1], try Self.newKey()]
        joins += 1
        try await findPeers()
        try await store.verify()
    }

    func reopen() async throws {}
}

extension SimulatedMessage.State {
    fileprivate init?(_ state: MessageState) {
        switch state {
        case .received: return nil
        case .waiting: self = .waiting
        case .inFlight, .maybeLost: self = .maybeLost
        case .sent: self = .sent
        case .delivered: self = .delivered
        }
    }
}
