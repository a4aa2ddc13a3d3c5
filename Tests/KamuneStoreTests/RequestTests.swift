import Foundation
import KamuneCrypto
import Testing

@testable import KamuneStore

/// Strangers wait, in a room of limited size, until the person has decided about them.
@Suite struct RequestTests {
    private func request(
        _ seed: UInt64, from network: String = "192.0.2.0/24", isProven: Bool = false, note: String = ""
    ) throws -> NewRequest {
        NewRequest(key: try key(seed), name: "n\(seed)", network: network, isProven: isProven, note: note)
    }

    private func names(_ store: Store, at time: Date = noon) async throws -> [String] {
        try await store.requests(at: time).map(\.name)
    }

    @Test func waits() async throws {
        let store = try Store.inMemory()
        try await store.noteRequest(try request(1), at: noon)
        try await store.noteRequest(try request(2, isProven: true, note: "hello"), at: noon.plus(seconds: -9))
        try await store.noteRequest(try request(3), at: noon.plus(seconds: 1))
        #expect(try await names(store) == ["n2", "n3", "n1"])
        // Coming again renews it, and a copy of an introduction takes nothing from what was proven.
        try await store.noteRequest(try request(1), at: noon.plus(hours: 1))
        let copy = try await store.noteRequest(try request(2, from: "elsewhere"), at: noon.plus(hours: 1))
        #expect(copy?.isProven == true && copy?.lastSeen == noon.plus(seconds: -9) && copy?.note == "hello")
        #expect(try await names(store) == ["n2", "n1", "n3"])
        #expect(try await names(store, at: noon.plus(hours: 25)) == ["n2", "n1"])
        #expect(try await names(store, at: noon.plus(hours: 26)) == ["n2"])
        #expect(try await names(store, at: noon.plus(hours: 30 * 24)).isEmpty)
        // Who shows the key at last is proven.
        let proven = try await store.noteRequest(try request(1, isProven: true), at: noon.plus(hours: 2))
        #expect(proven?.isProven == true && proven?.firstSeen == noon)
        try await store.verify()
    }

    @Test func noteIsBounded() async throws {
        let store = try Store.inMemory()
        let note = String(repeating: "é", count: 600)
        let kept = try await store.noteRequest(try request(1, isProven: true, note: note), at: noon)
        #expect(kept?.note == String(repeating: "é", count: 512))
    }

    /// A crowd from one network pushes out its own, and never who has shown a key.
    @Test func unprovenRoom() async throws {
        let store = try Store.inMemory()
        try await store.noteRequest(try request(100, from: "alone"), at: noon)
        try await store.noteRequest(try request(101, isProven: true), at: noon)
        for seed in UInt64(1)...20 {
            try await store.noteRequest(try request(seed), at: noon.plus(seconds: Double(seed)))
        }
        let all = try await names(store)
        #expect(all.count == 17 && all.contains("n100") && all.contains("n101") && all.contains("n20"))
        #expect(!all.contains("n5") && all.contains("n6"))
    }

    @Test func provenRoom() async throws {
        let store = try Store.inMemory()
        for seed in UInt64(1)...5 {
            let noted = try await store.noteRequest(try request(seed, isProven: true), at: noon)
            #expect((noted == nil) == (seed == 5))
        }
        for seed in UInt64(6)...65 {
            let noted = try await store.noteRequest(try request(seed, from: "\(seed / 2)", isProven: true), at: noon)
            #expect(noted != nil)
        }
        #expect(try await store.noteRequest(try request(66, from: "new", isProven: true), at: noon) == nil)
        #expect(try await store.noteRequest(try request(67), at: noon) != nil)
        #expect(try await store.requests(at: noon).count == 65)
        // Room comes with time.
        let later = noon.plus(hours: 30 * 24 + 1)
        #expect(try await store.noteRequest(try request(66, from: "new", isProven: true), at: later) != nil)
        #expect(try await store.read { try $0.tables.requests.count(in: $0) } == 1)
    }

    @Test func accepting() async throws {
        let store = try Store.inMemory()
        let noted = try #require(try await store.noteRequest(try request(1), at: noon))
        let peer = try await store.accept(noted.id, named: "Ann", at: noon)
        #expect(try peer.key == key(1) && peer.displayName == "Ann" && peer.givenName == "n1" && peer.wasAccepted)
        #expect(!peer.isVerified)
        #expect(try await names(store).isEmpty)
        #expect(try await store.noteRequest(try request(1), at: noon) == nil)
        await #expect(throws: StoreError.noSuchRecord(what: "request")) { try await store.accept(noted.id, at: noon) }
        // One that has expired is there no more, and who is accepted another way waits no more.
        let old = try #require(try await store.noteRequest(try request(2), at: noon))
        await #expect(throws: StoreError.noSuchRecord(what: "request")) {
            try await store.accept(old.id, at: noon.plus(hours: 25))
        }
        try await store.meet(try key(2), on: .person)
        #expect(try await names(store).isEmpty)
        // The key is judged anew.
        let stolen = try #require(try await store.noteRequest(try request(3), at: noon))
        _ = try await store.addPeer(3)
        _ = try await store.moveTrust(from: try key(3), to: try key(4), at: noon)
        await #expect(throws: StoreError.noSuchRecord(what: "request")) { try await store.accept(stolen.id, at: noon) }
        let again = try #require(try await store.noteRequest(try request(3), at: noon))
        await #expect { try await store.accept(again.id, at: noon) } throws: { error in
            if case .refused(.retired) = error as? StoreError { true } else { false }
        }
        #expect(try await store.accept(again.id, at: noon, overruling: true).isReinstated)
    }

    @Test func refusing() async throws {
        let store = try Store.inMemory()
        let noted = try #require(try await store.noteRequest(try request(1), at: noon))
        try await store.refuse(noted.id, at: noon)
        #expect(try await names(store).isEmpty)
        #expect(try await store.noteRequest(try request(1), at: noon.plus(hours: 23)) == nil)
        #expect(try await store.request(of: try key(1), at: noon)?.isRefused == true)
        // What somebody else has shown does not count against who holds the key; nor is it for ever.
        #expect(try await store.noteRequest(try request(1, isProven: true), at: noon.plus(hours: 1)) != nil)
        try await store.refuse(noted.id, at: noon)
        #expect(try await store.noteRequest(try request(1), at: noon.plus(hours: 1)) == nil)
        #expect(try await store.noteRequest(try request(1, isProven: true), at: noon.plus(hours: 31 * 24)) != nil)
    }

    @Test func blocking() async throws {
        let store = try Store.inMemory()
        let noted = try #require(try await store.noteRequest(try request(1), at: noon))
        let peer = try await store.block(noted.id, at: noon)
        #expect(peer.isBlocked && !peer.wasAccepted)
        #expect(try await names(store).isEmpty)
        #expect(try await store.noteRequest(try request(1, isProven: true), at: noon) == nil)
    }

    @Test func trusting() async throws {
        let store = try Store.inMemory()
        try await store.noteRequest(try request(1), at: noon)
        let peer = try await store.trust(try key(1), named: "Ann", at: noon)
        #expect(peer.ownName == "Ann" && peer.wasAccepted && !peer.isVerified)
        #expect(try await store.recognize(try key(1), name: "x", at: noon).isTrusted)
        #expect(try await names(store).isEmpty)
        // What is known of somebody stays.
        try await store.meet(try key(2), name: "bob", at: noon.plus(hours: -2))
        let bob = try await store.trust(try key(2), named: "Bob", at: noon)
        #expect(bob.givenName == "bob" && bob.lastSeen == noon.plus(hours: -2) && bob.version == "0.7.0")
        try await store.moveTrust(from: try key(2), to: try key(3), at: noon)
        await #expect { try await store.trust(try key(2), named: "Bob", at: noon) } throws: { error in
            if case .refused(.retired) = error as? StoreError { true } else { false }
        }
        try await store.setBlocked(bob.id, true)
        await #expect { try await store.trust(try key(3), named: "Bob", at: noon) } throws: { error in
            if case .refused(.blocked) = error as? StoreError { true } else { false }
        }
    }
}
