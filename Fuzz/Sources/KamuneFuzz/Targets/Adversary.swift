import Foundation
import KamuneTestSupport
import SwiftProtobuf

@testable import KamuneCrypto
@testable import KamuneProtocol

/// The other end of a handshake, driven by the fuzzer. It holds an identity and all keys that an honest peer holds, so
/// what it sends gets past ciphers and signatures; and at each step the input decides what it sends.
struct Adversary: ~Copyable {
    let role: Role
    let identity: Identity
    var choices: Choices
    var random = SeededRandom(17)
    var tunnel: Tunnel?
    /// The step of the handshake that is next: the number of frames that this side has sent in the tunnel.
    var step = 0
    var victim: PublicIdentity?
    private var kemKey: MLKEM768PrivateKey?
    private var request: HandshakeMessage?
    private var schedule: KeySchedule?
    private var session: SessionState?
    private var lastFrame: [UInt8] = []

    init(role: Role, identity: Identity, choices: Choices) {
        self.role = role
        self.identity = identity
        self.choices = choices
    }

    static let now = Timestamp(seconds: 1_760_000_000)

    // MARK: What is due

    /// The route of the message that an honest peer sends at this step.
    private var dueRoute: Route {
        switch (role, step) {
        case (_, 0): .identity
        case (.initiator, 1): .requestHandshake
        case (.responder, 1): .acceptHandshake
        case (.initiator, 2): .sendChallenge
        case (.initiator, _): .verifyChallenge
        case (.responder, 2): .verifyChallenge
        case (.responder, _): .sendChallenge
        }
    }

    /// The number that it bears.
    private var dueSequence: UInt64 { step < 2 ? 0 : UInt64(step - 1) }

    private mutating func dueData() throws -> [UInt8] {
        switch dueRoute {
        case .identity:
            var wire = WireIntroduce()
            wire.name = "fuzz"
            wire.publicKey = .init(identity.publicKey.spki)
            wire.appVersion = ProtocolConstants.version
            return try wire.encoded()
        case .requestHandshake:
            let key = try MLKEM768PrivateKey.generate(using: &random)
            kemKey = key
            let message = HandshakeMessage(
                key: key.publicKey, salt: random.bytes(16), sessionKey: random.base32Text(count: 12))
            request = message
            return try message.encoded()
        case .acceptHandshake:
            guard let request, let victim else { return [] }
            var encapsulator = SystemEncapsulator()
            let encapsulation = try encapsulator.encapsulateMLKEM768(to: request.key)
            let response = HandshakeMessage(
                key: encapsulation.ciphertext, salt: random.bytes(16), sessionKey: random.base32Text(count: 12))
            try agree(encapsulation.sharedSecret, request, response, victim)
            return try response.encoded()
        default:
            let owner = dueRoute == .sendChallenge ? role : role.peer
            guard let bytes = schedule?.challenge(of: owner).withUnsafeBytes({ Array($0) }) else { return [] }
            var data: [UInt8] = []
            BytesValue.encode(bytes, to: &data)
            return data
        }
    }

    private mutating func agree(
        _ secret: consuming SecretBytes, _ request: HandshakeMessage, _ response: HandshakeMessage,
        _ victim: PublicIdentity
    ) throws {
        let schedule = KeySchedule(
            sharedSecret: secret, sessionID: request.sessionKey + response.sessionKey, request: request,
            response: response)
        session = try SessionState(role: role, schedule: schedule, identity: identity, peer: victim, random: random)
        self.schedule = consume schedule
    }

    // MARK: Reading

    /// Takes what the victim answered, as far as this side can follow it.
    mutating func received(_ frame: [UInt8]) {
        guard let plaintext = try? tunnel?.open(frame), let envelope = try? Envelope(parsing: plaintext) else { return }
        switch try? envelope.claimedRoute() {
        case .identity: victim = try? PeerIntroduction(envelope, localVersion: .current).identity
        case .requestHandshake:
            request = try? HandshakeMessage(decoding: envelope.unverifiedData, route: .requestHandshake)
        case .acceptHandshake:
            guard let response = try? HandshakeMessage(decoding: envelope.unverifiedData, route: .acceptHandshake),
                let request, let victim, let secret = try? kemKey?.decapsulate(response.key)
            else { return }
            try? agree(secret, request, response, victim)
        default: break
        }
    }

    // MARK: Sending

    /// The next frame, as the input wishes it.
    mutating func nextFrame() throws -> [UInt8] {
        let frame = try makeFrame()
        step += 1
        lastFrame = frame
        return frame
    }

    private mutating func makeFrame() throws -> [UInt8] {
        switch choices.below(12) {
        case 0, 1, 2:
            // Mostly by the rules: how else to get far.
            return try sealed(try honestEnvelope())
        case 3:
            return choices.bytes()
        case 4:
            return choices.mutated(try sealed(try honestEnvelope()))
        case 5:
            // Sometimes a word on why there is nothing to talk about.
            let reason = HandshakeRefusal(rawValue: UInt8(choices.below(16)))
            guard let reason else { return try sealed(choices.bytes()) }
            return try sealed(choices.below(2) == 0 ? reason.encoded : choices.mutated(reason.encoded))
        case 6:
            return try sealed(choices.mutated(try honestEnvelope()))
        case 7:
            // Signed, of any route and number, with contents out of the input.
            let rawRoute = Int32(truncatingIfNeeded: choices.number())
            let sequence = choices.number()
            return try sealed(
                try sealedEnvelope(
                    .identity, choices.bytes(), rawRoute: rawRoute, sequence: sequence, signedBy: identity, &random))
        case 8:
            // Signed, right in all but some bytes of its contents.
            let data = choices.mutated(try dueData())
            return try sealed(
                try sealedEnvelope(dueRoute, data, sequence: dueSequence, signedBy: identity, &random))
        case 9:
            return try sealed(try signedEnvelope(metadata: choices.bytes(), try dueData()))
        case 10:
            return lastFrame
        default:
            // Right in all but its fields, which are well formed and out of bounds.
            return try sealed(
                try sealedEnvelope(dueRoute, try oddData(), sequence: dueSequence, signedBy: identity, &random))
        }
    }

    private mutating func honestEnvelope() throws -> [UInt8] {
        try sealedEnvelope(dueRoute, try dueData(), sequence: dueSequence, signedBy: identity, &random)
    }

    /// A message of the due kind whose fields come out of the input.
    private mutating func oddData() throws -> [UInt8] {
        switch dueRoute {
        case .identity:
            var wire = WireIntroduce()
            wire.name = String(decoding: choices.bytes(), as: UTF8.self)
            wire.publicKey = .init(choices.mutated(identity.publicKey.spki))
            wire.appVersion = String(decoding: choices.bytes(), as: UTF8.self)
            for _ in 0..<choices.below(40) {
                wire.capabilities.append(String(decoding: choices.bytes(), as: UTF8.self))
            }
            return try wire.encoded()
        case .requestHandshake, .acceptHandshake:
            var wire = try WireHandshake(serializedBytes: try dueData())
            switch choices.below(3) {
            case 0: wire.key = .init(choices.mutated(Array(wire.key)))
            case 1: wire.salt = .init(choices.bytes())
            default: wire.sessionKey = String(decoding: choices.bytes(), as: UTF8.self)
            }
            return try wire.encoded()
        default:
            var data: [UInt8] = []
            BytesValue.encode(choices.bytes(), to: &data)
            return data
        }
    }

    private func signedEnvelope(metadata: [UInt8], _ data: [UInt8]) throws -> [UInt8] {
        let input = Envelope.signingInput(metadata: metadata, dataSize: data.count) + data
        var output: [UInt8] = []
        WireWriter.appendField(Envelope.Field.data, data, to: &output)
        WireWriter.appendField(Envelope.Field.signature, try identity.sign(input), to: &output)
        WireWriter.appendField(Envelope.Field.metadata, metadata, to: &output)
        return output
    }

    /// Seals a plaintext for this step: by the tunnel, and from the challenges on by the session's key first.
    private mutating func sealed(_ plaintext: [UInt8]) throws -> [UInt8] {
        var inner = plaintext
        if step >= 2, let key = schedule?.sessionKey(of: role) {
            let nonce = XChaCha20Poly1305.Nonce.random(using: &random)
            inner = try XChaCha20Poly1305(key: key).seal(plaintext, nonce: nonce)
        }
        return try tunnel?.seal(inner) ?? inner
    }
}

/// What fuzzing needs of either role of a handshake.
protocol FuzzedMachine: ~Copyable {
    /// The frames to send before the next one is due.
    var outgoing: [[UInt8]] { get }

    /// Takes a frame, accepts whoever introduces itself, and resumes nothing.
    consuming func take(_ frame: [UInt8]) throws(ProtocolError) -> Taken<Self>
}

/// What became of a machine.
enum Taken<Machine: ~Copyable>: ~Copyable {
    case waits(Machine, introduced: PublicIdentity?)
    case refused(sending: [UInt8])
    case established(EstablishedSession, sending: [[UInt8]])
}

extension InitiatorMachine: FuzzedMachine {
    consuming func take(_ frame: [UInt8]) throws(ProtocolError) -> Taken<InitiatorMachine> {
        switch try receivedFrame(frame, at: Adversary.now) {
        case .proceed(let next):
            return .waits(next, introduced: nil)
        case .verifyPeer(let peer):
            let identity = peer.introduction.identity
            return .waits(try peer.accept(at: Adversary.now), introduced: identity)
        case .established(let session, sending: let frames):
            return .established(session, sending: frames)
        }
    }
}

extension ResponderMachine: FuzzedMachine {
    consuming func take(_ frame: [UInt8]) throws(ProtocolError) -> Taken<ResponderMachine> {
        switch try receivedFrame(frame, at: Adversary.now) {
        case .proceed(let next):
            return .waits(next, introduced: nil)
        case .verifyPeer(let peer):
            let identity = peer.introduction.identity
            return .waits(try peer.accept(at: Adversary.now), introduced: identity)
        case .resolveResumption(let peer):
            return .refused(sending: try peer.refuse())
        case .established(let session):
            return .established(session, sending: [])
        }
    }
}

/// The side under test.
struct Victim<Machine: FuzzedMachine & ~Copyable>: ~Copyable {
    /// The machine while it waits for a frame; nil once it has ended.
    private(set) var machine: Machine?

    init(_ machine: consuming Machine) {
        self.machine = consume machine
    }

    /// Checks the promises that hold for every frame, then lets it go on.
    mutating func take(_ frame: [UInt8], _ adversary: inout Adversary) throws -> [[UInt8]] {
        guard let machine = machine.take() else { return [] }
        let taken: Taken<Machine>
        do throws(ProtocolError) {
            taken = try machine.take(frame)
        } catch {
            try expectPeersFault(error)
            return []
        }
        let attacker = adversary.identity.publicKey
        var sent: [[UInt8]] = []
        switch consume taken {
        case .waits(let next, let introduced):
            try expect((introduced ?? attacker) == attacker, "an introduction of somebody else was believed")
            sent = next.outgoing
            self.machine = consume next
        case .refused(let refusal):
            sent = [refusal]
        case .established(let session, let frames):
            try expect(session.peer.identity == attacker, "a session with somebody else")
            try expect(
                session.state.openedCount == 2 && session.state.sealedCount == 2, "a session without both challenges")
            sent = frames
        }
        for frame in sent {
            try expect(frame.count <= ProtocolConstants.maximumFrameSize, "a frame of \(frame.count) bytes")
        }
        return sent
    }
}
