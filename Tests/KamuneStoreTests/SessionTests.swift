import Foundation
import Testing

@testable import KamuneStore

@Suite struct SessionTests {
    private func session(_ peer: PeerID, _ identifier: String = "ID", at time: Date = noon) -> NewSession {
        NewSession(
            peer: peer, identifier: identifier, established: time, transport: "tcp", isInitiator: true,
            capabilities: ["kamune/direct-start"])
    }

    private let tokens = (0..<20).map { index in [UInt8](repeating: UInt8(index), count: 32) }

    @Test func roundTrip() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let peer = try await store.addPeer(1)
        let stored = try await store.store(session(peer))
        try await store.rename(stored.id, to: "holiday plans")
        try await store.endSession(stored.id, at: noon.plus(hours: 1), gracefully: false)
        _ = try await store.store(session(peer, "ID2"))
        try await store.close()
        let again = try folder.reopen()
        let read = try #require(try await again.session(identifier: "ID"))
        #expect(read.id == stored.id && read.peer == peer && read.name == "holiday plans" && read.established == noon)
        #expect(read.ended == noon.plus(hours: 1) && read.transport == "tcp" && read.isInitiator)
        #expect(read.capabilities == ["kamune/direct-start"])
        #expect(try await again.sessions().map(\.identifier) == ["ID2", "ID"])
        #expect(try await again.sessions(with: peer, limit: 1).map(\.identifier) == ["ID2"])
        #expect(try await again.session(identifier: "nobody") == nil)
        let other = try await again.addPeer(2)
        await #expect(throws: StoreError.conflict(what: "session")) { try await again.store(session(other)) }
    }

    @Test func tokensWorkOnce() async throws {
        let folder = try Folder()
        var store = try folder.store()
        let peer = try await store.addPeer(1)
        let id = try await store.store(session(peer), tokens: tokens).id
        #expect(try await store.consumeToken(tokens[7], of: id, at: noon))
        #expect(try await !store.consumeToken(tokens[7], of: id, at: noon))
        #expect(try await !store.consumeToken([UInt8](repeating: 99, count: 32), of: id, at: noon))
        #expect(try await !store.consumeToken([], of: id, at: noon))
        #expect(try await store.takeToken(of: id, at: noon) == tokens[0])
        #expect(try await !store.consumeToken(tokens[0], of: id, at: noon))
        try await store.close()
        store = try folder.reopen()
        #expect(try await !store.consumeToken(tokens[7], of: id, at: noon))
        #expect(try await store.takeToken(of: id, at: noon) == tokens[1])
        #expect(try await store.tokenCount(of: id) == 17)
        // Another session's tokens are nothing to this one.
        let other = try await store.store(session(peer, "ID2"), tokens: [tokens[5]]).id
        #expect(try await !store.consumeToken(tokens[6], of: other, at: noon))
        #expect(try await store.consumeToken(tokens[5], of: other, at: noon))
        #expect(try await store.consumeToken(tokens[5], of: id, at: noon))
        // Resumed: the old ones are gone, the new ones count.
        _ = try await store.store(session(peer), tokens: [[1, 2, 3]])
        #expect(try await !store.consumeToken(tokens[9], of: id, at: noon))
        #expect(try await store.consumeToken([1, 2, 3], of: id, at: noon))
        #expect(try await store.takeToken(of: id, at: noon) == nil)
    }

    @Test func tokensOfMany() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let id = try await store.store(session(try await store.addPeer(1)), tokens: tokens).id
        let tokens = tokens
        let wins = try await withThrowingTaskGroup(of: Bool.self) { group in
            for attempt in 0..<200 {
                group.addTask { try await store.consumeToken(tokens[attempt % 10], of: id, at: noon) }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(wins == 10)
        let taken = try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
            for _ in 0..<50 { group.addTask { try await store.takeToken(of: id, at: noon) } }
            return try await group.reduce(into: [[UInt8]]()) { list, token in if let token { list.append(token) } }
        }
        #expect(taken.count == 10 && Set(taken) == Set(tokens[10...]))
    }

    @Test func tokensExpire() async throws {
        let store = try Store.inMemory()
        let peer = try await store.addPeer(1)
        let id = try await store.store(session(peer), tokens: tokens).id
        #expect(try await store.consumeToken(tokens[1], of: id, at: noon.plus(hours: 24)))
        #expect(try await !store.consumeToken(tokens[2], of: id, at: noon.plus(hours: 24.001)))
        #expect(try await store.takeToken(of: id, at: noon.plus(hours: 25)) == nil)
        // The clock was set back by more than clocks go wrong.
        #expect(try await store.takeToken(of: id, at: noon.plus(hours: -1)) == nil)
        #expect(try await store.takeToken(of: id, at: noon.plus(seconds: -60)) != nil)
        let fresh = try await store.store(session(peer, "ID2", at: noon.plus(hours: 20)), tokens: tokens).id
        try await store.removeExpiredTokens(at: noon.plus(hours: 30))
        #expect(try await store.tokenCount(of: id) == 0)
        #expect(try await store.tokenCount(of: fresh) == 20)
        try await store.endSession(fresh, at: noon, gracefully: false)
        #expect(try await store.tokenCount(of: fresh) == 20)
        try await store.endSession(fresh, at: noon, gracefully: true)
        #expect(try await store.tokenCount(of: fresh) == 0)
    }

    @Test func deletion() async throws {
        let store = try Store.inMemory()
        let peer = try await store.addPeer(1)
        let id = try await store.store(session(peer), tokens: tokens).id
        _ = try await store.append(.outgoing(to: peer, body: [65], at: noon, session: id))
        _ = try await store.append(.outgoing(to: peer, body: [66], at: noon))
        try await store.delete(id)
        #expect(try await store.texts(with: peer) == ["B"])
        #expect(try await store.session(id) == nil)
        #expect(try await store.tokenCount(of: id) == 0)
    }

    @Test func settings() async throws {
        let folder = try Folder()
        let store = try folder.store()
        #expect(try await store.setting("a") == nil)
        try await store.setTextSetting("a", to: "first")
        try await store.setTextSetting("a", to: "second")
        try await store.setSetting("b", to: [])
        try await store.close()
        let again = try folder.reopen()
        #expect(try await again.textSetting("a") == "second")
        #expect(try await again.setting("b") == [])
        try await again.setTextSetting("a", to: nil)
        #expect(try await again.textSetting("a") == nil)
    }
}
