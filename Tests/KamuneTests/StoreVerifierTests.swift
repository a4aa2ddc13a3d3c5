import Foundation
import KamuneStore
import KamuneSystem
import KamuneTestKit
import Testing

@testable import Kamune

@Suite("A verifier that goes by the store")
struct StoreVerifierTests {
    private let clock = ManualClock()

    private func peer(_ name: String = "Bob") throws -> Peer {
        Peer(name: name, identity: try Identity.generate(.ed25519).publicKey, version: "0.7.0", capabilities: [])
    }

    @Test("lets in whom the store knows, as long as that lasts, and asks about others")
    func standing() async throws {
        let store = try Store.inMemory()
        let verifier = StoreVerifier(store, time: clock) { _, recognition in
            .refuse(reason: "\(recognition.isNameConflict) \(recognition.standing == .unknown)")
        }
        let bob = try peer()
        #expect(await verifier.verify(bob) == .refuse(reason: "false true"))
        let id = try await store.accept(bob.identity, name: "Bob", at: clock.date).id
        #expect(await verifier.verify(bob) == .accept(.known))
        #expect(await verifier.verify(try peer()) == .refuse(reason: "true true"))
        clock.advance(by: .seconds(100 * 365 * 24 * 3_600))
        #expect(await verifier.verify(bob) == .refuse(reason: "false false"))
        try await store.setBlocked(id, true)
        #expect(await verifier.verify(bob) == .refuse(reason: "The peer is blocked."))
    }

    @Test("remembers whom a person let in, and refuses strangers by itself")
    func remembering() async throws {
        let store = try Store.inMemory()
        let asking = StoreVerifier(store) { _, _ in .accept(.person) }
        let first = try await TwoMessengers(bobStore: store, bobVerifier: asking)
        _ = try await first.connect()
        await first.ada.close()
        let ada = first.ada.endpoint.identity.publicKey
        #expect(try await store.peer(withKey: ada)?.wasAccepted == true)
        let known = Peer(name: "Ada", identity: ada, version: "", capabilities: [])
        #expect(await StoreVerifier(store).verify(known) == .accept(.known))
        #expect(await StoreVerifier(store).verify(try peer()) == .refuse(reason: "The peer is not known."))
    }
}
