public import KamuneCrypto

/// The handshake of the side that connects (§5, §6), cold or resuming.
///
/// ```
/// start            → X-Wing public key
/// receivedFrame    ← X-Wing ciphertext and public key
///                  → X-Wing ciphertext, then Introduce            or ResumeRequest
///                  ← Introduce: verifyPeer, then acceptPeer       or ResumeAccept
///                  → RequestHandshake
///                  ← AcceptHandshake
///                  → SendChallenge
///                  ← VerifyChallenge
///                  ← SendChallenge
///                  → VerifyChallenge: established
/// ```
///
/// The machine does no I/O. Each call takes its state and puts the next one back only when every check has passed; an
/// error leaves it failed for good.
public struct InitiatorMachine: HandshakeMachine, ~Copyable, Sendable {
    private var context: HandshakeContext
    private var state: State

    private enum State: ~Copyable, Sendable {
        case ready(ResumptionTicket?)
        case awaitingExchange(AwaitingExchange)
        case awaitingIntroduction(AwaitingIntroduction)
        case awaitingVerdict(AwaitingVerdict)
        case awaitingResumptionAnswer(AwaitingResumptionAnswer)
        case awaitingHandshake(AwaitingHandshake)
        case awaitingChallengeAnswer(AwaitingChallengeAnswer)
        case awaitingChallenge(AwaitingChallenge)
        case ended
    }

    /// A machine for a cold handshake, or with a ticket, for a resumption.
    public init(
        configuration: HandshakeConfiguration, resuming ticket: consuming ResumptionTicket? = nil,
        random: any RandomSource, encapsulator: any Encapsulator = SystemEncapsulator()
    ) {
        context = HandshakeContext(configuration: configuration, random: random, encapsulator: encapsulator)
        state = .ready(ticket)
    }

    private mutating func takeState() -> State {
        var taken = State.ended
        swap(&taken, &state)
        return taken
    }

    /// The first frame.
    public mutating func start() throws(ProtocolError) -> [UInt8] {
        guard case .ready(let ticket) = takeState() else { throw .misuse(reason: "the handshake has started already") }
        let privateKey: TunnelPrivateKey
        do {
            privateKey = try TunnelPrivateKey.generate(using: &context.random)
        } catch {
            throw .cryptographyFailed
        }
        let frame = privateKey.publicKey
        state = .awaitingExchange(AwaitingExchange(privateKey: privateKey, ticket: ticket))
        return frame
    }

    /// Takes the next frame from the peer.
    public mutating func receivedFrame(_ frame: [UInt8], at now: Timestamp) throws(ProtocolError) -> HandshakeAction {
        switch takeState() {
        case .awaitingExchange(let current):
            return try receivedExchange(frame, current, now)
        case .awaitingIntroduction(let current):
            return try receivedIntroduction(frame, current)
        case .awaitingResumptionAnswer(let current):
            return try receivedResumptionAnswer(frame, current, now)
        case .awaitingHandshake(let current):
            return try receivedHandshake(frame, current, now)
        case .awaitingChallengeAnswer(let current):
            return try receivedChallengeAnswer(frame, current)
        case .awaitingChallenge(let current):
            return try receivedChallenge(frame, current, now)
        // One case a line: the compiler does not match several patterns of a value that cannot be copied.
        case .ready:
            throw .unexpectedFrame
        case .awaitingVerdict:
            throw .unexpectedFrame
        case .ended:
            throw .terminated
        }
    }

    /// Whether the keys of the tunnel are agreed.
    public var isTunnelEstablished: Bool {
        switch state {
        case .ready: false
        case .awaitingExchange: false
        case .ended: false
        default: true
        }
    }

    /// Whether the responder has our introduction and is judging it.
    public var peerIsDeciding: Bool {
        switch state {
        case .awaitingIntroduction: true
        default: false
        }
    }

    /// Only responders are asked to resume.
    public mutating func acceptResumption(
        _ resumption: VerifiedResumption, peerCapabilities: CapabilitySet
    ) throws(ProtocolError) -> HandshakeAction {
        throw .misuse(reason: "nobody asked to resume")
    }

    /// Only responders are asked to resume.
    public mutating func refuseResumption() throws(ProtocolError) -> [UInt8] {
        throw .misuse(reason: "nobody asked to resume")
    }

    /// Goes on after ``HandshakeAction/verifyPeer(_:)``: we want to talk to this peer.
    public mutating func acceptPeer(at now: Timestamp) throws(ProtocolError) -> HandshakeAction {
        guard case .awaitingVerdict(let current) = takeState() else {
            throw .misuse(reason: "no peer waits for a verdict")
        }
        let peer = SessionPeer(
            identity: current.peer.identity, introduction: current.peer, capabilities: current.peer.capabilities)
        return try requestHandshake(
            tunnel: current.tunnel, peer: peer, announcements: current.announcements, resuming: nil, now)
    }
}

// MARK: - States

extension InitiatorMachine {
    private struct AwaitingExchange: ~Copyable, Sendable {
        let privateKey: TunnelPrivateKey
        let ticket: ResumptionTicket?
    }

    private struct AwaitingIntroduction: ~Copyable, Sendable {
        var tunnel: Tunnel
        let localIntroduction: [UInt8]
    }

    private struct AwaitingVerdict: ~Copyable, Sendable {
        let tunnel: Tunnel
        let peer: PeerIntroduction
        let announcements: Announcements
    }

    private struct AwaitingResumptionAnswer: ~Copyable, Sendable {
        var tunnel: Tunnel
        let sessionID: String
        let peer: SessionPeer
    }

    private struct AwaitingHandshake: ~Copyable, Sendable {
        var tunnel: Tunnel
        let peer: SessionPeer
        let announcements: Announcements
        let resumedSessionID: String?
        let privateKey: MLKEM768PrivateKey
        let request: HandshakeMessage
    }

    private struct AwaitingChallengeAnswer: ~Copyable, Sendable {
        var tunnel: Tunnel
        var session: SessionState
        let peer: SessionPeer
        let schedule: KeySchedule
        let announcements: Announcements
        let isResumed: Bool
    }

    private struct AwaitingChallenge: ~Copyable, Sendable {
        var tunnel: Tunnel
        var session: SessionState
        let peer: SessionPeer
        let schedule: KeySchedule
        let announcements: Announcements
        let isResumed: Bool
    }
}

// MARK: - Steps

extension InitiatorMachine {
    private mutating func receivedExchange(
        _ frame: [UInt8], _ current: consuming AwaitingExchange, _ now: Timestamp
    ) throws(ProtocolError) -> HandshakeAction {
        let merged = try MergedExchange(decoding: frame)
        let opener: TunnelOpener
        do {
            opener = try TunnelOpener(encapsulatedKey: merged.encapsulatedKey, privateKey: current.privateKey)
        } catch {
            throw .malformedExchange(error)
        }
        let encapsulation: TunnelEncapsulation
        do {
            encapsulation = try context.encapsulator.encapsulateTunnel(to: merged.publicKey)
        } catch {
            throw .malformedExchange(error)
        }
        let encapsulatedKey = encapsulation.encapsulatedKey
        var tunnel = Tunnel(sealer: encapsulation.sealer, opener: opener)

        if let ticket = current.ticket {
            let sessionID = ticket.sessionID
            let peer = SessionPeer(
                identity: ticket.peer, introduction: nil, capabilities: ticket.peerCapabilities)
            let request = try context.envelope(try ticket.request(), metadata: Metadata(route: .resumeRequest))
            let sealed = try tunnel.seal(request)
            state = .awaitingResumptionAnswer(
                AwaitingResumptionAnswer(tunnel: tunnel, sessionID: sessionID, peer: peer))
            return .send([encapsulatedKey, sealed])
        }

        let introduction = try LocalIntroduction(context.configuration)
        let envelope = try context.envelope(
            introduction.encoded, metadata: Metadata(timestamp: now, route: .identity))
        let sealed = try tunnel.seal(envelope)
        state = .awaitingIntroduction(
            AwaitingIntroduction(tunnel: tunnel, localIntroduction: introduction.encoded))
        return .send([encapsulatedKey, sealed])
    }

    private mutating func receivedIntroduction(
        _ frame: [UInt8], _ current: consuming AwaitingIntroduction
    ) throws(ProtocolError) -> HandshakeAction {
        let envelope = try Envelope(parsing: try current.tunnel.open(frame))
        let peer = try PeerIntroduction(envelope, localVersion: context.configuration.version)
        let announcements = Announcements(initiator: current.localIntroduction, responder: peer.encoded)
        state = .awaitingVerdict(AwaitingVerdict(tunnel: current.tunnel, peer: peer, announcements: announcements))
        return .verifyPeer(peer)
    }

    private mutating func receivedResumptionAnswer(
        _ frame: [UInt8], _ current: consuming AwaitingResumptionAnswer, _ now: Timestamp
    ) throws(ProtocolError) -> HandshakeAction {
        let envelope = try Envelope(parsing: try current.tunnel.open(frame))
        try ResumptionAnswer.check(
            try envelope.verified(by: current.peer.identity).expecting(.resumeAccept))
        return try requestHandshake(
            tunnel: current.tunnel, peer: current.peer, announcements: .resumed, resuming: current.sessionID, now)
    }

    private mutating func requestHandshake(
        tunnel: consuming Tunnel, peer: SessionPeer, announcements: Announcements, resuming sessionID: String?,
        _ now: Timestamp
    ) throws(ProtocolError) -> HandshakeAction {
        let privateKey: MLKEM768PrivateKey
        do {
            privateKey = try MLKEM768PrivateKey.generate(using: &context.random)
        } catch {
            throw .cryptographyFailed
        }
        let request = HandshakeMessage(
            key: privateKey.publicKey, salt: context.randomSalt(),
            sessionKey: sessionID ?? context.randomHalfSessionID())
        let metadata = context.handshakeMetadata(route: .requestHandshake, now: now)
        let frame = try tunnel.seal(try context.envelope(try request.encoded(), metadata: metadata))
        state = .awaitingHandshake(
            AwaitingHandshake(
                tunnel: tunnel, peer: peer, announcements: announcements, resumedSessionID: sessionID,
                privateKey: privateKey, request: request))
        return .send([frame])
    }

    private mutating func receivedHandshake(
        _ frame: [UInt8], _ current: consuming AwaitingHandshake, _ now: Timestamp
    ) throws(ProtocolError) -> HandshakeAction {
        let envelope = try Envelope(parsing: try current.tunnel.open(frame))
            .verified(by: current.peer.identity).expecting(.acceptHandshake)
        let response = try HandshakeMessage(decoding: envelope.data, route: .acceptHandshake)
        if let expected = current.resumedSessionID, response.sessionKey != expected { throw .sessionMismatch }

        let sharedSecret: SecretBytes
        do {
            sharedSecret = try current.privateKey.decapsulate(response.key)
        } catch {
            throw .invalidHandshakeField(.key)
        }
        let schedule = KeySchedule(
            sharedSecret: sharedSecret,
            sessionID: current.resumedSessionID ?? current.request.sessionKey + response.sessionKey,
            request: current.request, response: response)
        var session = try SessionState(
            role: .initiator, schedule: schedule, identity: context.configuration.identity,
            peer: current.peer.identity, random: context.random)
        let challenge = try session.seal(
            .sendChallenge, challenge: schedule.challenge(of: .initiator),
            paddingPrefix: context.announcementPadding(schedule, current.announcements, sender: .initiator), at: now)
        var tunnel = current.tunnel
        let sealed = try tunnel.seal(challenge)
        state = .awaitingChallengeAnswer(
            AwaitingChallengeAnswer(
                tunnel: tunnel, session: session, peer: current.peer, schedule: schedule,
                announcements: current.announcements, isResumed: current.resumedSessionID != nil))
        return .send([sealed])
    }

    private mutating func receivedChallengeAnswer(
        _ frame: [UInt8], _ current: consuming AwaitingChallengeAnswer
    ) throws(ProtocolError) -> HandshakeAction {
        let answer = try current.session.open(try current.tunnel.open(frame)).expecting(.verifyChallenge)
        try current.schedule.challenge(of: .initiator).checkAnswer(answer)
        try context.checkAnnouncement(
            in: answer.padding, by: current.peer, current.schedule, current.announcements, sender: .responder)
        state = .awaitingChallenge(
            AwaitingChallenge(
                tunnel: current.tunnel, session: current.session, peer: current.peer, schedule: current.schedule,
                announcements: current.announcements, isResumed: current.isResumed))
        return .send([])
    }

    private mutating func receivedChallenge(
        _ frame: [UInt8], _ current: consuming AwaitingChallenge, _ now: Timestamp
    ) throws(ProtocolError) -> HandshakeAction {
        let message = try current.session.open(try current.tunnel.open(frame)).expecting(.sendChallenge)
        // 0.7 repeats whatever it is sent; we know what the challenge must be, and repeat nothing else.
        let challenge = current.schedule.challenge(of: .responder)
        try challenge.checkAnswer(message)
        let answer = try current.tunnel.seal(
            try current.session.seal(.verifyChallenge, challenge: challenge, at: now))
        let established = EstablishedSession(
            state: current.session, resumptionRoot: current.schedule.resumptionRoot(),
            additionSecret: current.schedule.additionSecret(current.announcements), peer: current.peer,
            isResumed: current.isResumed)
        return .established(established, sending: [answer])
    }
}

extension SecretBytes {
    /// Checks a challenge, or the answer to one, in constant time.
    borrowing func checkAnswer(_ message: VerifiedEnvelope) throws(ProtocolError) {
        let value: ArraySlice<UInt8>
        do {
            value = try BytesValue.decode(message.data)
        } catch {
            throw .malformedMessage(message.metadata.route ?? .verifyChallenge)
        }
        let isEqual = withUnsafeBytes { KamuneCrypto.constantTimeEqual(Array(value), Array($0)) }
        guard isEqual else { throw .challengeMismatch }
    }
}
