import Foundation
import KamuneCrypto
import Testing

@testable import KamuneStore

/// Somebody takes a new identity, for which old ones vouch. Keys are named by numbers.
@Suite struct SuccessionTests {
    private let store: Store
    private let later = noon.plus(hours: 1)

    init() throws {
        store = try Store.inMemory()
    }

    /// How somebody stands who shows a key, and former keys that vouch for it.
    private func standing(
        _ shown: UInt64, after former: [UInt64], name: String = "bob", at time: Date = noon.plus(hours: 1)
    ) async throws -> PeerRecognition.Standing {
        try await store.recognize(
            try key(shown), name: name, formerKeys: try former.map { try key($0) }, at: time
        ).standing
    }

    /// A session with somebody who shows these keys is established.
    @discardableResult
    private func meet(
        _ shown: UInt64, after former: [UInt64], on grounds: AcceptanceGrounds = .policy
    ) async throws -> StoredPeer {
        try await store.meet(try key(shown), after: try former.map { try key($0) }, on: grounds, at: later)
    }

    private func keys(_ peer: StoredPeer) -> [PublicIdentity] { peer.formerKeys.map(\.key) + [peer.key] }

    @Test func trustAndHistoryGoOver() async throws {
        let bob = try await store.addPeer(1)
        try await store.setVerified(bob, at: noon)
        _ = try await store.say("hello", to: bob)
        guard case .known(let known) = try await standing(2, after: [1]) else { throw Unexpected() }
        #expect(known.id == bob)
        #expect(try known.key == key(1), "nothing has moved yet")
        #expect(try await store.recognize(try key(2), name: "x", formerKeys: [try key(1)], at: later).isTrusted)
        let moved = try await meet(2, after: [1])
        #expect(moved.id == bob && moved.isVerified && moved.accepted == noon)
        #expect(try keys(moved) == [key(1), key(2)])
        #expect(try await store.texts(with: bob) == ["hello"])
        #expect(try await store.peers().count == 1)
        // The next time there is nothing to do; without statements it is known, too.
        #expect(try await meet(2, after: [1]) == moved)
        #expect(try await standing(2, after: []) == .known(moved))
        #expect(try await standing(1, after: []) == .retired(moved))
    }

    @Test func overManySteps() async throws {
        let bob = try await store.addPeer(2)
        // The oldest is not known here, and two in between were missed.
        guard case .known = try await standing(5, after: [1, 2, 3, 4]) else { throw Unexpected() }
        let moved = try await meet(5, after: [1, 2, 3, 4])
        #expect(moved.id == bob)
        #expect(try keys(moved) == [key(2), key(3), key(4), key(5)])
        // What was missed is given up all the same.
        #expect(try await standing(3, after: []) == .retired(moved))
        #expect(try await standing(4, after: [1, 2, 3]) == .retired(moved))
    }

    @Test func nameConflicts() async throws {
        let (bob, ada) = (try await store.addPeer(1), try await store.addPeer(9, "ada"))
        let proven = try await store.recognize(try key(2), name: "bob", formerKeys: [try key(1)], at: later)
        #expect(!proven.isNameConflict && proven.nameConflicts.isEmpty)
        let unproven = try await store.recognize(try key(2), name: "bob", at: later)
        #expect(unproven.isNameConflict && unproven.nameConflicts.map(\.id) == [bob])
        let another = try await store.recognize(try key(2), name: "ada", formerKeys: [try key(1)], at: later)
        #expect(another.nameConflicts.map(\.id) == [ada])
    }

    @Test func strangers() async throws {
        _ = try await store.addPeer(1)
        #expect(try await standing(3, after: [2], name: "eve") == .unknown)
        let eve = try await meet(3, after: [2])
        #expect(try !eve.wasAccepted && keys(eve) == [key(3)])
        #expect(try await store.peers().count == 2)
    }

    @Test func blockedStaysBlocked() async throws {
        let bob = try await store.addPeer(1)
        try await store.setBlocked(bob, true)
        guard case .blocked = try await standing(3, after: [1, 2]) else { throw Unexpected() }
        let blocked = try #require(try await store.peer(bob))
        await #expect(throws: StoreError.refused(.blocked(blocked))) { try await meet(3, after: [1, 2]) }
        // Blocked after they had moved on, they are so under all of their keys.
        try await store.setBlocked(bob, false)
        try await meet(3, after: [1, 2])
        try await store.setBlocked(bob, true)
        for shown: UInt64 in [1, 2, 3] {
            guard case .blocked = try await standing(shown, after: []) else { throw Unexpected() }
        }
        guard case .blocked = try await standing(7, after: [2]) else { throw Unexpected() }
        // Also who was let in under the new key before.
        let ada = try await store.addPeer(11)
        try await store.setBlocked(ada, true)
        _ = try await store.addPeer(12)
        guard case .blocked(let known) = try await standing(12, after: [11]) else { throw Unexpected() }
        #expect(known.id == ada)
        await #expect(throws: StoreError.refused(.blocked(known))) { try await meet(12, after: [11]) }
    }

    /// Whoever has stolen an old key can make it vouch for theirs.
    @Test(arguments: [[1], [1, 8], [7, 1], [1, 2, 8], [2]] as [[UInt64]])
    func forks(former: [UInt64]) async throws {
        let bob = try await store.addPeer(1)
        try await meet(3, after: [1, 2])
        let peer = try #require(try await store.peer(bob))
        #expect(try await standing(9, after: former) == .forked(peer))
        // Nobody is let in by it, on whatever grounds, and nothing is kept.
        for grounds in AcceptanceGrounds.allCases {
            await #expect(throws: StoreError.refused(.forked(peer))) { try await meet(9, after: former, on: grounds) }
        }
        #expect(try await store.peers() == [peer])
        // Whom the person accepts in spite of it is known by that key alone.
        let thief = try await store.accept(try key(9), name: "bob", at: later)
        guard case .known(let known) = try await standing(9, after: former) else { throw Unexpected() }
        #expect(known.id == thief.id && known.id != bob)
        try await meet(9, after: former)
        #expect(try await store.peer(bob) == peer)
    }

    /// The person's acceptance is not made anew by it. The session is contact like any other, from which trust runs on.
    @Test func acceptanceDoesNotBecomeFresh() async throws {
        _ = try await store.addPeer(1)
        let term = 30 * 24.0
        let (near, far) = (noon.plus(hours: term), noon.plus(hours: term + 0.5))
        guard case .known = try await standing(2, after: [1], at: near),
            case .expired = try await standing(2, after: [1], at: far)
        else { throw Unexpected() }
        try await meet(2, after: [1])
        guard case .known = try await standing(2, after: [1], at: later.plus(hours: term)),
            case .expired(let expired) = try await standing(2, after: [1], at: later.plus(hours: term + 0.5))
        else { throw Unexpected() }
        #expect(expired.accepted == noon)
        // Who was never accepted is not, whatever they sign.
        let eve = try await store.meet(try key(21), name: "eve")
        guard case .expired = try await standing(22, after: [21]) else { throw Unexpected() }
        let moved = try await meet(22, after: [21])
        #expect(moved.id == eve.id && !moved.wasAccepted)
    }

    @Test func knownUnderBothKeys() async throws {
        let old = try await store.addPeer(1)
        try await store.rename(old, to: "Robert")
        _ = try await store.say("to the old key", to: old)
        // Let in unseen with the new one, then accepted.
        let new = try await store.meet(try key(2))
        _ = try await store.say("to the new key", to: new.id)
        guard case .known(let known) = try await standing(2, after: [1]) else { throw Unexpected() }
        #expect(known.id == old)
        try await store.setVerified(new.id, at: noon.plus(seconds: 60))
        guard case .known(let accepted) = try await standing(2, after: [1]) else { throw Unexpected() }
        #expect(accepted.id == new.id)
        let merged = try await meet(2, after: [1])
        #expect(merged.id == old && merged.ownName == "Robert" && merged.accepted == noon.plus(seconds: 60))
        #expect(merged.verified == noon.plus(seconds: 60))
        #expect(try keys(merged) == [key(1), key(2)])
        #expect(try await store.texts(with: old) == ["to the old key", "to the new key"])
        #expect(try await store.peers().count == 1)
        try await store.verify()
    }

    @Test func knownUnderThreeKeys() async throws {
        let first = try await store.addPeer(1)
        _ = try await store.addPeer(3)
        _ = try await store.addPeer(4)
        for (index, peer) in try await store.peers().sorted(by: { $0.firstSeen < $1.firstSeen }).enumerated() {
            _ = try await store.say("\(index)", to: peer.id)
        }
        let merged = try await meet(4, after: [1, 2, 3])
        #expect(merged.id == first)
        #expect(try keys(merged) == [key(1), key(2), key(3), key(4)])
        #expect(try await store.texts(with: first).count == 3)
        #expect(try await store.peers().count == 1)
        try await store.verify()
    }
}

private struct Unexpected: Error {}
