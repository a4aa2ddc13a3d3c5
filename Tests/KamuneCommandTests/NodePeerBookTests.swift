import Foundation
import Kamune
import KamuneNode
import KamuneStore
import KamuneSystem
import Testing

@testable import KamuneCommand

@Suite("Known peers")
struct NodePeerBookTests {
    private func peer(_ name: String, _ algorithm: IdentityAlgorithm = .ed25519) throws -> Peer {
        Peer(name: name, identity: try Identity.generate(algorithm).publicKey, version: "0.7.0", capabilities: ["a"])
    }

    private func isKnown(_ trust: Trust, as name: String) -> Bool {
        if case .known(let peer) = trust { peer.name == name } else { false }
    }

    @Test("who was accepted is known by the key, whatever name is shown", arguments: IdentityAlgorithm.allCases)
    func remembering(algorithm: IdentityAlgorithm) async throws {
        let store = try Store.inMemory()
        let book = NodePeerBook(node: await store.window)
        let ada = try peer("Ada Lovelace", algorithm)
        #expect(try await book.trust(in: ada.named("Ada")) == .unknown)
        try await accept(ada, in: store)
        #expect(isKnown(try await book.trust(in: ada.named("whatever")), as: "Ada Lovelace"))
        #expect(try await book.trust(in: try peer("Carol").named("Carol")) == .unknown)
        let stored = try #require(try await store.peer(withKey: ada.identity))
        #expect(stored.version == "0.7.0" && stored.capabilities == ["a"])
        try await store.rename(stored.id, to: "Countess")
        #expect(isKnown(try await book.trust(in: ada.named("Ada")), as: "Countess"))
        try await store.setBlocked(stored.id, true)
        guard case .blocked = try await book.trust(in: ada.named("Ada")) else {
            Issue.record("not blocked")
            return
        }
    }

    @Test(
        "a known name with another key is told, however it is written",
        arguments: ["Ada L", "ada l", " ADA  L ", "A\u{200B}da L", "Ada\u{A0}L", "\u{FF21}da L"])
    func changed(name: String) async throws {
        let store = try Store.inMemory()
        let book = NodePeerBook(node: await store.window)
        let ada = try peer("Ada L")
        try await accept(ada, in: store)
        guard case .changed(let known) = try await book.trust(in: try peer("x").named(name)) else {
            Issue.record("not told")
            return
        }
        #expect(known.map(\.identity) == [ada.identity])
    }

    @Test("who was let in unseen is not trusted, takes nobody's name, and is asked about")
    func unseen() async throws {
        let store = try Store.inMemory()
        try await store.setPeerExpiry(.never)
        let book = NodePeerBook(node: await store.window)
        let (eve, ada) = (try peer("Ada"), try peer("Ada"))
        try await meet(eve, store)
        guard case .met = try await book.trust(in: eve.named("Ada")) else {
            Issue.record("not merely met")
            return
        }
        #expect(try await book.trust(in: ada.named("Ada")) == .unknown)
        try await accept(ada, in: store)
        // From now on the name is taken, also for whom we have talked with before.
        guard case .changed = try await book.trust(in: eve.named("Ada")) else {
            Issue.record("not told")
            return
        }
        // A later conversation does not take acceptance away.
        try await meet(ada, store)
        #expect(isKnown(try await book.trust(in: ada.named("Ada")), as: "Ada"))
    }

    @Test("trust expires, and begins anew when the person accepts again")
    func expiry() async throws {
        let store = try Store.inMemory()
        let book = NodePeerBook(node: await store.window)
        let ada = try peer("Ada")
        let long = Date(timeIntervalSinceNow: -31 * 86_400)
        try await store.accept(ada.identity, name: "Ada", at: long)
        guard case .expired(let known) = try await book.trust(in: ada.named("Ada")) else {
            Issue.record("not expired")
            return
        }
        #expect(abs(known.lastTrusted.timeIntervalSince(long)) < 1)
        try await accept(ada, in: store)
        #expect(isKnown(try await book.trust(in: ada.named("Ada")), as: "Ada"))
    }

    @Test("a given-up key is told, with the one that took its place")
    func retired() async throws {
        let store = try Store.inMemory()
        let book = NodePeerBook(node: await store.window)
        let (old, new) = (try peer("Ada"), try peer("Ada", .mldsa65))
        try await accept(old, in: store)
        try await store.moveTrust(from: old.identity, to: new.identity, at: Date())
        guard case .retired(let known) = try await book.trust(in: old.named("Ada")) else {
            Issue.record("not retired")
            return
        }
        #expect(known.identity == new.identity)
        #expect(isKnown(try await book.trust(in: new.named("Ada")), as: "Ada"))
    }

    @Test("a new identity that the old one vouches for is known, and takes its place when the session is established")
    func succession() async throws {
        let store = try Store.inMemory()
        let book = NodePeerBook(node: await store.window)
        let (old, new) = (try peer("Ada"), try peer("Ada", .mldsa65))
        try await accept(old, in: store)
        let rotated = Peer(
            name: "Ada", identity: new.identity, version: "0.7.0", capabilities: ["a"], formerKeys: [old.identity])
        guard case .known(let known) = try await book.trust(in: rotated) else {
            Issue.record("not known")
            return
        }
        #expect(known.identity == old.identity)
        // Without the statement it is somebody else who bears the name.
        guard case .changed = try await book.trust(in: new) else {
            Issue.record("not told")
            return
        }
        // The person's yes comes before the peer has proven to hold the key: it says nothing of the old one.
        try await accept(rotated, in: store)
        #expect(try await store.peer(withKey: old.identity) != nil)
        try await meet(rotated, store)
        #expect(try await store.peers().map(\.key) == [new.identity])
        #expect(isKnown(try await book.trust(in: new), as: "Ada"))
        // Somebody who has stolen the old key makes it vouch for theirs.
        let thief = Peer(
            name: "Ada", identity: try peer("x").identity, version: "0.7.0", capabilities: [],
            formerKeys: [old.identity])
        guard case .forked(let victim) = try await book.trust(in: thief) else {
            Issue.record("not warned")
            return
        }
        #expect(victim.identity == new.identity)
    }

    @Test("who leaves no trace recognises, and moves nothing")
    func incognito() async throws {
        let store = try Store.inMemory()
        let (old, new) = (try peer("Ada"), try peer("Ada"))
        try await accept(old, in: store)
        try await store.setPeerExpiry(.days(3))
        let before = try await store.peers()
        let memory = try await Store.inMemory(knowingPeersOf: store)
        #expect(try await memory.peerTerms().accepted == .days(3))
        let book = NodePeerBook(node: await memory.window)
        let rotated = Peer(
            name: "Ada", identity: new.identity, version: "0.7.0", capabilities: [], formerKeys: [old.identity])
        #expect(isKnown(try await book.trust(in: rotated), as: "Ada"))
        try await meet(rotated, memory)
        // What was learned counts for as long as the program runs.
        guard case .retired = try await book.trust(in: old) else {
            Issue.record("not retired")
            return
        }
        #expect(try await store.peers() == before)
    }

    @Test("endless names are cut, by what they hold and not by how many characters that looks like")
    func limits() async throws {
        let store = try Store.inMemory()
        for text in [String(repeating: "long", count: 10_000), String(repeating: "\u{1100}", count: 20_000)] {
            let long = try peer(text)
            try await accept(long, in: store)
            let name = try #require(try await store.peer(withKey: long.identity)).givenName
            #expect(name.unicodeScalars.count == 256 && text.unicodeScalars.starts(with: name.unicodeScalars))
        }
    }

    /// The person accepts somebody.
    private func accept(_ peer: Peer, in store: Store) async throws {
        try await store.accept(
            peer.identity, name: peer.name, version: peer.version, capabilities: peer.capabilities, at: Date())
    }

    /// A session is established with somebody.
    private func meet(_ peer: Peer, _ store: Store) async throws {
        let announced = SessionAnnouncements(own: [], peer: peer.capabilities)
        let session = EstablishedSessionRecord(
            identifier: UUID().uuidString, identity: peer.identity, transport: "tcp", isInitiator: false, agreed: [],
            announced: announced, tokens: [])
        let introduction = PeerIntroductionRecord(
            key: peer.identity, name: peer.name, version: peer.version, capabilities: peer.capabilities,
            formerKeys: peer.formerKeys)
        _ = try await store.write { try $0.establish(session, with: introduction, on: .policy, at: Date()) }
    }

    // MARK: Naming a peer

    private func list(_ names: [String]) async throws -> (Store, [Peer]) {
        let store = try Store.inMemory()
        let peers = try names.map { try peer($0) }
        for (index, peer) in peers.enumerated() {
            try await store.accept(
                peer.identity, name: peer.name, at: Date(timeIntervalSince1970: 1_000 + Double(index)))
        }
        return (store, peers)
    }

    @Test("a peer is named by name, number, or how a fingerprint begins")
    func selecting() async throws {
        let (store, peers) = try await list(["Ada", "Bob", "  Carol C. "])
        let first = try await PeerList(store)
        try await store.rename(try #require(store.peer(withKey: first.peers[1].key)).id, to: "Robert")
        let list = try await PeerList(store)
        let key = peers[2].identity.fingerprint
        let hex = key.hex.lowercased()
        let cases: [(String, Int)] = [
            ("ada", 0), ("1", 0), ("#1", 0), ("Robert", 1), ("BOB", 1), ("carol c.", 2), ("3", 2), (key.sum, 2),
            (String(key.sum.prefix(8)), 2), (key.hex, 2), (String(hex.dropFirst(36).prefix(17)), 2), (key.base64, 2),
        ]
        for (text, index) in cases {
            #expect(try list.select(text).key == peers[index].identity, "\(text)")
            #expect(list.peers[index].number == index + 1)
        }
        // What begins like every key picks nobody.
        for nobody in ["", "Dora", "0", "4", "#0", "#4", "#", "-1", "302a", "30:2A:30:05", "\u{1B}[2J"] {
            #expect(throws: Failure.self) { try list.select(nobody) }
        }
    }

    @Test("a name that looks like another's number or fingerprint picks nobody, and the number sign settles it")
    func ambiguous() async throws {
        let (_, probe) = try await list(["x"])
        let (store, peers) = try await list(["2", "Bob", "bob", probe[0].name])
        try await store.accept(
            peers[0].identity, name: "2", at: Date(timeIntervalSince1970: 2_000))
        let list = try await PeerList(store)
        for text in ["2", "Bob"] {
            let failure = #expect(throws: Failure.self) { try list.select(text) }
            #expect(failure?.message?.contains("#2 Bob") == true)
        }
        #expect(try list.select("#2").key == peers[1].identity)
        // Eve calls herself what Bob's fingerprint is.
        let sum = peers[1].identity.fingerprint.sum
        try await store.accept(peers[3].identity, name: sum, at: Date())
        await #expect(throws: Failure.self) { try await PeerList(store).select(sum) }
    }
}

extension Peer {
    fileprivate func named(_ name: String) -> Peer {
        Peer(name: name, identity: identity, version: version, capabilities: capabilities, formerKeys: formerKeys)
    }
}
