import Foundation
import KamuneCrypto
import KamuneTestSupport

@testable import KamuneProtocol

/// A peer that knows the protocol, holds an identity and valid keys, and sends whatever a test wants: everything that it
/// sends is signed and sealed as it should be, so what it says gets past cipher and signature.
///
/// It announces no capabilities unless told to, and pads at random, as a program of 0.7.
struct RawPeer: ~Copyable {
    let role: Role
    let identity: Identity
    var random: SeededRandom
    /// The capabilities in its introduction.
    var announced: [String] = []
    var tunnel: Tunnel
    /// The other side's frame that has arrived but was not opened yet.
    var received: [[UInt8]] = []
    /// The other side's identity, once it has introduced itself.
    var peer: PublicIdentity?
    var privateKey: MLKEM768PrivateKey?
    /// The keys, once both handshake messages are there.
    var schedule: KeySchedule?
    var session: SessionState?

    // MARK: The exchange

    /// Plays the initiator as far as the tunnel.
    init(connectingTo victim: inout Side<ResponderMachine>, as identity: Identity, seed: UInt64 = 77) throws {
        var random = SeededRandom(seed)
        let key = try TunnelPrivateKey.generate(using: &random)
        let merged = try MergedExchange(decoding: try victim.only(after: key.publicKey))
        let opener = try TunnelOpener(encapsulatedKey: merged.encapsulatedKey, privateKey: key)
        var system = SystemEncapsulator()
        let encapsulation = try system.encapsulateTunnel(to: merged.publicKey)
        _ = victim.deliver(encapsulation.encapsulatedKey)
        role = .initiator
        self.identity = identity
        self.random = random
        tunnel = Tunnel(sealer: encapsulation.sealer, opener: opener)
    }

    /// Plays the responder as far as the tunnel; the initiator's first envelope waits in ``received``.
    init(acceptingFrom victim: inout Side<InitiatorMachine>, as identity: Identity, seed: UInt64 = 78) throws {
        var random = SeededRandom(seed)
        guard let theirKey = victim.machine?.outgoing.first else { throw UnexpectedAnswer() }
        var system = SystemEncapsulator()
        let encapsulation = try system.encapsulateTunnel(to: theirKey)
        let key = try TunnelPrivateKey.generate(using: &random)
        let answer = MergedExchange(encapsulatedKey: encapsulation.encapsulatedKey, publicKey: key.publicKey)
        let frames = victim.deliver(answer.encoded())
        guard frames.count == 2 else { throw UnexpectedAnswer() }
        let opener = try TunnelOpener(encapsulatedKey: frames[0], privateKey: key)
        role = .responder
        self.identity = identity
        self.random = random
        tunnel = Tunnel(sealer: encapsulation.sealer, opener: opener)
        received = [frames[1]]
    }

    // MARK: Envelopes

    /// A signed and padded envelope of any contents.
    mutating func envelope(
        _ route: Route, _ data: [UInt8], rawRoute: Int32? = nil, id: String = "", sequence: UInt64 = 0,
        signer: Identity? = nil
    ) throws -> [UInt8] {
        var metadata = Metadata(id: id, timestamp: Fixture.now, sequence: sequence, route: route)
        if let rawRoute { metadata.rawRoute = rawRoute }
        return try Envelope.seal(
            metadata: metadata, dataSize: data.count, appendData: { $0.append(contentsOf: data) },
            signedBy: signer ?? identity, random: &random)
    }

    /// The same, sealed for the tunnel.
    mutating func frame(
        _ route: Route, _ data: [UInt8], rawRoute: Int32? = nil, signer: Identity? = nil
    ) throws -> [UInt8] {
        try tunnel.seal(try envelope(route, data, rawRoute: rawRoute, signer: signer))
    }

    /// A signed envelope whose metadata is any bytes at all.
    func envelope(metadata: [UInt8], _ data: [UInt8]) throws -> [UInt8] {
        let input = Envelope.signingInput(metadata: metadata, dataSize: data.count) + data
        var output: [UInt8] = []
        WireWriter.appendField(Envelope.Field.data, data, to: &output)
        WireWriter.appendField(Envelope.Field.signature, try identity.sign(input), to: &output)
        WireWriter.appendField(Envelope.Field.metadata, metadata, to: &output)
        return output
    }

    mutating func openNext() throws -> Envelope {
        try Envelope(parsing: try tunnel.open(received.removeFirst()))
    }

    func introduction(_ change: (inout WireIntroduce) -> Void = { _ in }) throws -> [UInt8] {
        var wire = WireIntroduce()
        wire.name = "raw"
        wire.publicKey = .init(identity.publicKey.spki)
        wire.appVersion = ProtocolConstants.version
        wire.capabilities = announced
        change(&wire)
        return try wire.encoded()
    }

    /// What an honest peer would send as this frame; in the handshake its data, under the session's keys its bytes.
    mutating func honestData(_ frame: FrameName) throws -> [UInt8] {
        switch frame {
        case .opening, .reply: try introduction()
        case .request: try request()
        case .accept: lastResponse
        case .initiatorChallenge, .responderChallenge, .responderAnswer, .initiatorAnswer:
            bytesValue(try rightChallenge(frame))
        case .initiatorKey, .exchange, .encapsulation: throw UnexpectedAnswer()
        }
    }

    mutating func request(_ change: (inout WireHandshake) -> Void = { _ in }) throws -> [UInt8] {
        let key = try MLKEM768PrivateKey.generate(using: &random)
        privateKey = key
        var wire = WireHandshake()
        wire.key = .init(key.publicKey)
        wire.salt = .init(random.bytes(16))
        wire.sessionKey = random.base32Text(count: 12)
        change(&wire)
        return try wire.encoded()
    }

    // MARK: As an initiator

    /// Plays the initiator by the rules until the given frame of its own is due.
    mutating func advance(_ victim: inout Side<ResponderMachine>, to frame: FrameName) throws {
        guard frame.rawValue > FrameName.opening.rawValue else { return }
        received = victim.deliver(try self.frame(.identity, try introduction()))
        let envelope = try openNext()
        let peer = try PeerIntroduction(envelope, localVersion: .current).identity
        self.peer = peer
        guard frame.rawValue > FrameName.request.rawValue else { return }

        let requestBytes = try request()
        received = victim.deliver(try self.frame(.requestHandshake, requestBytes))
        let answer = try openNext().verified(by: peer)
        let response = try HandshakeMessage(decoding: answer.data, route: .acceptHandshake)
        guard let privateKey else { throw UnexpectedAnswer() }
        try agree(
            sharedSecret: try privateKey.decapsulate(response.key),
            request: try HandshakeMessage(decoding: requestBytes[...], route: .requestHandshake), response: response)
        guard frame.rawValue > FrameName.initiatorChallenge.rawValue else { return }

        received = victim.deliver(try challengeFrame())
        guard received.count == 2 else { throw UnexpectedAnswer() }
        for _ in 0..<2 { _ = try session?.open(try tunnel.open(received.removeFirst())) }
    }

    // MARK: As a responder

    /// Plays the responder by the rules until the given frame of its own is due.
    mutating func advance(_ victim: inout Side<InitiatorMachine>, to frame: FrameName) throws {
        let peer = try PeerIntroduction(try openNext(), localVersion: .current).identity
        self.peer = peer
        guard frame.rawValue > FrameName.reply.rawValue else { return }
        received = victim.deliver(try self.frame(.identity, try introduction()))
        let message = try openNext().verified(by: peer)
        let request = try HandshakeMessage(decoding: message.data, route: .requestHandshake)
        var system = SystemEncapsulator()
        let encapsulation = try system.encapsulateMLKEM768(to: request.key)
        let response = HandshakeMessage(
            key: encapsulation.ciphertext, salt: random.bytes(16), sessionKey: random.base32Text(count: 12))
        lastResponse = try response.encoded()
        try agree(sharedSecret: encapsulation.sharedSecret, request: request, response: response)
        guard frame.rawValue > FrameName.accept.rawValue else { return }

        received = victim.deliver(try self.frame(.acceptHandshake, lastResponse))
        _ = try session?.open(try tunnel.open(received.removeFirst()))
        guard frame.rawValue > FrameName.responderAnswer.rawValue else { return }
        _ = victim.deliver(try answerFrame())
    }

    /// The handshake message that a responder is about to send.
    private(set) var lastResponse: [UInt8] = []

    // MARK: Under the session's keys

    private mutating func agree(
        sharedSecret: consuming SecretBytes, request: HandshakeMessage, response: HandshakeMessage
    ) throws {
        guard let peer else { throw UnexpectedAnswer() }
        let schedule = KeySchedule(
            sharedSecret: sharedSecret, sessionID: request.sessionKey + response.sessionKey, request: request,
            response: response)
        session = try SessionState(role: role, schedule: schedule, identity: identity, peer: peer, random: random)
        self.schedule = consume schedule
    }

    private func challenge(of role: Role) throws -> [UInt8] {
        guard let bytes = schedule?.challenge(of: role).exposed else { throw UnexpectedAnswer() }
        return bytes
    }

    /// The bytes that belong into one of our frames, and those of the other direction.
    func rightChallenge(_ frame: FrameName) throws -> [UInt8] {
        try challenge(of: frame == .initiatorChallenge || frame == .responderChallenge ? role : role.peer)
    }

    func otherChallenge(_ frame: FrameName) throws -> [UInt8] {
        try challenge(of: frame == .initiatorChallenge || frame == .responderChallenge ? role.peer : role)
    }

    /// Our challenge, or another one.
    mutating func challengeFrame(_ bytes: [UInt8]? = nil, route: Route = .sendChallenge) throws -> [UInt8] {
        try sessionFrame(route, bytes: try bytes ?? challenge(of: role))
    }

    /// The answer to the other side's challenge, or another one.
    mutating func answerFrame(_ bytes: [UInt8]? = nil, route: Route = .verifyChallenge) throws -> [UInt8] {
        try sessionFrame(route, bytes: try bytes ?? challenge(of: role.peer))
    }

    /// A right challenge or answer whose padding begins with the marker of one who announces.
    mutating func markedFrame(_ frame: FrameName) throws -> [UInt8] {
        let bytes = try rightChallenge(frame)
        guard let prefix = schedule?.announcementProof(of: role, .resumed).encoded(),
            let sealed = try session?.seal(
                frame == .initiatorChallenge ? .sendChallenge : .verifyChallenge,
                challenge: SecretBytes(copying: bytes), paddingPrefix: prefix, at: Fixture.now)
        else { throw UnexpectedAnswer() }
        return try tunnel.seal(sealed)
    }

    mutating func sessionFrame(_ route: Route, bytes: [UInt8], isTunnelled: Bool = true) throws -> [UInt8] {
        guard let sealed = try session?.seal(route, bytes: bytes, at: Fixture.now) else { throw UnexpectedAnswer() }
        return isTunnelled ? try tunnel.seal(sealed.frame) : sealed.frame
    }

    /// Any envelope at all, under the session's key and the tunnel's.
    mutating func sessionFrame(envelope: [UInt8]) throws -> [UInt8] {
        guard let key = schedule?.sessionKey(of: role) else { throw UnexpectedAnswer() }
        let nonce = XChaCha20Poly1305.Nonce.random(using: &random)
        return try tunnel.seal(try XChaCha20Poly1305(key: key).seal(envelope, nonce: nonce))
    }
}

struct UnexpectedAnswer: Error {}

extension Side where Machine == ResponderMachine {
    mutating func deliver(_ frame: [UInt8]) -> [[UInt8]] {
        receive(frame) { _ in nil }
    }

    /// The one frame that answers another.
    mutating func only(after frame: [UInt8]) throws -> [UInt8] {
        let frames = deliver(frame)
        guard frames.count == 1 else { throw UnexpectedAnswer() }
        return frames[0]
    }
}

extension Side where Machine == InitiatorMachine {
    mutating func deliver(_ frame: [UInt8]) -> [[UInt8]] {
        receive(frame) { _ in nil }
    }
}
