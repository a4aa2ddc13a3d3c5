import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneProtocol

@Suite("Both roles against each other")
struct HandshakeTests {
    static let pairs: [(IdentityAlgorithm, IdentityAlgorithm)] = [
        (.ed25519, .ed25519), (.ed25519, .mldsa65), (.mldsa65, .ed25519), (.mldsa65, .mldsa65),
    ]

    @Test("A cold handshake ends in one session, with each pair of identity algorithms", arguments: pairs)
    func cold(_ algorithms: (IdentityAlgorithm, IdentityAlgorithm)) throws {
        let alice = try Fixture.identity(algorithms.0, 11)
        let bob = try Fixture.identity(algorithms.1, 12)
        let pair = try HandshakePair(
            initiator: Fixture.configuration(alice), responder: Fixture.configuration(bob)
        ).establish()

        #expect(pair.frames.map(\.name) == FrameName.allCases)
        #expect(pair.frames.allSatisfy { $0.bytes.count <= ProtocolConstants.maximumFrameSize })
        #expect(pair.initiator.state.id == pair.responder.state.id)
        #expect(pair.initiator.state.id.utf8.count == ProtocolConstants.sessionIDLength)
        #expect(pair.initiator.state.role == .initiator)
        #expect(pair.responder.state.role == .responder)
        #expect(pair.initiator.peer.identity == bob.publicKey)
        #expect(pair.responder.peer.identity == alice.publicKey)
        #expect(pair.initiator.peer.introduction?.name == bob.publicKey.fingerprint.sum)
        #expect(!pair.initiator.isResumed && !pair.responder.isResumed)
        try expectConversation(pair)
    }

    @Test(
        "With and without capabilities on either side",
        arguments: [(true, true), (true, false), (false, true), (false, false)])
    func capabilities(_ announces: (Bool, Bool)) throws {
        let alice = try Fixture.configuration(Fixture.alice.get(), capabilities: announces.0 ? .all : .none)
        let bob = try Fixture.configuration(Fixture.bob.get(), capabilities: announces.1 ? .all : .none)
        let pair = try HandshakePair(initiator: alice, responder: bob).establish()
        #expect(pair.initiator.peer.capabilities == bob.capabilities)
        #expect(pair.responder.peer.capabilities == alice.capabilities)
        try expectConversation(pair)
    }

    /// Sizes 0, 1, 64 and the largest in both directions, numbered from 3; one byte more is refused and harms nothing.
    private func expectConversation(_ pair: consuming EstablishedPair) throws {
        for index: UInt32 in [0, 1, 19] {
            let token = pair.initiator.resumptionRoot.token(at: index).exposed
            #expect(token == pair.responder.resumptionRoot.token(at: index).exposed)
        }
        let key = pair.initiator.additionSecret.key(for: .directStart).exposed
        #expect(key == pair.responder.additionSecret.key(for: .directStart).exposed)

        let agreed = CapabilitySet([.directStart])
        var left = SessionMachine(pair.initiator.state, agreedCapabilities: agreed, at: Fixture.moment())
        var right = SessionMachine(pair.responder.state, agreedCapabilities: agreed, at: Fixture.moment())
        var number: UInt64 = 3
        for size in [0, 1, 64, ProtocolConstants.maximumPayloadSize] {
            let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            for isForward in [true, false] {
                let sealed =
                    try isForward
                    ? left.send(payload, at: Fixture.moment()) : right.send(payload, at: Fixture.moment())
                #expect(sealed.frame.count <= ProtocolConstants.maximumFrameSize)
                #expect(sealed.metadata.sequence == number)
                let event =
                    try isForward
                    ? right.receivedFrame(sealed.frame, at: Fixture.moment())
                    : left.receivedFrame(sealed.frame, at: Fixture.moment())
                #expect(event == .message(ReceivedMessage(metadata: sealed.metadata, payload: payload)))
            }
            number += 1
            let tooLarge = [UInt8](repeating: 0, count: ProtocolConstants.maximumPayloadSize + 1)
            expectError(.misuse(.messageTooLarge(size: tooLarge.count, limit: ProtocolConstants.maximumPayloadSize))) {
                () throws(ProtocolError) in _ = try left.send(tooLarge, at: Fixture.moment())
            }
        }
    }

    @Test("Twenty tokens, all different")
    func tokens() throws {
        let pair = try HandshakePair(
            initiator: Fixture.configuration(Fixture.alice.get()), responder: Fixture.configuration(Fixture.bob.get())
        ).establish()
        var tokens: Set<[UInt8]> = []
        for index in 0..<UInt32(ProtocolConstants.resumptionTokenCount) {
            let token = pair.initiator.resumptionRoot.token(at: index).exposed
            #expect(token == pair.responder.resumptionRoot.token(at: index).exposed)
            tokens.insert(token)
        }
        #expect(tokens.count == 20)
        #expect(tokens.allSatisfy { $0.count == ProtocolConstants.resumptionTokenSize })
    }

    @Test("Two handshakes of the same people share nothing")
    func freshness() throws {
        let alice = try Fixture.configuration(Fixture.alice.get())
        let bob = try Fixture.configuration(Fixture.bob.get())
        let first = try HandshakePair(initiator: alice, responder: bob, seed: 1).establish()
        let second = try HandshakePair(initiator: alice, responder: bob, seed: 2).establish()
        #expect(first.initiator.state.id != second.initiator.state.id)
        let keys = (
            first.initiator.additionSecret.key(for: .directStart).exposed,
            second.initiator.additionSecret.key(for: .directStart).exposed
        )
        #expect(keys.0 != keys.1)
    }

    @Test("Keys of additions depend on both announcements, on the capability and on the secret")
    func additionKeys() throws {
        let request = HandshakeMessage(key: [1], salt: [2], sessionKey: "A")
        let response = HandshakeMessage(key: [3], salt: [4], sessionKey: "B")
        func key(_ announcements: Announcements, _ capability: Capability = .directStart) -> [UInt8] {
            KeySchedule(
                sharedSecret: SecretBytes(copying: [UInt8](repeating: 5, count: 32)), sessionID: "AB", request: request,
                response: response
            ).additionSecret(announcements).key(for: capability).exposed
        }
        let other = try #require(Capability("other"))
        let keys = [
            key(Announcements(initiator: [1], responder: [2])), key(Announcements(initiator: [1], responder: [3])),
            key(Announcements(initiator: [2], responder: [2])), key(Announcements(initiator: [2], responder: [1])),
            key(.resumed), key(.resumed, other),
        ]
        #expect(Set(keys).count == keys.count)
        #expect(keys[0] == key(Announcements(initiator: [1], responder: [2])))
    }

    @Test("Frames stay within the wire's limit however far padding goes", arguments: pairs)
    func widestPadding(_ algorithms: (IdentityAlgorithm, IdentityAlgorithm)) throws {
        var pair = try HandshakePair(
            InitiatorMachine(
                configuration: Fixture.configuration(try Fixture.identity(algorithms.0, 11)),
                random: ConstantRandom(byte: 0xc7)),
            ResponderMachine(
                configuration: Fixture.configuration(try Fixture.identity(algorithms.1, 12)),
                random: ConstantRandom(byte: 0xc7)))
        try pair.run()
        #expect(pair.initiator.isEstablished && pair.responder.isEstablished)
        for frame in pair.sent {
            #expect(frame.bytes.count <= ProtocolConstants.maximumFrameSize, "\(frame.name)")
        }
    }

    @Test("The machines say when the tunnel stands and when the peer decides")
    func progress() throws {
        let recording = try Recording(
            initiator: Fixture.configuration(Fixture.alice.get()), responder: Fixture.configuration(Fixture.bob.get()))
        let tunnel = try recording.initiator(before: .reply)
        #expect(tunnel.isTunnelEstablished && tunnel.peerIsDeciding)
        let later = try recording.initiator(before: .accept)
        #expect(later.isTunnelEstablished && !later.peerIsDeciding)
        let first = recording.responder(before: .encapsulation)
        #expect(!first.isTunnelEstablished && !first.peerIsDeciding)
        let opening = recording.responder(before: .opening)
        #expect(opening.isTunnelEstablished && !opening.peerIsDeciding)
        let deciding = recording.responder(before: .request)
        #expect(deciding.isTunnelEstablished && deciding.peerIsDeciding)
    }
}

/// Expects one error and nothing else. `#expect(throws:)` cannot lend values that cannot be copied to its closure.
func expectError(
    _ expected: ProtocolError, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws(ProtocolError) -> Void
) {
    do {
        try body()
        Issue.record("expected \(expected), but nothing was wrong", sourceLocation: sourceLocation)
    } catch {
        #expect(error == expected, sourceLocation: sourceLocation)
    }
}
