import KamuneStore
import KamuneTransport
import Synchronization
import Testing

@testable import Kamune

@Suite("Handshake")
struct HandshakeTests {
    @Test("a responder who refuses is told apart from one who is gone")
    func refusedByResponder() async throws {
        let bob = try TestEndpoints.make(name: "Bob", verifier: AskingVerifier { _ in .refuse(reason: "not today") })
        let (near, far) = MemoryTransport.pair()
        async let theirs = error { () async throws(KamuneError) in try await bob.respond(over: far) }
        let ada = try TestEndpoints.make(name: "Ada")
        let ours = await error { () async throws(KamuneError) in try await ada.initiate(over: near) }
        #expect(ours?.code == .refusedByPeer)
        #expect(await theirs?.code == .refusedByUs)
        #expect(await theirs?.message == "not today")
    }

    @Test("an initiator who refuses is told apart from one who is gone")
    func refusedByInitiator() async throws {
        let bob = try TestEndpoints.make(name: "Bob")
        let (near, far) = MemoryTransport.pair()
        async let theirs = error { () async throws(KamuneError) in try await bob.respond(over: far) }
        let ada = try TestEndpoints.make(name: "Ada", verifier: .known([]))
        let ours = await error { () async throws(KamuneError) in try await ada.initiate(over: near) }
        #expect(ours?.code == .refusedByUs)
        #expect(await theirs?.code == .refusedByPeer)
    }

    @Test("whoever is refused with an ML-DSA identity is told of programs that cannot read it")
    func refusedAlgorithm() async throws {
        let bob = try TestEndpoints.make(name: "Bob", verifier: .known([]))
        let (near, far) = MemoryTransport.pair()
        async let theirs = error { () async throws(KamuneError) in try await bob.respond(over: far) }
        let ada = try TestEndpoints.make(.mldsa65, name: "Ada")
        let ours = await error { () async throws(KamuneError) in try await ada.initiate(over: near) }
        #expect(ours?.code == .refusedByPeer)
        #expect(ours?.message.contains("Ed25519") == true)
        _ = await theirs
    }

    @Test("known peers are accepted, and strangers left to the next verifier")
    func knownPeers() async throws {
        let ada = try TestEndpoints.make(name: "Ada")
        let asked = Mutex(0)
        let verifier = KnownPeers(
            [ada.identity.publicKey],
            others: AskingVerifier { _ in
                asked.withLock { $0 += 1 }
                return .accept(.policy)
            })
        let bob = try TestEndpoints.make(name: "Bob", verifier: verifier)
        await (try await SessionPair.connect(ada, bob, over: .memory)).close()
        #expect(asked.withLock { $0 } == 0)
        let eve = try TestEndpoints.make(name: "Eve")
        await (try await SessionPair.connect(eve, bob, over: .memory)).close()
        #expect(asked.withLock { $0 } == 1)
    }

    @Test("a silent peer is given up when the handshake's time is over")
    func silentPeer() async throws {
        let (near, far) = MemoryTransport.pair()
        let ada = try TestEndpoints.make(name: "Ada") { $0.handshakeTimeout = .milliseconds(50) }
        let failure = await error { () async throws(KamuneError) in try await ada.initiate(over: near) }
        #expect(failure?.code == .timedOut)
        withExtendedLifetime(far) {}
    }

    @Test("a verifier that takes too long is cancelled")
    func slowVerifier() async throws {
        // On a busy machine the time can be over before anybody is asked; then it is tried with more of it.
        for limit in [Duration.milliseconds(300), .seconds(3), .seconds(30)] {
            let wasCancelled = Mutex<Bool?>(nil)
            let verifier = AskingVerifier { _ in
                try? await Task.sleep(for: .seconds(120))
                wasCancelled.withLock { $0 = Task.isCancelled }
                return .accept(.policy)
            }
            let ada = try TestEndpoints.make(name: "Ada", verifier: verifier) { $0.handshakeTimeout = limit }
            let bob = try TestEndpoints.make(name: "Bob") { $0.handshakeTimeout = .seconds(60) }
            let (near, far) = MemoryTransport.pair()
            async let theirs = error { () async throws(KamuneError) in try await bob.respond(over: far) }
            let ours = await error { () async throws(KamuneError) in try await ada.initiate(over: near) }
            #expect(ours?.code == .timedOut)
            _ = await theirs
            if let wasCancelled = wasCancelled.withLock({ $0 }) {
                #expect(wasCancelled)
                return
            }
        }
        Issue.record("the verifier was never asked")
    }

    @Test("a verifier is no longer asked when the peer goes away")
    func vanishingPeer() async throws {
        let (near, far) = MemoryTransport.pair()
        let verifier = AskingVerifier { _ in
            far.abort()
            try? await Task.sleep(for: .seconds(60))
            return .accept(.policy)
        }
        let ada = try TestEndpoints.make(name: "Ada", verifier: verifier)
        let bob = try TestEndpoints.make(name: "Bob")
        async let theirs = error { () async throws(KamuneError) in try await bob.respond(over: far) }
        let ours = await error { () async throws(KamuneError) in try await ada.initiate(over: near) }
        #expect(ours?.code == .connectionLost)
        _ = await theirs
    }

    @Test("something that is no peer gets a clear answer")
    func notAPeer() async throws {
        let (near, far) = MemoryTransport.pair()
        let ada = try TestEndpoints.make(name: "Ada")
        async let ours = error { () async throws(KamuneError) in try await ada.initiate(over: near) }
        try await far.send([Array("HTTP/1.1 400 Bad Request".utf8)])
        #expect(await ours?.code == .protocolViolation)
    }

    @Test("cancelling the task that dials ends the handshake")
    func cancellation() async throws {
        let (near, far) = MemoryTransport.pair()
        let ada = try TestEndpoints.make(name: "Ada")
        let dialing = Task { await error { () async throws(KamuneError) in try await ada.initiate(over: near) } }
        _ = try await far.receive()
        dialing.cancel()
        #expect(await dialing.value?.code == .cancelled)
    }
}
