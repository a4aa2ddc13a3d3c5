import Foundation
import KamuneTransport
import Testing

@testable import Kamune
@testable import KamuneStore

@Suite("Delivered is true")
struct DeliveredTests {
    /// The scenario: a message that waits is brought back by a backup, after a later one was delivered.
    @Test("a message that a backup brings in is sent, and delivered only then")
    func mergedBackup() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "kamune-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "backup").path
        let two = try await TwoMessengers()
        let (first, _, _) = try await two.connect()
        await two.ada.close()
        await two.bob.close()
        let (store, bobID) = (two.ada.store, first.peerID)
        let x = try await store.append(.outgoing(to: bobID, body: Array("X".utf8), at: Date())).message
        _ = try await store.backup(
            to: path, passphrase: SecretBytes(copying: [1]), replacing: false,
            derivation: KeyDerivation(cost: 16, blockSize: 1, parallelism: 1))
        try await store.deleteHistory(with: bobID)

        let (second, bob, _) = try await two.connect()
        let y = try await second.send("Y")
        #expect(await second.waitUntilDelivered(for: .seconds(60)))
        #expect(try await EventReader(bob).texts(1) == ["Y"])
        await two.ada.close()
        await two.bob.close()
        _ = try await store.merge(backup: path, passphrase: SecretBytes(copying: [1]))
        #expect(try await store.messages(with: bobID).map(\.id) == [x.id, y.id])

        let (third, bobAgain, _) = try await two.connect()
        let events = EventReader(third)
        #expect(try await events.next { $0.state(of: x.id) } == .inFlight)
        #expect(try await EventReader(bobAgain).texts(1) == ["X"])
        #expect(try await events.next { $0.state(of: x.id) } == .delivered)
        #expect(try await two.bob.store.messages(with: bobAgain.peerID).map(\.text).contains("X"))
        await two.ada.close()
        await two.bob.close()
    }
}
