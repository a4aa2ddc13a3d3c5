import Foundation
import KamuneCrypto
import Testing

@testable import KamuneStore

/// What the store says to a verdict when it takes effect. Keys are named by numbers; whoever has stolen an old one is a
/// thief.
@Suite struct TrustTests {
    private let store: Store
    private let later = noon.plus(hours: 1)

    init() throws {
        store = try Store.inMemory()
    }

    private func standing(_ shown: UInt64, after former: [UInt64] = []) async throws -> PeerRecognition.Standing {
        try await store.recognize(
            try key(shown), name: "bob", formerKeys: try former.map { try key($0) }, at: later
        ).standing
    }

    private func refusal(
        _ shown: UInt64, after former: [UInt64] = [], on grounds: AcceptanceGrounds, at time: Date = noon
    ) async throws -> TrustRefusal? {
        do throws(StoreError) {
            let keys = try StoreError.wrapping { (try key(shown), try former.map { try key($0) }) }
            _ = try await store.tryMeeting(keys.0, after: keys.1, on: grounds, at: time)
            return nil
        } catch {
            guard case .refused(let refusal) = error else { throw error }
            return refusal
        }
    }

    // MARK: Keys that were given up

    /// The verdict was given when the key was good, and takes effect when it is not any more.
    @Test(arguments: AcceptanceGrounds.allCases)
    func givenUpSinceTheVerdict(grounds: AcceptanceGrounds) async throws {
        let bob = try await store.addPeer(1)
        guard case .known = try await standing(1) else { throw Unexpected() }
        let moved = try await store.meet(try key(2), after: [try key(1)], on: .known)
        #expect(moved.id == bob)
        // Two handshakes were held open: neither is let in, and nothing of them is kept.
        for _ in 0..<2 { #expect(try await refusal(1, on: grounds) == .retired(moved)) }
        #expect(try await refusal(9, after: [1], on: grounds) == .forked(moved))
        #expect(try await store.peers() == [moved])
        #expect(try await store.sessions().count == 1)
        #expect(try await standing(1) == .retired(moved))
        try await store.verify()
    }

    /// An earlier version could be brought to make such a record.
    @Test func recordOfAGivenUpKey() async throws {
        let bob = try await store.addPeer(1)
        try await store.setVerified(bob, at: noon)
        _ = try await store.hear("from bob", from: bob)
        let moved = try await store.meet(try key(2), after: [try key(1)], on: .known)
        let thief = PeerID(row: 77)
        let record = StoredPeer(
            id: thief, key: try key(1), givenName: "bob", ownName: nil, version: "", capabilities: [], firstSeen: later,
            lastSeen: later, accepted: .distantFuture, verified: nil, isBlocked: false, formerKeys: [])
        try await store.write { try $0.insert(record) }
        _ = try await store.hear("from a thief", from: thief)
        // The alarms stay on.
        #expect(try await standing(1) == .retired(moved))
        #expect(try await standing(9, after: [1]) == .forked(moved))
        for grounds in AcceptanceGrounds.allCases {
            #expect(try await refusal(1, on: grounds) == .retired(moved))
            #expect(try await refusal(9, after: [1], on: grounds) == .forked(moved))
        }
        // Nor are its words bob's, whatever he shows.
        try await store.meet(try key(2), after: [try key(1)], on: .known)
        try await store.meet(try key(3), after: [try key(1), try key(2)], on: .known)
        #expect(try await store.texts(with: bob) == ["from bob"])
        #expect(try await store.texts(with: thief) == ["from a thief"])
        try await store.verify()
    }

    /// Only a person who was told of it can take a given-up key for good.
    @Test(arguments: [true, false])
    func reinstated(byVerifying: Bool) async throws {
        let bob = try await store.addPeer(1)
        let moved = try await store.meet(try key(2), after: [try key(1)], on: .known)
        await #expect(throws: StoreError.refused(.retired(moved))) {
            try await store.accept(try key(1), name: "bob", at: later)
        }
        let other: PeerID
        if byVerifying {
            other = PeerID(row: 5)
            let record = StoredPeer(
                id: other, key: try key(1), givenName: "bob", ownName: nil, version: "", capabilities: [],
                firstSeen: noon, lastSeen: noon, accepted: StoredPeer.never, verified: nil, isBlocked: false,
                formerKeys: [])
            try await store.write { try $0.insert(record) }
            await #expect(throws: StoreError.refused(.retired(moved))) { try await store.setVerified(other, at: noon) }
            // The clock need not have gone on since.
            try await store.setVerified(other, at: noon, overruling: true)
        } else {
            other = try await store.accept(try key(1), name: "bob", at: noon, overruling: true).id
        }
        guard case .known(let known) = try await standing(1) else { throw Unexpected() }
        #expect(known.id == other && other != bob)
        #expect(try await refusal(1, on: .known) == nil)
        // It stays so, through further acceptances and a restart of the program.
        try await store.accept(try key(1), name: "bob", at: later)
        #expect(try await store.peer(other)?.isReinstated == true)
        // Bob is still who he was, and the two stay two.
        try await store.meet(try key(2), after: [try key(1)], on: .known)
        #expect(try await store.peers().count == 2)
        // The one who was taken for good may move on, and then this key is given up again.
        let third = try await store.meet(try key(3), after: [try key(1)], on: .known)
        #expect(third.id == other && !third.isReinstated)
        guard case .retired = try await standing(1) else { throw Unexpected() }
        try await store.verify()
    }

    // MARK: What the verdict stands on

    @Test func blockedSince() async throws {
        let bob = try await store.addPeer(1)
        try await store.setBlocked(bob, true)
        let blocked = try #require(try await store.peer(bob))
        for grounds in AcceptanceGrounds.allCases {
            #expect(try await refusal(1, on: grounds) == .blocked(blocked))
            #expect(try await refusal(2, after: [1], on: grounds) == .blocked(blocked))
        }
        await #expect(throws: StoreError.refused(.blocked(blocked))) { _ = try await store.addPeer(1) }
        #expect(try await store.peers() == [blocked])
    }

    @Test func expiredSince() async throws {
        let bob = try await store.addPeer(1)
        let term = 30 * 24.0
        let expired = try #require(try await store.peer(bob))
        let late = noon.plus(hours: term).plus(seconds: 1)
        #expect(try await refusal(1, on: .known, at: late) == .expired(expired))
        #expect(try await refusal(2, after: [1], on: .known, at: late) == .expired(expired))
        #expect(try await refusal(1, on: .policy, at: late) == nil)
        #expect(try await refusal(1, on: .known, at: late) != nil, "a policy makes nobody known again")
        #expect(try await refusal(1, on: .known, at: noon.plus(hours: term)) == nil)
        #expect(try await refusal(1, on: .known, at: noon.plus(hours: 2 * term)) == nil)
        #expect(try await store.peer(bob)?.accepted == noon)
        #expect(try await refusal(1, on: .person, at: noon.plus(hours: 4 * term)) == nil)
        #expect(try await store.peer(bob)?.accepted == noon.plus(hours: 4 * term))
    }

    @Test func forgottenSince() async throws {
        let bob = try await store.addPeer(1)
        try await store.forget(bob)
        #expect(try await refusal(1, on: .known) == .unknown)
        #expect(try await store.peers().isEmpty)
        #expect(try await refusal(1, on: .policy) == nil)
        let met = try #require(try await store.peers().first)
        #expect(!met.wasAccepted)
        // Who was only met is not known either.
        #expect(try await refusal(1, on: .known) == .expired(met))
        #expect(try await refusal(1, on: .person) == nil)
        #expect(try await store.peer(met.id)?.accepted == noon)
    }

    /// All of it, or nothing.
    @Test func failsWhole() async throws {
        _ = try await store.addPeer(1)
        let other = try await store.keep(try key(5), identifier: "S", tokens: [[1]])
        let before = try await store.peers()
        await #expect(throws: StoreError.conflict(what: "session")) {
            try await store.keep(try key(2), after: [try key(1)], on: .known, identifier: "S", tokens: [[2]])
        }
        #expect(Set(try await store.peers().map(\.key)) == Set(before.map(\.key)))
        #expect(try await store.takeToken(of: other.session.id, at: noon) == [1])
        try await store.verify()
    }

    @Test func absorbed() async throws {
        let first = try await store.addPeer(1)
        let second = try await store.addPeer(2)
        let kept = try await store.keep(try key(3), after: [try key(1), try key(2)], on: .known)
        #expect(kept.peer.id == first && kept.session.peer == first && kept.absorbed == [second])
        #expect(try await store.keep(try key(3), on: .known).absorbed.isEmpty)
    }

    // MARK: Reaching

    @Test func presentKeys() async throws {
        _ = try await store.addPeer(1)
        try await store.meet(try key(3), after: [try key(1), try key(2)], on: .known)
        let present = try await store.read { transaction in
            try [1, 2, 3, 4].map { try transaction.presentKey(of: key($0)) }
        }
        #expect(try present == [key(3), key(3), key(3), key(4)])
    }
}

/// The right to resume.
@Suite struct ResumptionRightTests {
    private let store: Store
    private let both = SessionAnnouncements(own: ["a", "b"], peer: ["b", "c"])

    init() async throws {
        store = try Store.inMemory()
        _ = try await store.addPeer(1)
    }

    private func keep(
        isInitiator: Bool = true, at time: Date = noon, announced: SessionAnnouncements? = nil
    ) async throws -> KeptSession {
        try await store.keep(
            try key(1), on: .known, at: time, identifier: "S", isInitiator: isInitiator, announced: announced ?? both,
            tokens: [[1], [2], [3]])
    }

    private func take(
        as own: UInt64 = 0, of peer: UInt64 = 1, announcing names: [String] = ["a", "b"], at time: Date = noon
    ) async throws -> ResumptionRight? {
        try await store.write {
            try $0.takeResumption(with: key(peer), as: key(own), announcing: names, at: time)
        }
    }

    private func grant(
        _ token: [UInt8] = [2], signedBy signer: UInt64 = 1, announcing names: [String] = ["a", "b"],
        at time: Date = noon
    ) async throws -> ResumptionRight? {
        try await store.write {
            try $0.grantResumption(
                of: "S", by: token, signedBy: key(signer), as: key(0), announcing: names, at: time)
        }
    }

    private func tokens() async throws -> Int {
        try await store.tokenCount(of: try #require(try await store.session(identifier: "S")).id)
    }

    @Test func initiator() async throws {
        try await store.setPeerExpiry(.after(seconds: 3_600))
        let kept = try await keep()
        // Each of these would resume what must not be, and spends nothing.
        #expect(try await take(as: 9) == nil)
        #expect(try await take(of: 9) == nil)
        #expect(try await take(announcing: ["a"]) == nil)
        #expect(try await take(announcing: []) == nil)
        #expect(try await take(at: noon.plus(hours: 1.1)) == nil)
        #expect(try await grant() == nil)
        try await store.setBlocked(kept.peer.id, true)
        #expect(try await take() == nil)
        try await store.setBlocked(kept.peer.id, false)
        #expect(try await tokens() == 3)
        let right = try #require(try await take(announcing: ["a", "b", "new"]))
        #expect(right.token == [1] && right.peer.id == kept.peer.id)
        // What the peer announced is told as it was, what nobody here knows included.
        #expect(right.peerAnnounced == ["b", "c"])
        #expect(try await tokens() == 2)
    }

    @Test func responder() async throws {
        try await store.setPeerExpiry(.after(seconds: 3_600))
        let kept = try await keep(isInitiator: false)
        #expect(try await grant(signedBy: 9) == nil)
        #expect(try await grant(announcing: ["a"]) == nil)
        #expect(try await grant([9]) == nil)
        #expect(try await grant(at: noon.plus(hours: 1.1)) == nil)
        #expect(try await take() == nil)
        try await store.setBlocked(kept.peer.id, true)
        #expect(try await grant() == nil)
        try await store.setBlocked(kept.peer.id, false)
        #expect(try await tokens() == 3)
        #expect(try #require(try await grant()).peerAnnounced == ["b", "c"])
        #expect(try await grant() == nil, "a token works once")
    }

    /// Who was never accepted is met by an introduction each time, so that the verifier is asked.
    @Test(arguments: [true, false])
    func neverAccepted(isInitiator: Bool) async throws {
        _ = try await store.keep(
            try key(5), identifier: "S", isInitiator: isInitiator, announced: both, tokens: [[1], [2], [3]])
        #expect(try await take(of: 5) == nil)
        #expect(try await grant(signedBy: 5) == nil)
        #expect(try await tokens() == 3)
    }

    /// The old key's session went over with its peer, and is not for whoever has the old key.
    @Test func givenUp() async throws {
        _ = try await keep(isInitiator: false)
        try await store.meet(try key(2), after: [try key(1)], on: .known)
        #expect(try await grant(signedBy: 1) == nil)
        #expect(try await tokens() == 3)
    }

    /// A peer that announces something of which we know nothing announces something.
    @Test func unknownNames() async throws {
        _ = try await keep(announced: SessionAnnouncements(own: ["a"], peer: ["x"]))
        #expect(try #require(try await take(announcing: ["a"])).peerAnnounced == ["x"])
        // Of who has begun or ceased to announce anything the peer would think that somebody sits in between.
        #expect(try await take(announcing: []) == nil)
        _ = try await keep(announced: SessionAnnouncements(own: [], peer: []))
        #expect(try await take(announcing: ["a"]) == nil)
        #expect(try #require(try await take(announcing: [])).peerAnnounced == [])
    }

    /// The 24 hours go on from the first handshake.
    @Test func window() async throws {
        try await store.setPeerExpiry(.never)
        let kept = try await keep()
        var time = noon
        for _ in 0..<4 {
            time = time.plus(hours: 5.9)
            #expect(try await take(at: time) != nil)
            let renewed = try await store.write { [time] in
                try $0.renew(kept.session.id, with: key(1), transport: "udp", tokens: [[4], [5]], at: time)
            }
            #expect(renewed.session.established == noon && renewed.session.renewed == time)
            #expect(renewed.session.transport == "udp" && renewed.session.ended == nil)
            #expect(renewed.session == (try await store.session(kept.session.id)))
            #expect(renewed.peer.lastSeen == time && renewed.peer.accepted == noon)
        }
        #expect(try await take(at: noon.plus(hours: 24)) != nil)
        #expect(try await take(at: noon.plus(hours: 24.001)) == nil)
        // How the session before ended is not what becomes of this one.
        try await store.endSession(kept.session.id, at: time, gracefully: true, ifRenewed: noon)
        #expect(try await tokens() == 1)
        try await store.endSession(kept.session.id, at: time, gracefully: true, ifRenewed: time)
        #expect(try await tokens() == 0)
    }

    /// Between the grant and the end of the handshake, much can happen.
    @Test func judgedAgain() async throws {
        let kept = try await keep()
        let store = store
        func renew() async throws {
            _ = try await store.write {
                try $0.renew(kept.session.id, with: key(1), transport: "tcp", tokens: [[9]], at: noon)
            }
        }
        try await store.setBlocked(kept.peer.id, true)
        let blocked = try #require(try await store.peer(kept.peer.id))
        await #expect(throws: StoreError.refused(.blocked(blocked))) { try await renew() }
        try await store.setBlocked(kept.peer.id, false)
        let moved = try await store.meet(try key(2), after: [try key(1)], on: .known)
        await #expect(throws: StoreError.refused(.retired(moved))) { try await renew() }
        #expect(try await tokens() == 3)
        try await store.forget(kept.peer.id)
        await #expect(throws: StoreError.noSuchRecord(what: "session")) { try await renew() }
    }

    /// Of a session that an earlier version has kept, it is known what both had announced.
    @Test func earlierVersion() async throws {
        let bob = try #require(try await store.peer(withKey: try key(1))).id
        let me = try await store.add(try identity(0), name: "me", at: noon).id
        for agreed in [["a", "b"], []] {
            _ = try await store.store(
                NewSession(
                    peer: bob, identifier: "S", established: noon, transport: "tcp", isInitiator: true, identity: me,
                    capabilities: agreed),
                tokens: [[1]])
            #expect(try await take()?.peerAnnounced == (agreed.isEmpty ? nil : agreed))
        }
    }
}

private struct Unexpected: Error {}

extension Store {
    /// As ``meet(_:name:version:after:on:at:)``, with the store's errors alone.
    fileprivate func tryMeeting(
        _ key: PublicIdentity, after formerKeys: [PublicIdentity], on grounds: AcceptanceGrounds, at time: Date
    ) async throws(StoreError) -> StoredPeer {
        do {
            return try await meet(key, after: formerKeys, on: grounds, at: time)
        } catch {
            throw StoreError(error)
        }
    }
}
