import Foundation
import KamuneCrypto
import KamuneProtocol
import KamuneStore
import KamuneTransport
import Synchronization
import Testing

@testable import Kamune

@Suite("Refusals that say why, and strangers who wait")
struct RequestTests {
    /// What each side of a handshake ends with.
    private static func attempt(_ two: TwoMessengers) async -> (ada: KamuneError?, bob: KamuneError?) {
        let (near, far) = MemoryTransport.pair()
        let (ada, bob) = (two.ada.endpoint, two.bob.endpoint)
        async let responding = error { () async throws(KamuneError) in try await bob.respond(over: far) }
        let dialing = await error { () async throws(KamuneError) in try await ada.initiate(over: near) }
        return (dialing, await responding)
    }

    private static func requests(_ two: TwoMessengers) async throws -> [StoredRequest] {
        try await two.bob.store.requests(at: Date())
    }

    @Test(
        "whoever is refused learns why, if that is said",
        arguments: [
            (HandshakeRefusal.busy, KamuneError.Code.peerBusy), (.away, .peerAway), (.refused, .refusedByPeer),
            (.waiting, .waitingForAcceptance), (.unspecified, .connectionLost),
        ])
    func reasons(_ refusal: HandshakeRefusal, _ code: KamuneError.Code) async throws {
        let verifier = AskingVerifier { _ in .refuse(reason: "no", telling: refusal) }
        let (ada, bob) = await Self.attempt(try await TwoMessengers(bobVerifier: verifier))
        #expect(ada?.code == code && ada?.message == ProtocolError.refused(.introduction(refusal)).description)
        #expect(bob?.code == .refusedByUs && bob?.message == "no")
        // To a program of version 0.7 the connection ends without a word.
        for (adaAnnounces, bobAnnounces) in [(false, true), (true, false)] {
            let two = try await TwoMessengers(
                adaAnnounces: adaAnnounces, bobAnnounces: bobAnnounces, bobVerifier: verifier)
            #expect(await Self.attempt(two).ada?.code == .refusedByPeer)
        }
    }

    @Test("a refusal that says nothing says nothing")
    func silent() async throws {
        let verifier = AskingVerifier { _ in .refuse(reason: "no") }
        let (ada, bob) = await Self.attempt(try await TwoMessengers(bobVerifier: verifier))
        #expect(ada?.code == .refusedByPeer && bob?.code == .refusedByUs)
        #expect(ada?.cause == nil)
    }

    @Test("a program of 0.7 that refuses ML-DSA is told apart in the sentence")
    func algorithm() async throws {
        let two = try await TwoMessengers(
            adaIdentity: .generate(.mldsa65), bobAnnounces: false,
            bobVerifier: AskingVerifier { _ in .refuse(reason: "no") })
        let ada = await Self.attempt(two).ada
        #expect(ada?.code == .refusedByPeer && ada?.message.contains("ML-DSA-65") == true)
    }

    @Test("of somebody who would say it, a connection that ends without a word is no refusal")
    func cut() async throws {
        let isWelcome = Mutex(true)
        let two = try await TwoMessengers(
            bobVerifier: AskingVerifier { _ in isWelcome.withLock { $0 } ? .accept(.policy) : .refuse(reason: "no") })
        let (adaConversation, bobConversation, _) = try await two.connect()
        await adaConversation.close()
        await bobConversation.close()
        isWelcome.withLock { $0 = false }
        #expect(await Self.attempt(two).ada?.code == .refusedByPeer)
        let expected = await error { () async throws(KamuneError) in try await two.connect().ada }
        #expect(expected?.code == .connectionLost && expected?.message.contains("did not say why") == true)
    }

    @Test("for whom there is no place in the handshake, that is said", .timeLimit(.minutes(1)))
    func busy() async throws {
        let (near, far) = MemoryTransport.pair()
        let two = try await TwoMessengers()
        let (ada, bob) = (two.ada.endpoint, two.bob.endpoint)
        let responding = Task { () async -> KamuneError? in
            await error { () async throws(KamuneError) in
                try await bob.respond(over: far) { if case .introduced = $0 { false } else { true } }
            }
        }
        let dialing = await error { () async throws(KamuneError) in try await ada.initiate(over: near) }
        #expect(dialing?.code == .peerBusy)
        #expect(await responding.value?.code == .overloaded)
    }

    @Test("a stranger who is to wait is noted, unproven, and told so", arguments: [true, false])
    func unproven(announces: Bool) async throws {
        let two = try await TwoMessengers(
            adaAnnounces: announces, bobVerifier: AskingVerifier { _ in .wait }
        ) { $0.takesRequests = !announces }
        let (ada, bob) = await Self.attempt(two)
        #expect(ada?.code == (announces ? .waitingForAcceptance : .refusedByPeer))
        #expect(bob?.code == .waitingForAcceptance)
        let request = try #require(try await Self.requests(two).first)
        #expect(request.name == "Ada" && request.key == two.ada.endpoint.identity.publicKey && !request.isProven)
        #expect(request.network == "" && request.note == "")
        #expect(try await two.bob.store.peers().isEmpty)
        #expect(try await two.bob.store.sessions().isEmpty)
    }

    @Test("where requests are taken, a stranger proves its key and says a few words, and nothing else is kept")
    func proven() async throws {
        let noted = Mutex<[StoredRequest]>([])
        let note = String(repeating: "é", count: 600)
        let isWelcome = Mutex(false)
        let two = try await TwoMessengers(
            bobVerifier: AskingVerifier { _ in isWelcome.withLock { $0 } ? .accept(.known) : .wait }
        ) { configuration in
            configuration.takesRequests = true
            configuration.requestNote = note
            configuration.onRequest = { request in noted.withLock { $0.append(request) } }
        }
        let (ada, bob) = await Self.attempt(two)
        #expect(ada?.code == .waitingForAcceptance && bob?.code == .waitingForAcceptance)
        let request = try #require(try await Self.requests(two).first)
        #expect(request.isProven && request.note == String(repeating: "é", count: 512) && request.name == "Ada")
        #expect(noted.withLock { $0 } == [request])
        for store in [two.ada.store, two.bob.store] {
            #expect(try await store.peers().isEmpty)
            #expect(try await store.sessions().isEmpty)
        }
        // Once accepted, they talk.
        let peer = try await two.bob.store.accept(request.id, at: Date())
        isWelcome.withLock { $0 = true }
        let (adaConversation, bobConversation, sessions) = try await two.connect()
        #expect(bobConversation.peerID == peer.id)
        #expect(sessions.initiator.agreed.contains(.delivery) && !sessions.initiator.agreed.contains(.held))
        try await adaConversation.send("hello")
        #expect(try await EventReader(bobConversation).texts(1) == ["hello"])
        await adaConversation.close()
        await bobConversation.close()
    }

    @Test("whom the person has accepted stays accepted while they have us wait")
    func acceptedMeanwhile() async throws {
        let two = try await TwoMessengers(
            adaVerifier: AskingVerifier { _ in .accept(.person) }, bobVerifier: AskingVerifier { _ in .wait }
        ) { $0.takesRequests = true }
        #expect(await Self.attempt(two).ada?.code == .waitingForAcceptance)
        let bob = try #require(try await two.ada.store.peers().first)
        #expect(bob.wasAccepted && bob.key == two.bob.endpoint.identity.publicKey)
        #expect(try await two.ada.store.sessions().isEmpty)
    }

    @Test("who was refused is told so, and who is blocked what one hears of somebody who is away")
    func decided() async throws {
        let two = try await TwoMessengers(bobVerifier: AskingVerifier { _ in .wait })
        #expect(await Self.attempt(two).ada?.code == .waitingForAcceptance)
        let request = try #require(try await Self.requests(two).first)
        try await two.bob.store.refuse(request.id, at: Date())
        let (ada, bob) = await Self.attempt(two)
        #expect(ada?.code == .refusedByPeer && bob?.code == .refusedByUs)
        try await two.bob.store.block(request.id, at: Date())
        #expect(await Self.attempt(two).ada?.code == .peerAway)
    }

    @Test("a stranger for whom there is no room is not told that it waits")
    func noRoom() async throws {
        let two = try await TwoMessengers(bobVerifier: AskingVerifier { _ in .wait }) { $0.takesRequests = true }
        for _ in 0..<StoredRequest.provenLimit {
            let key = try Identity.generate(.ed25519).publicKey
            try await two.bob.store.noteRequest(NewRequest(key: key, name: "", network: "", isProven: true), at: Date())
        }
        let (ada, bob) = await Self.attempt(two)
        #expect(ada?.code == .connectionLost && bob?.code == .refusedByUs)
    }

    @Test("a session that is for one request takes nothing larger, and no program that holds forges it")
    func largeRequest() async throws {
        let two = try await TwoMessengers(bobVerifier: AskingVerifier { _ in .wait }) { $0.takesRequests = true }
        // Ada's side is driven by hand: it says more than it may.
        let (near, far) = MemoryTransport.pair()
        let bob = two.bob.endpoint
        async let responding = error { () async throws(KamuneError) in try await bob.respond(over: far) }
        let ada = two.ada.endpoint
        let driver = try await RawInitiator.establish(ada, over: near)
        try near.enqueue([driver.seal([UInt8](repeating: 65, count: 1_025))])
        #expect(await responding?.code == .protocolViolation)
        #expect(try await Self.requests(two).isEmpty)
    }

    @Test("whoever dials is not asked to wait for whom it dials")
    func dialedStranger() async throws {
        let two = try await TwoMessengers(adaVerifier: AskingVerifier { _ in .wait })
        let (ada, _) = await Self.attempt(two)
        #expect(ada?.code == .refusedByUs)
        #expect(try await two.ada.store.requests(at: Date()).isEmpty)
    }
}

/// An initiator that says what a test wants it to.
private final class RawInitiator {
    private var machine: SessionMachine

    private init(_ machine: consuming SessionMachine) { self.machine = machine }

    func seal(_ payload: [UInt8]) throws -> [UInt8] {
        try machine.send(payload, at: Configuration().time.moment).frame
    }

    static func establish(_ endpoint: Endpoint, over connection: any Connection) async throws -> RawInitiator {
        let time = endpoint.configuration.time
        var machine = try InitiatorMachine(
            configuration: HandshakeConfiguration(identity: endpoint.identity, capabilities: .all),
            random: SystemRandomSource())
        var frames = FrameReader(connection: connection)
        while true {
            try connection.enqueue(machine.outgoing)
            let frame = try #require(try await frames.next())
            let action = try machine.receivedFrame(frame, at: time.timestamp)
            switch consume action {
            case .proceed(let next): machine = next
            case .verifyPeer(let peer):
                #expect(peer.introduction.capabilities.contains(.held))
                machine = try peer.accept(at: time.timestamp)
            case .established(let established, let outgoing):
                try connection.enqueue(outgoing)
                return RawInitiator(
                    SessionMachine(established.state, agreedCapabilities: .holding, at: time.moment))
            }
        }
    }
}
