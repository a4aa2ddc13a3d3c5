import KamuneCrypto
import KamuneTestSupport
import SwiftProtobuf
import Testing

@testable import KamuneProtocol

@Suite("Resumption")
struct ResumptionTests {
    private let alice: Identity
    private let bob: Identity
    private let mallory: Identity
    private static let sessionID = "ABCDEFGHIJKLMNOPQRSTUVWX"
    private static let token = [UInt8](repeating: 5, count: 32)

    init() throws {
        alice = try Fixture.alice.get()
        bob = try Fixture.bob.get()
        mallory = try Fixture.mallory.get()
    }

    private func ticket(peer: Identity? = nil, capabilities: CapabilitySet = .all) -> ResumptionTicket {
        ResumptionTicket(
            sessionID: Self.sessionID, token: SecretBytes(copying: Self.token), peer: (peer ?? bob).publicKey,
            peerCapabilities: capabilities)
    }

    private var accepted: Resolution { .accept(as: alice.publicKey, capabilities: .all) }

    @Test(
        "A resumed session keeps its identifier, has new keys and starts its numbers anew",
        arguments: HandshakeTests.pairs)
    func resumed(_ algorithms: (IdentityAlgorithm, IdentityAlgorithm)) throws {
        let alice = try Fixture.identity(algorithms.0, 11)
        let bob = try Fixture.identity(algorithms.1, 12)
        let cold = try HandshakePair(
            initiator: Fixture.configuration(alice), responder: Fixture.configuration(bob)
        ).establish()
        let token = cold.initiator.resumptionRoot.token(at: 3)
        let again = try HandshakePair(
            initiator: Fixture.configuration(alice), responder: Fixture.configuration(bob),
            resuming: ResumptionTicket(
                sessionID: cold.initiator.state.id, token: token, peer: bob.publicKey, peerCapabilities: .all),
            resolution: .accept(as: alice.publicKey, capabilities: .all), seed: 2
        ).establish()
        #expect(again.initiator.isResumed && again.responder.isResumed)
        #expect(again.initiator.state.id == cold.initiator.state.id)
        #expect(again.responder.state.id == cold.initiator.state.id)
        #expect(again.initiator.peer == SessionPeer(resuming: bob.publicKey, capabilities: .all))
        #expect(again.responder.peer == SessionPeer(resuming: alice.publicKey, capabilities: .all))
        #expect(again.initiator.state.sealedCount == 2 && again.responder.state.openedCount == 2)
        let newToken = again.initiator.resumptionRoot.token(at: 3).exposed
        #expect(newToken == again.responder.resumptionRoot.token(at: 3).exposed)
        #expect(newToken != cold.initiator.resumptionRoot.token(at: 3).exposed)
    }

    @Test("The responder is shown the session and the token that the initiator holds")
    func request() throws {
        var middle = try Middle(Fixture.configuration(alice), Fixture.configuration(bob), resuming: ticket())
        let plaintext = try middle.nextFromInitiator().bytes
        let request = try ResumptionRequest(Envelope(parsing: plaintext))
        #expect(request.sessionID == Self.sessionID)
        let verified = try request.verified(as: alice.publicKey)
        #expect(verified.sessionID == Self.sessionID)
        #expect(verified.token == Self.token)
        #expect(verified.peer == alice.publicKey)
        // A forged request must not burn a token: it is not shown to whoever asks for another signer.
        for other in [bob, mallory, try Fixture.identity(.mldsa65, 1)] {
            expectError(.authenticationFailed(.invalidSignature)) { () throws(ProtocolError) in
                _ = try request.verified(as: other.publicKey)
            }
        }
    }

    @Test("A refusal says always the same, and ends the handshake on both sides")
    func refused() throws {
        var pair = try HandshakePair(
            initiator: Fixture.configuration(alice), responder: Fixture.configuration(bob), resuming: ticket())
        try pair.run()
        #expect(pair.initiator.error == .refused(.resumption(reason: "resumption not available")))
        #expect(pair.responder.hasRefused == true)
        #expect(pair.initiator.isEstablished == false && pair.responder.isEstablished == false)
        #expect(pair.initiator.machine == nil && pair.responder.machine == nil)
    }

    @Test("A request that cannot be read", arguments: HostileSessionTests.malformed)
    func malformedRequest(_ data: [UInt8]) throws {
        var victim = Side(ResponderMachine(configuration: Fixture.configuration(bob), random: SeededRandom(3)))
        var peer = try RawPeer(connectingTo: &victim, as: alice)
        _ = victim.deliver(try peer.frame(.resumeRequest, data))
        #expect(try victim.verdict() == .peerMisbehaved(.malformedMessage(.resumeRequest)))
    }

    @Test("A request without a word is shown as it is: no session has that name")
    func emptyRequest() throws {
        var victim = Side(ResponderMachine(configuration: Fixture.configuration(bob), random: SeededRandom(3)))
        var peer = try RawPeer(connectingTo: &victim, as: alice)
        _ = victim.deliver(try peer.frame(.resumeRequest, []))
        #expect(victim.hasRefused == true)
    }

    // MARK: The answer

    private func answer(_ make: (inout RawPeer) throws -> [UInt8]) throws -> ProtocolError? {
        var victim = Side(
            try InitiatorMachine(
                configuration: Fixture.configuration(alice), resuming: ticket(), random: SeededRandom(3)))
        var peer = try RawPeer(acceptingFrom: &victim, as: bob)
        _ = victim.deliver(try make(&peer))
        return try victim.verdict()
    }

    @Test("Answers that are not what an initiator waits for")
    func answers() throws {
        let yes = try ResumptionAnswer.encode(accepted: true)
        #expect(try answer { try $0.frame(.resumeAccept, yes) } == nil)
        // Accepted is false when it is not written.
        #expect(try answer { try $0.frame(.resumeAccept, []) } == .refused(.resumption(reason: "")))
        #expect(
            try answer { try $0.frame(.resumeAccept, yes, signer: mallory) } == .authenticationFailed(.invalidSignature)
        )
        #expect(
            try answer { try $0.frame(.resumeAccept, yes, signer: alice) } == .authenticationFailed(.invalidSignature))
        for data in HostileSessionTests.malformed {
            #expect(
                try answer { try $0.frame(.resumeAccept, data) } == .peerMisbehaved(.malformedMessage(.resumeAccept)))
        }
        for route in Route.allCases where route != .resumeAccept {
            #expect(
                try answer { try $0.frame(route, yes) }
                    == .peerMisbehaved(.unexpectedRoute(expected: .resumeAccept, actual: route)))
        }
        // An introduction, even of the right peer: nobody may talk an initiator out of what it asked for.
        #expect(
            try answer { try $0.frame(.identity, try $0.introduction()) }
                == .peerMisbehaved(.unexpectedRoute(expected: .resumeAccept, actual: .identity)))
    }

    @Test("The peer of the ticket, and nobody else")
    func otherPeer() throws {
        var pair = try HandshakePair(
            initiator: Fixture.configuration(alice), responder: Fixture.configuration(mallory), resuming: ticket(),
            resolution: accepted)
        try pair.run()
        #expect(pair.initiator.error == .authenticationFailed(.invalidSignature))
        #expect(pair.initiator.isEstablished == false && pair.responder.isEstablished == false)
    }

    @Test("Another session's identifier in the handshake that follows", arguments: [FrameName.request, .accept])
    func sessionMismatch(_ target: FrameName) throws {
        for key in ["ABCDEFGHIJKLMNOPQRSTUVWY", "ABCDEFGHIJKL"] {
            var middle = try Middle(Fixture.configuration(alice), Fixture.configuration(bob), resuming: ticket())
            middle.resolution = accepted
            let signer = target == .request ? alice : bob
            try middle.run { name, plaintext in
                guard name == target else { return plaintext }
                return try resigned(plaintext, by: signer) { data in
                    guard var wire = try? WireHandshake(serializedBytes: data) else { return }
                    wire.sessionKey = key
                    data = (try? wire.encoded()) ?? []
                }
            }
            #expect(
                (target == .request ? middle.responder.error : middle.initiator.error)
                    == .authenticationFailed(.sessionMismatch))
            #expect(middle.nobodyIsEstablished == true)
        }
    }

    // MARK: Attacks

    /// A recorded request, in a tunnel of Mallory's own. The signature is Alice's and the token was good: it is the store's
    /// business to strike each token once it was shown. Even if a store failed to, what follows needs Alice's signature.
    @Test("A request that is replayed resumes nothing", arguments: [true, false])
    func replayedRequest(_ storeStrikesTokens: Bool) throws {
        var recorded = try Middle(Fixture.configuration(alice), Fixture.configuration(bob), resuming: ticket())
        recorded.resolution = accepted
        try recorded.run()
        #expect(recorded.initiator.isEstablished == true && recorded.responder.isEstablished == true)

        var second = try Middle(Fixture.configuration(mallory), Fixture.configuration(bob), seed: 2)
        second.resolution = storeStrikesTokens ? .refuse : accepted
        try second.deliverToResponder(try recorded.plaintext(.opening))
        if storeStrikesTokens {
            #expect(second.responder.hasRefused == true)
            #expect(second.nobodyIsEstablished == true)
            return
        }
        // Alice's old request for the handshake is signed, but its private key is gone.
        try second.deliverToResponder(try recorded.plaintext(.request))
        try second.deliverToResponder(try recorded.plaintext(.initiatorChallenge))
        #expect(second.responder.error == .authenticationFailed(.undecryptable(.session)))

        var third = try Middle(Fixture.configuration(mallory), Fixture.configuration(bob), seed: 3)
        third.resolution = accepted
        try third.deliverToResponder(try recorded.plaintext(.opening))
        try third.deliverToResponder(try resigned(try recorded.plaintext(.request), by: mallory))
        #expect(third.responder.error == .authenticationFailed(.invalidSignature))
        #expect(second.nobodyIsEstablished == true && third.nobodyIsEstablished == true)
    }

    @Test("A token that Mallory stole is of no use without the signature", arguments: [true, false])
    func stolenToken(_ namesAlice: Bool) throws {
        var pair = try HandshakePair(
            initiator: Fixture.configuration(mallory), responder: Fixture.configuration(bob), resuming: ticket(),
            resolution: accepted)
        try pair.run()
        #expect(pair.responder.error == .authenticationFailed(.invalidSignature))
        #expect(pair.initiator.isEstablished == false && pair.responder.isEstablished == false)
    }

    @Test("An answer that is replayed leads to keys that nobody shares")
    func replayedAnswer() throws {
        var recorded = try Middle(Fixture.configuration(alice), Fixture.configuration(bob), resuming: ticket())
        recorded.resolution = accepted
        try recorded.run()
        var second = try Middle(
            Fixture.configuration(alice), Fixture.configuration(bob), resuming: ticket(), seed: 2)
        for name in [FrameName.reply, .accept, .responderAnswer] {
            try second.deliverToInitiator(try recorded.plaintext(name))
        }
        #expect(second.initiator.error == .authenticationFailed(.undecryptable(.session)))
        #expect(second.nobodyIsEstablished == true)
    }

    /// Between two peers that announce, what was announced when the session was first established counts (§10.2).
    @Test("A peer that has stopped announcing, or has begun to, is met by a cold introduction only")
    func changedAnnouncement() throws {
        for (now, then) in [(CapabilitySet.none, CapabilitySet.all), (.all, .none)] {
            var initiatorChanged = try HandshakePair(
                initiator: Fixture.configuration(alice, capabilities: now), responder: Fixture.configuration(bob),
                resuming: ticket(), resolution: .accept(as: alice.publicKey, capabilities: then))
            try initiatorChanged.run()
            #expect(initiatorChanged.responder.error == .authenticationFailed(.capabilityDowngrade))
            #expect(initiatorChanged.responder.isEstablished == false)

            var responderChanged = try HandshakePair(
                initiator: Fixture.configuration(alice),
                responder: Fixture.configuration(bob, capabilities: now),
                resuming: ticket(capabilities: then), resolution: accepted)
            try responderChanged.run()
            #expect(responderChanged.initiator.error == .authenticationFailed(.capabilityDowngrade))
            #expect(responderChanged.initiator.isEstablished == false)
        }
    }
}
