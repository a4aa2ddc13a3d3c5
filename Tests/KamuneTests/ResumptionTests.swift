import Foundation
import KamuneStore
import KamuneTransport
import Testing

@testable import Kamune

@Suite("Sessions that are resumed from the store")
struct ResumptionTests {
    /// Two endpoints with stores of their own, who accept each other.
    private struct Two {
        let ada: Endpoint
        let bob: Endpoint
        let adaStore: Store
        let bobStore: Store

        init(_ algorithm: IdentityAlgorithm = .ed25519) async throws {
            adaStore = try Store.inMemory()
            bobStore = try Store.inMemory()
            ada = try await Self.endpoint("Ada", adaStore, algorithm)
            bob = try await Self.endpoint("Bob", bobStore, algorithm)
        }

        static func endpoint(_ name: String, _ store: Store, _ algorithm: IdentityAlgorithm) async throws -> Endpoint {
            let identity = try Identity.generate(algorithm)
            _ = try await store.add(identity, name: name, at: Date())
            var configuration = Configuration()
            configuration.handshakeTimeout = .seconds(240)
            return Endpoint(
                identity: identity, name: name, verifier: .anyone, store: store, configuration: configuration)
        }

        /// A session over memory; resumed, if that is wanted and works.
        func connect(resuming: Bool = false) async throws -> SessionPair {
            let (near, far) = MemoryTransport.pair()
            async let accepted = bob.respond(over: far)
            let dialed = try await ada.initiate(
                over: near, expecting: resuming ? bob.identity.publicKey : nil, isResuming: resuming)
            return SessionPair(initiator: dialed, responder: try await accepted)
        }

        /// A first session, each side's acceptance of the other, and the end of it without a goodbye.
        func meetAndLose() async throws -> String {
            let pair = try await connect()
            _ = try await adaStore.accept(bob.identity.publicKey, name: "Bob", at: Date())
            _ = try await bobStore.accept(ada.identity.publicKey, name: "Ada", at: Date())
            await lose(pair)
            return pair.initiator.id
        }

        func lose(_ pair: SessionPair) async {
            pair.initiator.abandon()
            pair.responder.abandon()
            _ = await pair.initiator.waitUntilEnded()
            _ = await pair.responder.waitUntilEnded()
        }

        func adaTokens(_ id: String) async throws -> Int {
            guard let session = try await adaStore.session(identifier: id) else { return 0 }
            return try await adaStore.tokenCount(of: session.id)
        }

        func bobTokens(_ id: String) async throws -> Int {
            guard let session = try await bobStore.session(identifier: id) else { return 0 }
            return try await bobStore.tokenCount(of: session.id)
        }

        /// The error with which the responder refuses.
        func refusal() async throws -> KamuneError? {
            let (near, far) = MemoryTransport.pair()
            let bob = bob
            async let refused = error { () async throws(KamuneError) in try await bob.respond(over: far) }
            let dialed = await error { () async throws(KamuneError) in
                try await ada.initiate(over: near, expecting: bob.identity.publicKey, isResuming: true)
            }
            #expect(dialed != nil)
            return await refused
        }
    }

    @Test(
        "a lost session is resumed, both ways, again and again, with fresh tokens",
        arguments: IdentityAlgorithm.allCases)
    func resumes(_ algorithm: IdentityAlgorithm) async throws {
        let two = try await Two(algorithm)
        let id = try await two.meetAndLose()
        for _ in 0..<3 {
            #expect(try await two.adaTokens(id) == 20)
            #expect(try await two.bobTokens(id) == 20)
            let pair = try await two.connect(resuming: true)
            #expect(pair.initiator.isResumed && pair.responder.isResumed)
            #expect(pair.initiator.id == id && pair.responder.id == id)
            #expect(pair.initiator.peer.name == "Bob" && pair.responder.peer.name == "Ada")
            try await pair.initiator.send("ping")
            try await pair.responder.send("pong")
            var (near, far) = (pair.initiator.messages.makeAsyncIterator(), pair.responder.messages.makeAsyncIterator())
            #expect(try await near.next()?.text == "pong")
            #expect(try await far.next()?.text == "ping")
            await two.lose(pair)
        }
    }

    @Test("after a goodbye of either side nothing can be resumed", arguments: [true, false])
    func graceful(byInitiator: Bool) async throws {
        let two = try await Two()
        let pair = try await two.connect()
        await (byInitiator ? pair.initiator : pair.responder).close()
        _ = await pair.initiator.waitUntilEnded()
        _ = await pair.responder.waitUntilEnded()
        #expect(try await two.adaTokens(pair.initiator.id) == 0)
        #expect(try await two.bobTokens(pair.initiator.id) == 0)
    }

    @Test("a token works once: it is spent by the attempt, whatever comes of it")
    func singleUse() async throws {
        let two = try await Two()
        let id = try await two.meetAndLose()
        let session = try #require(try await two.bobStore.session(identifier: id))
        // As if every one of them had been used before.
        try await two.bobStore.removeTokens(of: session.id)
        #expect(try await two.refusal()?.code == .resumptionRefused)
        #expect(try await two.adaTokens(id) == 19)
    }

    @Test(
        "whom the responder has blocked, forgotten, or let expire is not resumed with",
        arguments: ["blocked", "forgotten", "expired"])
    func unwelcome(_ how: String) async throws {
        let two = try await Two()
        _ = try await two.meetAndLose()
        let ada = try #require(try await two.bobStore.peer(withKey: two.ada.identity.publicKey))
        switch how {
        case "blocked": try await two.bobStore.setBlocked(ada.id, true)
        case "forgotten": try await two.bobStore.forget(ada.id)
        default:
            try await two.bobStore.setPeerExpiry(.after(seconds: 0))
            _ = try await two.bobStore.accept(ada.key, name: "Ada", at: Date(timeIntervalSinceNow: -10))
        }
        #expect(try await two.refusal()?.code == .resumptionRefused)
    }

    @Test("a session that is older than a day is not resumed")
    func old() async throws {
        let two = try await Two()
        let id = try await two.meetAndLose()
        let session = try #require(try await two.bobStore.session(identifier: id))
        _ = try await two.bobStore.store(
            NewSession(
                peer: session.peer, identifier: id, established: Date(timeIntervalSinceNow: -25 * 3_600),
                transport: session.transport, isInitiator: false, identity: session.identity,
                capabilities: session.capabilities),
            tokens: [[UInt8]](repeating: [UInt8](repeating: 1, count: 32), count: 1))
        #expect(try await two.refusal()?.code == .resumptionRefused)
    }

    @Test("when resuming fails, the two introduce themselves anew, and the known key is demanded")
    func fallsBack() async throws {
        let two = try await Two()
        let id = try await two.meetAndLose()
        let session = try #require(try await two.bobStore.session(identifier: id))
        try await two.bobStore.removeTokens(of: session.id)
        let listener = try await two.bob.listen(on: "127.0.0.1:0")
        async let accepted = SessionPair.first(of: listener)
        let dialed = try await two.ada.dial(listener.address, expecting: two.bob.identity.publicKey)
        let answered = try #require(try await accepted)
        #expect(!dialed.isResumed && !answered.isResumed)
        #expect(dialed.id != id)
        await SessionPair(initiator: dialed, responder: answered).close()
        await listener.close()
    }

    @Test("somebody else at the known address is refused")
    func impostor() async throws {
        let two = try await Two()
        _ = try await two.meetAndLose()
        let mallory = try await Two.endpoint("Bob", try Store.inMemory(), .ed25519)
        let listener = try await mallory.listen(on: "127.0.0.1:0")
        let bob = two.bob.identity.publicKey
        let failure = await error { () async throws(KamuneError) in
            try await two.ada.dial(listener.address, expecting: bob)
        }
        #expect(failure?.code == .refusedByUs)
        #expect(failure?.message.contains(bob.fingerprint.sum) == true)
        await listener.close()
    }

    @Test("who was the responder does not resume: roles stay as they were")
    func roles() async throws {
        let two = try await Two()
        _ = try await two.meetAndLose()
        let ada = two.ada.identity.publicKey
        let ticket = try await two.bob.archive?.ticket(for: ada, announcing: .all)
        #expect(ticket == nil)
        #expect(try await two.ada.archive?.ticket(for: two.bob.identity.publicKey, announcing: .all) != nil)
    }

    @Test("a session is not resumed with less than was agreed on")
    func fewerCapabilities() async throws {
        let two = try await Two()
        let id = try await two.meetAndLose()
        let bob = two.bob.identity.publicKey
        #expect(try await two.ada.archive?.ticket(for: bob, announcing: .none) == nil)
        // And no token was spent on finding that out.
        #expect(try await two.adaTokens(id) == 20)
    }

    @Test("without a store a wish to resume is refused, and nothing is kept")
    func withoutStore() async throws {
        let two = try await Two()
        _ = try await two.meetAndLose()
        let (near, far) = MemoryTransport.pair()
        let forgetful = Endpoint(identity: two.bob.identity, name: "Bob", verifier: .anyone)
        async let refused = error { () async throws(KamuneError) in try await forgetful.respond(over: far) }
        let bob = two.bob.identity.publicKey
        let failure = await error { () async throws(KamuneError) in
            try await two.ada.initiate(over: near, expecting: bob, isResuming: true)
        }
        #expect(failure?.code == .refusedByPeer)
        #expect(await refused?.code == .resumptionRefused)
    }
}
