import Foundation
import KamuneCrypto
import Testing

@testable import KamuneStore

/// How somebody can be reached is kept: what the person gives, what was dialed, and what the peer tells.
@Suite struct AddressTests {
    private func texts(_ store: Store, _ peer: PeerID, at time: Date = noon) async throws -> [String] {
        try await store.addresses(of: peer, at: time).map(\.text)
    }

    @Test func bestFirst() async throws {
        let store = try Store.inMemory()
        let bob = try await store.addPeer(1)
        #expect(try await store.setToldRoutes(["tcp://told:1", "tcp://told:2"], of: bob, at: noon))
        try await store.noteReached(bob, at: "tcp://dialed", time: noon)
        try await store.addAddress("tcp://given", of: bob, at: noon)
        #expect(try await texts(store, bob) == ["tcp://dialed", "tcp://given", "tcp://told:1", "tcp://told:2"])
        try await store.noteReached(bob, at: "tcp://told:2", time: noon.plus(seconds: 1))
        try await store.noteFailed(bob, at: "tcp://dialed", time: noon.plus(seconds: 1))
        #expect(try await texts(store, bob) == ["tcp://told:2", "tcp://given", "tcp://dialed", "tcp://told:1"])
        let addresses = try await store.addresses(of: bob, at: noon)
        #expect(addresses.map(\.source) == [.told, .given, .dialed, .told])
        #expect(addresses[2].lastWorked == noon && addresses[2].lastFailed == noon.plus(seconds: 1))
        // What fails and was never known is nothing to keep.
        try await store.noteFailed(bob, at: "tcp://other", time: noon)
        try await store.removeAddress("tcp://given", of: bob)
        #expect(try await texts(store, bob) == ["tcp://told:2", "tcp://dialed", "tcp://told:1"])
        try await store.verify()
    }

    @Test func whatIsToldExpires() async throws {
        let store = try Store.inMemory()
        try await store.setPeerExpiry(.never)
        let bob = try await store.addPeer(1)
        try await store.addAddress("tcp://given", of: bob, at: noon)
        try await store.setToldRoutes(["tcp://a", "tcp://b", "tcp://given"], of: bob, at: noon)
        let (day, late) = (24.0, 30.0 * 24)
        try await store.noteReached(bob, at: "tcp://b", time: noon.plus(hours: day))
        #expect(try await texts(store, bob, at: noon.plus(hours: late)) == ["tcp://b", "tcp://given", "tcp://a"])
        #expect(try await texts(store, bob, at: noon.plus(hours: late + 1)) == ["tcp://b", "tcp://given"])
        #expect(try await texts(store, bob, at: noon.plus(hours: late + day + 1)) == ["tcp://given"])
        // What is told replaces what was told, but for what has worked.
        try await store.setToldRoutes(["tcp://c"], of: bob, at: noon.plus(hours: day))
        #expect(try await texts(store, bob) == ["tcp://b", "tcp://given", "tcp://c"])
        try await store.setToldRoutes([], of: bob, at: noon.plus(hours: 2 * late))
        #expect(try await texts(store, bob) == ["tcp://given"])
    }

    @Test func limits() async throws {
        let store = try Store.inMemory()
        let bob = try await store.addPeer(1)
        for number in 0..<40 {
            try await store.noteReached(bob, at: "tcp://dialed\(number)", time: noon.plus(seconds: Double(number)))
        }
        try await store.setToldRoutes((0..<9).map { "tcp://told\($0)" }, of: bob, at: noon)
        var addresses = try await store.addresses(of: bob, at: noon)
        #expect(addresses.count == 32 && addresses.first?.text == "tcp://dialed39")
        #expect(addresses.count { $0.source == .dialed } == 24 && !addresses.contains { $0.text == "tcp://dialed15" })
        for number in 0..<24 { try await store.addAddress("tcp://given\(number)", of: bob, at: noon) }
        addresses = try await store.addresses(of: bob, at: noon)
        #expect(addresses.count { $0.source == .given } == 24 && addresses.count { $0.source == .dialed } == 0)
        await #expect(throws: StoreError.misuse(reason: "a contact has at most 24 addresses")) {
            try await store.addAddress("tcp://more", of: bob, at: noon)
        }
        try await store.noteReached(bob, at: "tcp://more", time: noon)
        #expect(try await store.addresses(of: bob, at: noon) == addresses)
        for wrong in ["", "tcp://a b", "a\u{7F}", String(repeating: "a", count: 1_025)] {
            await #expect(throws: StoreError.misuse(reason: "what is no address")) {
                try await store.addAddress(wrong, of: bob, at: noon)
            }
            #expect(try await !store.setToldRoutes([wrong], of: bob, at: noon))
        }
        await #expect(throws: StoreError.noSuchRecord(what: "peer")) {
            try await store.addAddress("tcp://a", of: PeerID(row: 77), at: noon)
        }
    }

    /// Only who is accepted, and not blocked, may say where they are.
    @Test func whoMayTell() async throws {
        let store = try Store.inMemory()
        let unseen = try await store.meet(try key(1)).id
        #expect(try await !store.setToldRoutes(["tcp://a"], of: unseen, at: noon))
        let bob = try await store.addPeer(2)
        #expect(try await store.setToldRoutes(["tcp://a"], of: bob, at: noon))
        #expect(try await !store.setToldRoutes(["tcp://b"], of: bob, at: noon.plus(hours: 31 * 24)))
        try await store.setBlocked(bob, true)
        #expect(try await !store.setToldRoutes(["tcp://b"], of: bob, at: noon))
        #expect(try await texts(store, bob) == ["tcp://a"])
    }

    @Test func goesWithThePeer() async throws {
        let store = try Store.inMemory()
        let (old, new) = (try await store.addPeer(1), try await store.addPeer(2))
        try await store.addAddress("tcp://a", of: old, at: noon)
        try await store.noteReached(old, at: "tcp://b", time: noon)
        try await store.addAddress("tcp://b", of: new, at: noon)
        let peer = try await store.moveTrust(from: try key(1), to: try key(2), at: noon).id
        let addresses = try await store.addresses(of: peer, at: noon)
        #expect(addresses.map(\.text) == ["tcp://b", "tcp://a"] && addresses.allSatisfy { $0.source == .given })
        #expect(try await store.addresses(of: peer == old ? new : old, at: noon).isEmpty)
        let copy = try await Store.inMemory(knowingPeersOf: store)
        #expect(try await copy.addresses(of: peer, at: noon) == addresses)
        try await store.forget(peer)
        #expect(try await store.addresses(of: peer, at: noon).isEmpty)
        #expect(try await store.read { try $0.tables.contacts.count(in: $0) } == 0)
    }

    @Test func backup() async throws {
        let folder = try Folder()
        let (mine, other) = (try folder.store(), try folder.store("other.db"))
        let secret = { SecretBytes(copying: Array("word".utf8)) }
        let bob = try await mine.addPeer(1)
        try await mine.addAddress("tcp://a", of: bob, at: noon)
        try await mine.setToldRoutes(["tcp://t"], of: bob, at: noon)
        let path = folder.path + "/backup"
        let summary = try await mine.backup(to: path, passphrase: secret(), replacing: false, derivation: cheap)
        #expect(summary == BackupSummary(peers: 1, contacts: 1))
        let same = try await other.addPeer(1)
        try await other.noteReached(same, at: "tcp://a", time: noon)
        try await other.noteReached(same, at: "tcp://b", time: noon.plus(seconds: 1))
        #expect(try await other.merge(backup: path, passphrase: secret()) == BackupSummary())
        let addresses = try await other.addresses(of: same, at: noon)
        #expect(addresses.map(\.text) == ["tcp://b", "tcp://a", "tcp://t"])
        #expect(addresses.map(\.source) == [.dialed, .given, .told] && addresses[1].lastWorked == noon)
    }
}
