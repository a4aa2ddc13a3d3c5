import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneProtocol

/// Two sessions that fit together, without a handshake before them, and a hand that knows their keys: it seals whatever
/// a test wants.
struct SessionFixture: ~Copyable {
    /// Ours: the one that is attacked.
    var local: SessionMachine
    /// The peer, who keeps to the rules.
    var remote: SessionMachine
    let localIdentity: Identity
    let remoteIdentity: Identity
    private let schedule: KeySchedule
    private let localRole: Role
    private var random = SeededRandom(4711)

    init(
        localRole: Role = .responder, agreed: CapabilitySet = .all, configuration: SessionConfiguration = .init()
    ) throws {
        let alice = try Fixture.alice.get()
        let bob = try Fixture.bob.get()
        let schedule = KeySchedule(
            sharedSecret: SecretBytes(copying: [UInt8](repeating: 42, count: 32)),
            sessionID: "ABCDEFGHIJKLMNOPQRSTUVWX",
            request: HandshakeMessage(key: [1], salt: [UInt8](repeating: 2, count: 16), sessionKey: "ABCDEFGHIJKL"),
            response: HandshakeMessage(key: [3], salt: [UInt8](repeating: 4, count: 16), sessionKey: "MNOPQRSTUVWX"))
        var ours = try SessionState(
            role: localRole, schedule: schedule, identity: alice, peer: bob.publicKey, random: SeededRandom(1))
        var theirs = try SessionState(
            role: localRole.peer, schedule: schedule, identity: bob, peer: alice.publicKey, random: SeededRandom(2))
        // Numbers 1 and 2 belong to the challenges.
        for route in [Route.sendChallenge, .verifyChallenge] {
            _ = try theirs.open(try ours.seal(route, bytes: [1], at: Fixture.now).frame)
            _ = try ours.open(try theirs.seal(route, bytes: [1], at: Fixture.now).frame)
        }
        local = SessionMachine(ours, agreedCapabilities: agreed, configuration: configuration, at: Fixture.moment())
        remote = SessionMachine(theirs, agreedCapabilities: agreed, configuration: configuration, at: Fixture.moment())
        localIdentity = alice
        remoteIdentity = bob
        self.schedule = schedule
        self.localRole = localRole
    }

    /// A frame from the peer with any contents, signed and sealed as it should be unless said otherwise.
    mutating func forged(
        rawRoute: Int32 = Route.exchangeMessages.rawValue, data: [UInt8] = [], sequence: UInt64 = 3,
        signer: Identity? = nil, sealedBy role: Role? = nil
    ) throws -> [UInt8] {
        var metadata = Metadata(id: "", timestamp: Fixture.now, sequence: sequence, route: .ping)
        metadata.rawRoute = rawRoute
        let envelope = try Envelope.seal(
            metadata: metadata, dataSize: data.count, appendData: { $0.append(contentsOf: data) },
            signedBy: signer ?? remoteIdentity, random: &random)
        return try sealed(envelope, by: role)
    }

    /// Any plaintext under the peer's key.
    mutating func sealed(_ plaintext: [UInt8], by role: Role? = nil) throws -> [UInt8] {
        let nonce = XChaCha20Poly1305.Nonce.random(using: &random)
        return try XChaCha20Poly1305(key: schedule.sessionKey(of: role ?? localRole.peer)).seal(plaintext, nonce: nonce)
    }

    /// The keys and counters of our side alone. They outlive a frame that does not open, where the machine around them
    /// ends: so very many frames can be tried on one.
    mutating func probe() throws -> SessionState {
        var state = try SessionState(
            role: localRole, schedule: schedule, identity: localIdentity, peer: remoteIdentity.publicKey,
            random: SeededRandom(1))
        for number in 1...SessionState.handshakeMessageCount { _ = try state.open(try forged(sequence: number)) }
        return state
    }

    /// Opens our side's first frame as the peer would.
    mutating func firstEnvelope(in frame: [UInt8]) throws -> VerifiedEnvelope {
        var state = try SessionState(
            role: localRole.peer, schedule: schedule, identity: remoteIdentity, peer: localIdentity.publicKey,
            random: SeededRandom(2))
        for number in 1...SessionState.handshakeMessageCount {
            _ = try state.open(try forged(sequence: number, signer: localIdentity, sealedBy: localRole))
        }
        return try state.open(frame)
    }

    /// What our side makes of a frame that is wrong: the error, once it is certain that the session has ended for good.
    mutating func error(of frame: [UInt8], at time: Duration = .zero) throws -> ProtocolError? {
        do {
            _ = try local.receivedFrame(frame, at: Fixture.moment(time))
            return nil
        } catch let cause {
            guard !local.isOpen, local.nextDeadline == nil, local.heldBackUntil == nil else { throw CameBackToLife() }
            expectError(.misuse(.ended)) { () throws(ProtocolError) in
                _ = try local.receivedFrame(frame, at: Fixture.moment(time))
            }
            expectError(.misuse(.ended)) { () throws(ProtocolError) in _ = try local.send([1], at: Fixture.moment(time))
            }
            expectError(.misuse(.ended)) { () throws(ProtocolError) in _ = try local.ping(at: Fixture.moment(time)) }
            if try local.close(at: Fixture.moment(time)) != nil { throw CameBackToLife() }
            if try local.timeElapsed(at: Fixture.moment(.seconds(3_600))) != .nothing { throw CameBackToLife() }
            return cause
        }
    }
}

extension SessionMachine {
    var exposedRelaySecret: [UInt8]? {
        guard let secret = relaySecret() else { return nil }
        return secret.exposed
    }
}

extension SessionState {
    /// Whether a frame cannot be opened, and leaves no trace.
    mutating func refuses(_ frame: [UInt8]) -> Bool {
        let count = openedCount
        do {
            _ = try open(frame)
            return false
        } catch {
            return error == .authenticationFailed(.undecryptable(.session)) && openedCount == count
        }
    }
}

/// The encoding of a `BytesValue`.
func bytesValue(_ bytes: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    BytesValue.encode(bytes, to: &output)
    return output
}
