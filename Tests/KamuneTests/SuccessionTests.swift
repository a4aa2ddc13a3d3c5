import Foundation
import KamuneCrypto
import KamuneStore
import KamuneTransport
import Testing

@testable import Kamune
@testable import KamuneProtocol

@Suite("Peers who take a new identity")
struct SuccessionTests {
    /// Ada, who keeps what she knows, and Bob, whose store knows his identities.
    private struct Two {
        let adaStore: Store
        let bobStore: Store
        let ada: Identity
        let first: Identity

        init() async throws {
            adaStore = try Store.inMemory()
            bobStore = try Store.inMemory()
            ada = try Identity.generate()
            first = try Identity.generate()
            _ = try await adaStore.add(ada, name: "Ada", at: Date())
            _ = try await bobStore.add(first, name: "Bob", at: Date())
            _ = try await adaStore.accept(first.publicKey, name: "Bob", at: Date())
        }

        /// Bob takes a new identity.
        func rotate(_ algorithm: IdentityAlgorithm = .ed25519) async throws -> Identity {
            let current = try #require(try await bobStore.currentIdentity())
            let new = try Identity.generate(algorithm)
            let statement = try SuccessionStatement(
                from: try #require(current.privateKey), to: new, milliseconds: 1_784_937_599_000)
            _ = try await bobStore.add(new, name: "Bob", at: Date(), statement: statement.encoded)
            return new
        }

        func adaEndpoint(_ verifier: some PeerVerifier) -> Endpoint {
            Endpoint(identity: ada, name: "Ada", verifier: verifier, store: adaStore, configuration: Self.patient)
        }

        func bobEndpoint(_ identity: Identity, adjust: (inout Configuration) -> Void = { _ in }) -> Endpoint {
            var configuration = Self.patient
            adjust(&configuration)
            return Endpoint(
                identity: identity, name: "Bob", verifier: .anyone, store: bobStore, configuration: configuration)
        }

        static var patient: Configuration {
            var configuration = Configuration()
            configuration.handshakeTimeout = .seconds(240)
            return configuration
        }
    }

    @Test(
        "the store sends the way to the identity in use, and the peer's store moves trust and history",
        arguments: IdentityAlgorithm.allCases, [true, false])
    func moves(_ algorithm: IdentityAlgorithm, isAdaInitiator: Bool) async throws {
        let two = try await Two()
        let bob = try #require(try await two.adaStore.peer(withKey: two.first.publicKey))
        _ = try await two.adaStore.append(.outgoing(to: bob.id, body: Array("hello".utf8), at: Date()))
        let second = try await two.rotate(algorithm)
        let third = try await two.rotate()
        // His private keys are gone; what they have signed stays.
        for old in try await two.bobStore.identities() where !old.isCurrent {
            try await two.bobStore.erasePrivateKey(of: old.id)
        }
        let ada = two.adaEndpoint(.known([two.first.publicKey]))
        let pair =
            try await isAdaInitiator
            ? SessionPair.connect(ada, two.bobEndpoint(third), over: .memory)
            : SessionPair.connect(two.bobEndpoint(third), ada, over: .memory)
        let session = isAdaInitiator ? pair.initiator : pair.responder
        #expect(session.peer.identity == third.publicKey)
        #expect(session.peer.formerKeys == [two.first.publicKey, second.publicKey])
        #expect(session.record?.peer == bob.id)
        let moved = try #require(try await two.adaStore.peer(bob.id))
        #expect(moved.key == third.publicKey && moved.accepted == bob.accepted)
        #expect(moved.formerKeys.map(\.key) == [two.first.publicKey, second.publicKey])
        #expect(try await two.adaStore.peers().count == 1)
        await pair.close()
    }

    @Test("who is expected by an old key and shows the way from it is the one who is expected")
    func expected() async throws {
        let two = try await Two()
        let second = try await two.rotate()
        let (near, far) = MemoryTransport.pair()
        let bob = two.bobEndpoint(second)
        async let accepted = bob.respond(over: far)
        let session = try await two.adaEndpoint(.anyone).initiate(over: near, expecting: two.first.publicKey)
        await SessionPair(initiator: session, responder: try await accepted).close()

        // Somebody else with the same name, and no statement.
        let eve = try TestEndpoints.make(name: "Bob")
        let (left, right) = MemoryTransport.pair()
        async let refused = error { () async throws(KamuneError) in try await eve.respond(over: right) }
        let failure = await error { () async throws(KamuneError) in
            try await two.adaEndpoint(.anyone).initiate(over: left, expecting: two.first.publicKey)
        }
        #expect(failure?.code == .refusedByUs)
        _ = await refused
    }

    @Test("who announces nothing shows no statement, and is met as a stranger")
    func silent() async throws {
        let two = try await Two()
        let second = try await two.rotate()
        let bob = two.bobEndpoint(second) { $0.announcesCapabilities = false }
        let pair = try await SessionPair.connect(bob, two.adaEndpoint(.anyone), over: .memory)
        #expect(pair.responder.peer.formerKeys.isEmpty)
        await pair.close()
        #expect(try await two.adaStore.peer(withKey: two.first.publicKey) != nil)
        #expect(try await two.adaStore.peer(withKey: second.publicKey)?.wasAccepted == false)
    }

    /// Judges as `--verify known` does, and keeps the verdict on one key back until it is let go.
    private actor HoldingVerifier: PeerVerifier {
        private let store: Store
        private let held: PublicIdentity
        private var isOpen = false
        private var waiting: [CheckedContinuation<Void, Never>] = []
        private var watcher: (count: Int, continuation: CheckedContinuation<Void, Never>)?

        init(_ store: Store, holding held: PublicIdentity) {
            self.store = store
            self.held = held
        }

        func verify(_ peer: Peer) async -> Verdict {
            let recognition = try? await store.recognize(
                peer.identity, name: peer.name, formerKeys: peer.formerKeys, at: Date())
            if peer.identity == held, !isOpen {
                await withCheckedContinuation { continuation in
                    waiting.append(continuation)
                    tellWatcher()
                }
            }
            return recognition?.isTrusted == true ? .accept(.known) : .refuse(reason: "not known")
        }

        /// Waits until so many verdicts are held back.
        func hold(_ count: Int) async {
            await withCheckedContinuation { continuation in
                watcher = (count, continuation)
                tellWatcher()
            }
        }

        private func tellWatcher() {
            guard let watcher, waiting.count >= watcher.count else { return }
            self.watcher = nil
            watcher.continuation.resume()
        }

        func letGo() {
            isOpen = true
            for continuation in waiting { continuation.resume() }
            waiting = []
        }
    }

    @Test(
        "handshakes that are held open across the peer's change of identity, and finished after it, come to nothing",
        arguments: [true, false])
    func heldOpen(isAdaInitiator: Bool) async throws {
        let two = try await Two()
        let bob = try #require(try await two.adaStore.peer(withKey: two.first.publicKey))
        let verifier = HoldingVerifier(two.adaStore, holding: two.first.publicKey)
        let ada = two.adaEndpoint(verifier)
        let thief = Endpoint(
            identity: two.first, name: "Bob", verifier: .anyone, configuration: Two.patient)
        let second = try await two.rotate()
        let failures = try await withThrowingTaskGroup(of: KamuneError?.self) { group in
            for _ in 0..<2 {
                let (near, far) = MemoryTransport.pair()
                group.addTask {
                    await error { () async throws(KamuneError) in
                        isAdaInitiator ? try await ada.initiate(over: near) : try await ada.respond(over: near)
                    }
                }
                group.addTask {
                    // It may believe to have a session, which is closed at once.
                    do throws(KamuneError) {
                        let session =
                            isAdaInitiator ? try await thief.respond(over: far) : try await thief.initiate(over: far)
                        _ = await session.waitUntilEnded()
                    } catch {}
                    return KamuneError(.sessionEnded, "The thief is done.")
                }
            }
            await verifier.hold(2)
            // Meanwhile Bob comes with his new identity, and is let in.
            let pair = try await SessionPair.connect(two.bobEndpoint(second), ada, over: .memory)
            #expect(pair.responder.record?.peer == bob.id)
            await verifier.letGo()
            var failures: [KamuneError?] = []
            for try await failure in group where failure?.code != .sessionEnded { failures.append(failure) }
            await pair.close()
            return failures
        }
        let moved = try #require(try await two.adaStore.peer(bob.id))
        #expect(failures.count == 2)
        for failure in failures {
            #expect(failure?.code == .refusedByUs)
            guard case .refused(.retired(let peer)) = failure?.cause as? StoreError else {
                Issue.record("not because it was given up: \(String(describing: failure))")
                continue
            }
            #expect(peer.id == bob.id)
        }
        #expect(try await two.adaStore.peers() == [moved])
        #expect(try await two.adaStore.sessions().count == 1)
        guard case .retired = try await two.adaStore.recognize(two.first.publicKey, name: "", at: Date()).standing
        else {
            Issue.record("the alarm is off")
            return
        }
    }

    @Test("who is blocked between the verdict and its effect is not let in", arguments: [true, false])
    func blockedMeanwhile(isAdaInitiator: Bool) async throws {
        let two = try await Two()
        let bob = try #require(try await two.adaStore.peer(withKey: two.first.publicKey))
        let adaStore = two.adaStore
        let ada = two.adaEndpoint(
            AskingVerifier { _ in
                // The person says yes in one window and blocks in another.
                try? await adaStore.setBlocked(bob.id, true)
                return .accept(.person)
            })
        let (near, far) = MemoryTransport.pair()
        let bobEndpoint = two.bobEndpoint(two.first)
        async let other = error { () async throws(KamuneError) in
            let session =
                isAdaInitiator ? try await bobEndpoint.respond(over: far) : try await bobEndpoint.initiate(over: far)
            _ = await session.waitUntilEnded()
        }
        let failure = await error { () async throws(KamuneError) in
            isAdaInitiator ? try await ada.initiate(over: near) : try await ada.respond(over: near)
        }
        #expect(failure?.code == .refusedByUs && failure?.message == "You have blocked this peer.")
        _ = await other
        #expect(try await two.adaStore.sessions().isEmpty)
    }

    @Test("who is expected by a key that they have given up is expected by the one that they have now")
    func expectedByOldKey() async throws {
        let two = try await Two()
        let second = try await two.rotate()
        let met = try await SessionPair.connect(two.bobEndpoint(second), two.adaEndpoint(.anyone), over: .memory)
        await met.close()
        // With an endpoint that knows of no statement, so that only Ada's store knows that it is him.
        let bob = Endpoint(identity: second, name: "Bob", verifier: .anyone, configuration: Two.patient)
        let (near, far) = MemoryTransport.pair()
        async let accepted = bob.respond(over: far)
        let session = try await two.adaEndpoint(.anyone).initiate(over: near, expecting: two.first.publicKey)
        #expect(session.peer.identity == second.publicKey)
        await SessionPair(initiator: session, responder: try await accepted).close()
        // And whoever has the old key is not.
        let thief = Endpoint(identity: two.first, name: "Bob", verifier: .anyone, configuration: Two.patient)
        let (left, right) = MemoryTransport.pair()
        async let refused = error { () async throws(KamuneError) in try await thief.respond(over: right) }
        let failure = await error { () async throws(KamuneError) in
            try await two.adaEndpoint(.anyone).initiate(over: left, expecting: two.first.publicKey)
        }
        #expect(failure?.code == .refusedByUs)
        _ = await refused
    }

    /// Whoever once received Bob's introduction can show it to Ada. It is valid, so she lets him in; but he cannot go on.
    @Test("a replayed introduction moves nothing")
    func replayed() async throws {
        let two = try await Two()
        let second = try await two.rotate()
        let before = try #require(try await two.adaStore.peer(withKey: two.first.publicKey))
        let (near, far) = MemoryTransport.pair()
        let ada = two.adaEndpoint(.known([two.first.publicKey]))
        async let ended = error { () async throws(KamuneError) in try await ada.respond(over: far) }

        let way = try await two.bobStore.succession(to: second.publicKey)
        let encoded = try LocalIntroduction(
            HandshakeConfiguration(identity: second, name: "Bob", succession: way)
        ).encoded
        var random = SystemRandomSource()
        let recorded = try Envelope.seal(
            metadata: Metadata(timestamp: Moment.now().wall, route: .identity), dataSize: encoded.count,
            appendData: { $0.append(contentsOf: encoded) }, signedBy: second, random: &random)

        var frames = FrameReader(connection: near)
        let key = try TunnelPrivateKey.generate(using: &random)
        try await near.send([key.publicKey])
        let exchange = try MergedExchange(decoding: try #require(try await frames.next()))
        let opener = try TunnelOpener(encapsulatedKey: exchange.encapsulatedKey, privateKey: key)
        var encapsulator = SystemEncapsulator()
        let encapsulation = try encapsulator.encapsulateTunnel(to: exchange.publicKey)
        let encapsulatedKey = encapsulation.encapsulatedKey
        var tunnel = Tunnel(sealer: encapsulation.sealer, opener: opener)
        try await near.send([encapsulatedKey, try tunnel.seal(recorded)])
        // She has let him in, as Bob.
        let answer = try PeerIntroduction(
            Envelope(parsing: try tunnel.open(try #require(try await frames.next()))), localVersion: .current)
        #expect(answer.identity == two.ada.publicKey)
        await near.close()

        #expect(await ended != nil)
        #expect(try await two.adaStore.peer(before.id) == before)
        #expect(try await two.adaStore.peers().count == 1)
    }
}
