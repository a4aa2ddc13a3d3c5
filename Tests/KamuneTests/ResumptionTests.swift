import Foundation
import KamuneCrypto
import KamuneStore
import KamuneTransport
import Testing

@testable import Kamune
@testable import KamuneProtocol

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
        #expect(try await two.bob.archive?.takeResumption(with: ada) == nil)
        #expect(try await two.ada.archive?.takeResumption(with: two.bob.identity.publicKey) != nil)
    }

    @Test("a session is not resumed with less than was agreed on")
    func fewerCapabilities() async throws {
        let two = try await Two()
        let id = try await two.meetAndLose()
        let bob = two.bob.identity.publicKey
        var archive = try #require(two.ada.archive)
        archive.capabilities = .none
        #expect(try await archive.takeResumption(with: bob) == nil)
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

    // MARK: What was announced

    /// A responder that announces, or in a resumed handshake seems to have announced, something of its own.
    private func respond(
        _ two: Two, announcing capabilities: CapabilitySet, over connection: any Connection
    ) async throws(KamuneError) -> Session {
        var archive = two.bob.archive
        archive?.capabilities = capabilities
        let driver = HandshakeDriver(
            connection: connection, verifier: .anyone, configuration: two.bob.configuration, identity: two.bob.identity,
            capabilities: capabilities, archive: archive)
        do throws(KamuneError) {
            return try await driver.respond(
                HandshakeConfiguration(identity: two.bob.identity, name: "Bob", capabilities: capabilities))
        } catch {
            await connection.close()
            throw error
        }
    }

    @Test("who announces only what is not known here is not taken for somebody in between")
    func unknownCapability() async throws {
        let two = try await Two()
        let later = CapabilitySet([try #require(Capability("later/1"))])
        var sessions: [Session] = []
        for isResuming in [false, true, true] {
            let (near, far) = MemoryTransport.pair()
            async let accepted = respond(two, announcing: later, over: far)
            let dialed = try await two.ada.initiate(
                over: near, expecting: isResuming ? two.bob.identity.publicKey : nil, isResuming: isResuming)
            let pair = SessionPair(initiator: dialed, responder: try await accepted)
            #expect(dialed.isResumed == isResuming && pair.responder.isResumed == isResuming)
            #expect(dialed.peer.capabilities == ["later/1"] && dialed.agreed.isEmpty && pair.responder.agreed.isEmpty)
            sessions.append(dialed)
            if !isResuming {
                _ = try await two.adaStore.accept(two.bob.identity.publicKey, name: "Bob", at: Date())
                _ = try await two.bobStore.accept(two.ada.identity.publicKey, name: "Ada", at: Date())
            }
            await two.lose(pair)
        }
        #expect(Set(sessions.map(\.id)).count == 1)
    }

    /// Whoever sits in between and could make a peer look like one who announces nothing would be seen so.
    @Test("a downgrade that is found when resuming is told, whatever the introductions then come to")
    func downgrade() async throws {
        let two = try await Two()
        _ = try await two.meetAndLose()
        let listener = try await TCPTransport.listen(on: try Address(parsing: "127.0.0.1:0"), configuration: .init())
        let address = listener.localAddress.description
        let silent = HandshakeConfiguration(identity: two.bob.identity, name: "Bob", capabilities: .none)
        let answers = Task {
            // The first resumption is granted by one who shows no sign of having announced anything.
            let first = try #require(try await listener.accept())
            let driver = HandshakeDriver(
                connection: first, verifier: .anyone, configuration: two.bob.configuration,
                identity: two.bob.identity, capabilities: .all, archive: two.bob.archive)
            _ = await error { () async throws(KamuneError) in
                let session = try await driver.respond(silent)
                _ = await session.waitUntilEnded()
            }
            await first.close()
            let second = try #require(try await listener.accept())
            return try await two.bob.respond(over: second)
        }
        let dialed = try await two.ada.dial(address, expecting: two.bob.identity.publicKey)
        #expect(!dialed.isResumed)
        #expect(dialed.resumptionFailure?.code == .authenticationFailed)
        guard case .authenticationFailed(.capabilityDowngrade) = dialed.resumptionFailure?.cause as? ProtocolError
        else {
            Issue.record("another failure")
            return
        }
        await SessionPair(initiator: dialed, responder: try await answers.value).close()
        await listener.close()
    }

    @Test("whom the initiator has blocked, never accepted, or let expire is not resumed with, and no token is spent")
    func unwelcomeToInitiator() async throws {
        let two = try await Two()
        let id = try await two.meetAndLose()
        let bob = try #require(try await two.adaStore.peer(withKey: two.bob.identity.publicKey))
        try await two.adaStore.setBlocked(bob.id, true)
        #expect(try await two.ada.archive?.takeResumption(with: bob.key) == nil)
        try await two.adaStore.setBlocked(bob.id, false)
        try await two.adaStore.setPeerExpiry(.after(seconds: -1))
        #expect(try await two.ada.archive?.takeResumption(with: bob.key) == nil)
        #expect(try await two.adaTokens(id) == 20)

        let strangers = try await Two()
        let pair = try await strangers.connect()
        await strangers.lose(pair)
        #expect(try await strangers.ada.archive?.takeResumption(with: strangers.bob.identity.publicKey) == nil)
        #expect(try await strangers.adaTokens(pair.initiator.id) == 20)
    }

    @Test("who is blocked while a session is being resumed is not let in")
    func blockedWhileResuming() async throws {
        let two = try await Two()
        let id = try await two.meetAndLose()
        let right = try #require(try await two.ada.archive?.takeResumption(with: two.bob.identity.publicKey))
        try await two.adaStore.setBlocked(right.peer.id, true)
        let failure = await error { () async throws(KamuneError) in
            try await two.ada.archive?.keep(
                .init(identifier: id, isInitiator: true, transport: "tcp", tokens: []), with: .resumed(right))
        }
        #expect(failure?.code == .refusedByUs)
        #expect(try await two.adaTokens(id) == 19)
    }
}
