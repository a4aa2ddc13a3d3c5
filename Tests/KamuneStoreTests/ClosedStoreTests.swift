import Foundation
import KamuneCrypto
import KamuneStore
import Testing

@Suite("A store that was closed")
struct ClosedStoreTests {
    @Test("says so, in memory too")
    func inMemory() async throws {
        let store = try Store.inMemory()
        try await store.close()
        await #expect(throws: StoreError.closed) { try await store.peers() }
        await #expect(throws: StoreError.closed) {
            try await store.accept(try Identity.generate(.ed25519).publicKey, name: "Bob", at: Date())
        }
    }
}
