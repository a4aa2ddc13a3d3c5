import Foundation
import KamuneCrypto
import Testing

@testable import KamuneStore

@Suite struct PeerTests {
    @Test func roundTrip() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let peer = try await store.accept(
            try key(1, .mldsa65), name: "bob", version: "0.7.0", capabilities: ["a", "b"], at: noon)
        try await store.rename(peer.id, to: "Bob from work")
        try await store.setVerified(peer.id, at: noon.plus(hours: 1))
        try await store.setBlocked(peer.id, true)
        try await store.setLastSeen(peer.id, at: noon.plus(hours: 2))
        try await store.setLastSeen(peer.id, at: noon)
        try await store.close()
        let again = try folder.reopen()
        let read = try #require(try await again.peer(peer.id))
        #expect(try read.key == key(1, .mldsa65))
        #expect(read.key.algorithm == .mldsa65)
        #expect(read.givenName == "bob" && read.ownName == "Bob from work" && read.displayName == "Bob from work")
        #expect(read.version == "0.7.0" && read.capabilities == ["a", "b"])
        #expect(read.firstSeen == noon && read.accepted == noon.plus(hours: 1) && read.lastSeen == noon.plus(hours: 2))
        #expect(read.verified == noon.plus(hours: 1) && read.isVerified && read.isBlocked)
        #expect(try await again.peer(withKey: try key(1, .mldsa65)) == read)
        #expect(try await again.peer(withKey: try key(2)) == nil)
        #expect(try await again.peers() == [read])
        #expect(try await again.peers(named: " BOB ").map(\.id) == [peer.id])
        #expect(try await again.peers(named: "bob  from Work").map(\.id) == [peer.id])
        #expect(try await again.peers(named: "").isEmpty)
    }

    @Test func acceptedAgain() async throws {
        let store = try Store.inMemory()
        let id = try await store.addPeer(1)
        try await store.rename(id, to: "mine")
        try await store.setVerified(id, at: noon)
        let later = noon.plus(hours: 24 * 30)
        let met = try await store.meet(try key(1), name: "robert", version: "0.8.0", at: later)
        #expect(met.id == id && met.accepted == noon && met.lastSeen == later && met.givenName == "robert")
        let renewed = try await store.accept(try key(1), name: "robert", at: later)
        #expect(
            renewed.accepted == later && renewed.firstSeen == noon && renewed.ownName == "mine" && renewed.isVerified)
        #expect(try await store.peers().count == 1)
    }

    @Test func expiry() async throws {
        let store = try Store.inMemory()
        _ = try await store.addPeer(1)
        func standing(_ hours: Double) async throws -> PeerRecognition {
            try await store.recognize(try key(1), name: "bob", at: noon.plus(hours: hours))
        }
        #expect(try await store.peerTerms().accepted == .days(30))
        #expect(try await standing(30 * 24).isTrusted)
        let expired = try await standing(30 * 24 + 0.01)
        guard case .expired(let peer) = expired.standing else { throw StoreError.misuse(reason: "\(expired)") }
        #expect(try peer.key == key(1))
        #expect(!expired.isTrusted && !expired.isNameConflict)
        try await store.setPeerExpiry(.after(seconds: 3_600))
        #expect(try await store.peerTerms().accepted == .after(seconds: 3_600))
        #expect(try await standing(1).isTrusted)
        #expect(try await !standing(1.01).isTrusted)
        try await store.setPeerExpiry(.never)
        #expect(try await standing(1_000_000).isTrusted)
        _ = try await store.accept(try key(1), name: "bob", at: noon.plus(hours: 1_000))
        try await store.setPeerExpiry(.standard)
        #expect(try await standing(1_001).isTrusted)
    }

    /// Trust counts from the last contact, so it does not run out while two talk; who was let in unseen after it had run out
    /// is not trusted again by that.
    @Test func contact() async throws {
        let store = try Store.inMemory()
        let day = 24.0
        func isTrusted(_ days: Double) async throws -> Bool {
            try await store.recognize(try key(1), name: "bob", at: noon.plus(hours: days * day)).isTrusted
        }
        try await store.meet(try key(1), on: .person)
        for days in [20.0, 40, 60] { try await store.meet(try key(1), on: .known, at: noon.plus(hours: days * day)) }
        #expect(try await isTrusted(90))
        #expect(try await !isTrusted(90.1))
        // What a policy lets in while trust holds is contact like any other.
        try await store.meet(try key(1), on: .policy, at: noon.plus(hours: 80 * day))
        #expect(try await isTrusted(110))
        try await store.meet(try key(1), on: .policy, at: noon.plus(hours: 120 * day))
        #expect(try await !isTrusted(120))
        // A session that goes on for long is contact until its end.
        let kept = try await store.keep(try key(1), on: .person, at: noon.plus(hours: 130 * day))
        try await store.endSession(kept.session.id, at: noon.plus(hours: 190 * day), gracefully: true)
        #expect(try await isTrusted(220))
        #expect(try await !isTrusted(220.1))
    }

    @Test func verifiedPeersAreTrustedForEver() async throws {
        let store = try Store.inMemory()
        let bob = try await store.addPeer(1)
        func isTrusted(_ hours: Double) async throws -> Bool {
            try await store.recognize(try key(1), name: "bob", at: noon.plus(hours: hours)).isTrusted
        }
        try await store.setVerified(bob, at: noon)
        #expect(try await isTrusted(1_000_000))
        var terms = PeerTerms()
        terms.verified = .days(2)
        terms.accepted = .days(1)
        try await store.setPeerTerms(terms)
        #expect(try await store.peerTerms() == terms)
        #expect(try await isTrusted(48))
        #expect(try await !isTrusted(48.1))
        try await store.setVerified(bob, at: nil)
        #expect(try await !isTrusted(47))
    }

    @Test func nameConflicts() async throws {
        let store = try Store.inMemory()
        let (first, second) = (try await store.addPeer(1, "bob"), try await store.addPeer(2, "Bob"))
        // Two may bear one name.
        #expect(try await store.peers(named: "bob").count == 2)
        let known = try await store.recognize(try key(1), name: "bob", at: noon)
        #expect(known.isTrusted && known.nameConflicts.map(\.id) == [second] && !known.isNameConflict)
        let stranger = try await store.recognize(try key(3), name: " BOB", at: noon)
        #expect(stranger.standing == .unknown && stranger.isNameConflict && !stranger.isTrusted)
        #expect(Set(stranger.nameConflicts.map(\.id)) == [first, second])
        #expect(Set(stranger.nameConflicts.map(\.key)) == [try key(1), try key(2)])
        // The person's own names count too, and look-alikes by compatibility.
        try await store.rename(first, to: "Fritz")
        #expect(try await store.recognize(try key(3), name: "ＦＲＩＴＺ", at: noon).nameConflicts.map(\.id) == [first])
        let other = try await store.recognize(try key(3), name: "carol", at: noon)
        #expect(other.standing == .unknown && !other.isNameConflict)
        #expect(try await !store.recognize(try key(3), name: "", at: noon).isNameConflict)
        try await store.setBlocked(first, true)
        guard case .blocked = try await store.recognize(try key(1), name: "x", at: noon).standing else {
            throw StoreError.misuse(reason: "not blocked")
        }
    }

    @Test func moveTrust() async throws {
        let store = try Store.inMemory()
        let id = try await store.addPeer(1)
        try await store.setVerified(id, at: noon)
        _ = try await store.say("hello", to: id)
        let later = noon.plus(hours: 3)
        let moved = try await store.moveTrust(from: try key(1), to: try key(2, .mldsa65), at: later)
        #expect(moved.id == id && moved.isVerified)
        #expect(try moved.key == key(2, .mldsa65))
        #expect(moved.formerKeys == [.init(key: try key(1), until: later)])
        #expect(try await store.recognize(try key(2, .mldsa65), name: "bob", at: later).isTrusted)
        guard case .retired(let peer) = try await store.recognize(try key(1), name: "bob", at: later).standing else {
            throw StoreError.misuse(reason: "not retired")
        }
        #expect(peer.id == id)
        #expect(try await store.peer(withKey: try key(1)) == nil)
        #expect(try await store.texts(with: id) == ["hello"])
        // And again, over two steps.
        let third = try await store.moveTrust(from: try key(2, .mldsa65), to: try key(3), at: later)
        #expect(third.formerKeys.map(\.key) == [try key(1), try key(2, .mldsa65)])
        await #expect(throws: StoreError.refused(.forked(third))) {
            try await store.moveTrust(from: try key(1), to: try key(4), at: later)
        }
        await #expect(throws: StoreError.noSuchRecord(what: "peer")) {
            try await store.moveTrust(from: try key(5), to: try key(4), at: later)
        }
        await #expect(throws: StoreError.misuse(reason: "a key cannot succeed itself")) {
            try await store.moveTrust(from: try key(3), to: try key(3), at: later)
        }
    }

    @Test func unseen() async throws {
        let store = try Store.inMemory()
        try await store.setPeerExpiry(.never)
        let eve = try await store.meet(try key(1), name: "Ada")
        #expect(!eve.wasAccepted && eve.firstSeen == noon)
        // Nobody has accepted the key, so it is not trusted, however long trust lasts; nor is the name taken.
        #expect(try await store.recognize(try key(1), name: "Ada", at: noon).standing == .expired(eve))
        #expect(try await store.recognize(try key(2), name: "Ada", at: noon).nameConflicts.isEmpty)
        // Comparing fingerprints accepts.
        try await store.setVerified(eve.id, at: noon)
        #expect(try await store.recognize(try key(1), name: "Ada", at: noon).isTrusted)
        #expect(try await store.recognize(try key(2), name: "A\u{200B}DA", at: noon).isNameConflict)
        try await store.setVerified(eve.id, at: nil)
        #expect(try await store.recognize(try key(1), name: "Ada", at: noon).isTrusted)
    }

    @Test func moveTrustToAPeerWhoIsThere() async throws {
        let store = try Store.inMemory()
        let (old, new) = (try await store.addPeer(1), try await store.addPeer(2, "bob again"))
        let bystander = try await store.addPeer(3)
        let doubled = MessageID(stream: 5, number: 5)
        _ = try await store.hear("one", from: old, id: doubled)
        _ = try await store.hear("other", from: bystander)
        _ = try await store.hear("two", from: new)
        _ = try await store.hear("one", from: new, id: doubled)
        _ = try await store.say("three", to: old)
        let session = try await store.store(
            NewSession(peer: new, identifier: "S", established: noon, transport: "tcp", isInitiator: false),
            tokens: [[1]])
        try await store.setBlocked(new, true)
        let merged = try await store.moveTrust(from: try key(1), to: try key(2), at: noon)
        #expect(merged.id == old && merged.givenName == "bob again" && merged.isBlocked)
        #expect(try await store.peers().count == 2)
        #expect(try await store.texts(with: old) == ["one", "two", "three"])
        #expect(try await store.texts(with: bystander) == ["other"])
        #expect(try await store.session(session.id)?.peer == old)
        #expect(try await store.hear("again", from: old, id: doubled).text == "one")
        #expect(try await store.consumeToken([1], of: session.id, at: noon))
        try await store.verify()
    }

    @Test func forget() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let (bob, eve) = (try await store.addPeer(1), try await store.addPeer(2))
        for index in 0..<50 {
            _ = try await store.say("to bob \(index)", to: bob)
            _ = try await store.say("to eve \(index)", to: eve)
        }
        let session = try await store.store(
            NewSession(peer: bob, identifier: "S", established: noon, transport: "tcp", isInitiator: false),
            tokens: [[1]])
        try await store.forget(bob)
        #expect(try await store.peers().map(\.id) == [eve])
        #expect(try await store.messageCount() == 50)
        #expect(try await store.messageCount(with: bob) == 0)
        #expect(try await store.sessions().isEmpty)
        #expect(try await store.tokenCount(of: session.id) == 0)
        #expect(try await store.recognize(try key(1), name: "x", at: noon).standing == .unknown)
        await #expect(throws: StoreError.noSuchRecord(what: "peer")) { try await store.forget(bob) }
        await #expect(throws: StoreError.noSuchRecord(what: "peer")) { _ = try await store.say("x", to: bob) }
        try await store.verify()
    }
}

@Suite struct IdentityTests {
    @Test func rotation() async throws {
        let folder = try Folder()
        let store = try folder.store()
        #expect(try await store.currentIdentity() == nil)
        let (old, new) = (try identity(1), try identity(2, .mldsa65))
        let first = try await store.add(old, name: "ada", at: noon)
        await #expect(throws: StoreError.conflict(what: "identity")) { try await store.add(old, name: "x", at: noon) }
        let second = try await store.add(new, name: "ada", at: noon.plus(hours: 1), statement: [1, 2, 3])
        try await store.rename(second.id, to: "Ada L.")
        await #expect(throws: StoreError.misuse(reason: "the identity is in use")) {
            try await store.erasePrivateKey(of: second.id)
        }
        let seed = old.withSeed { Array($0) }
        #expect(seed.count == 32)
        try await store.erasePrivateKey(of: first.id)
        try await store.close()
        let again = try folder.reopen()
        let all = try await again.identities()
        #expect(all.map(\.id) == [first.id, second.id])
        #expect(all[0].privateKey == nil && all[0].publicKey == old.publicKey && all[0].retired == noon.plus(hours: 1))
        #expect(!all[0].isCurrent && all[0].statement == nil)
        let current = try #require(try await again.currentIdentity())
        #expect(current.id == second.id && current.name == "Ada L." && current.statement == [1, 2, 3])
        #expect(current.privateKey?.publicKey == new.publicKey && current.retired == nil)
        #expect(try #require(current.privateKey).withSeed { Array($0) } == new.withSeed { Array($0) })
    }
}

/// What a program needs to be known again the next time that it runs.
@Suite struct ReturningTests {
    @Test("a store is made where there is none, and opened where there is one, with the identity that it has")
    func openedAgain() async throws {
        let folder = try Folder()
        let store = try await Store.openOrCreate(at: folder.location(), credential: .unprotected)
        let first = try await store.identity(orNew: .mldsa65, name: "Ada")
        #expect(first.publicKey.algorithm == .mldsa65)
        let own = try #require(try await store.currentIdentity())
        #expect(own.publicKey == first.publicKey && own.name == "Ada")
        try await store.close()
        let again = try await Store.openOrCreate(at: folder.location(), credential: .unprotected)
        #expect(try await again.identity(name: "Eve").publicKey == first.publicKey)
        #expect(try await again.identities().map(\.name) == ["Ada"])
    }

    @Test("whoever asks at the same time gets the same identity")
    func asAsked() async throws {
        let store = try Store.inMemory()
        let keys = try await withThrowingTaskGroup(of: PublicIdentity.self) { group in
            for _ in 0..<20 { group.addTask { try await store.identity(name: "Ada").publicKey } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(keys.count == 1)
        #expect(try await store.identities().map(\.publicKey) == Array(keys))
    }
}

@Suite("Names, compared")
struct PeerNameTests {
    @Test(
        "what people take for the same is the same",
        arguments: [
            ("Ada", "ADA"), ("Ada", " ada\u{a0}"), ("Ada  Lovelace", "ada lovelace"), ("Ada", "A\u{200b}d\u{ad}a"),
            ("Ａｄａ", "ada"), ("Zoe\u{308}", "ZOË"), ("Ada", "Ada\u{e0fff}"), ("ﬁona", "Fiona"),
        ])
    func same(left: String, right: String) {
        #expect(PeerName(left) == PeerName(right))
        #expect(PeerName(left).folded.utf8.elementsEqual(PeerName(right).folded.utf8))
    }

    @Test(
        "characters that not every system knows count as they stand, so that a system's update changes no name",
        arguments: [
            // Garay's letters have cases since Unicode 16.0; the others are not assigned in 17.0.
            ("\u{10d50}", "\u{10d70}"), ("\u{e01f}", "\u{e01e}"), ("\u{1e1ff}", "\u{1e1fe}"),
        ])
    func unknown(left: String, right: String) {
        #expect(PeerName(left) != PeerName(right))
        #expect(PeerName("A" + left + "B").folded == "a" + left + "b")
    }
}
