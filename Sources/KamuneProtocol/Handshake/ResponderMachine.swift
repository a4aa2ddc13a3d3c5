public import KamuneCrypto

/// The handshake of the side that is connected to (§5, §6). The mirror image of ``InitiatorMachine``, except that the
/// peer's first envelope decides between a cold handshake and a resumption, and that the peer is judged before we
/// introduce ourselves: a stranger who is refused does not learn who we are.
///
/// The machine does no I/O. Each call takes its state and puts the next one back only when every check has passed; an
/// error leaves it failed for good.
public struct ResponderMachine: HandshakeMachine, ~Copyable, Sendable {
    private var context: HandshakeContext
    private var state: State

    private enum State: ~Copyable, Sendable {
        case awaitingPublicKey
        case awaitingEncapsulation(AwaitingEncapsulation)
        case awaitingIntroduction(Tunnel)
        case awaitingVerdict(AwaitingVerdict)
        case awaitingResolution(Tunnel)
        case awaitingHandshake(AwaitingHandshake)
        case awaitingChallenge(AwaitingChallenge)
        case awaitingChallengeAnswer(AwaitingChallengeAnswer)
        case ended
    }

    /// A machine that waits for the initiator's first frame.
    public init(
        configuration: HandshakeConfiguration, random: any RandomSource,
        encapsulator: any Encapsulator = SystemEncapsulator()
    ) {
        context = HandshakeContext(configuration: configuration, random: random, encapsulator: encapsulator)
        state = .awaitingPublicKey
    }

    private mutating func takeState() -> State {
        var taken = State.ended
        swap(&taken, &state)
        return taken
    }

    /// Takes the next frame from the peer.
    public mutating func receivedFrame(_ frame: [UInt8], at now: Timestamp) throws(ProtocolError) -> HandshakeAction {
        switch takeState() {
        case .awaitingPublicKey:
            return try receivedPublicKey(frame)
        case .awaitingEncapsulation(let current):
            return try receivedEncapsulation(frame, current)
        case .awaitingIntroduction(let tunnel):
            return try receivedFirstEnvelope(frame, tunnel)
        case .awaitingHandshake(let current):
            return try receivedHandshake(frame, current, now)
        case .awaitingChallenge(let current):
            return try receivedChallenge(frame, current, now)
        case .awaitingChallengeAnswer(let current):
            return try receivedChallengeAnswer(frame, current)
        // One case a line: the compiler does not match several patterns of a value that cannot be copied.
        case .awaitingVerdict:
            throw .unexpectedFrame
        case .awaitingResolution:
            throw .unexpectedFrame
        case .ended:
            throw .terminated
        }
    }

    /// Whether the keys of the tunnel are agreed.
    public var isTunnelEstablished: Bool {
        switch state {
        case .awaitingPublicKey: false
        case .awaitingEncapsulation: false
        case .ended: false
        default: true
        }
    }

    /// Whether the initiator has our introduction and is judging it.
    public var peerIsDeciding: Bool {
        switch state {
        case .awaitingHandshake(let current): current.resumedSessionID == nil
        default: false
        }
    }

    /// Goes on after ``HandshakeAction/verifyPeer(_:)``: we want to talk to this peer, and introduce ourselves.
    public mutating func acceptPeer(at now: Timestamp) throws(ProtocolError) -> HandshakeAction {
        guard case .awaitingVerdict(let current) = takeState() else {
            throw .misuse(reason: "no peer waits for a verdict")
        }
        let introduction = try LocalIntroduction(context.configuration)
        let envelope = try context.envelope(
            introduction.encoded, metadata: Metadata(timestamp: now, route: .identity))
        let announcements = Announcements(initiator: current.peer.encoded, responder: introduction.encoded)
        let peer = SessionPeer(
            identity: current.peer.identity, introduction: current.peer, capabilities: current.peer.capabilities)
        var tunnel = current.tunnel
        let frame = try tunnel.seal(envelope)
        state = .awaitingHandshake(
            AwaitingHandshake(tunnel: tunnel, peer: peer, announcements: announcements, resumedSessionID: nil))
        return .send([frame])
    }

    /// Goes on after ``HandshakeAction/resolveResumption(_:)``: the session is known, and the token was found and spent.
    ///
    /// - Parameter peerCapabilities: What the peer announced when the session was established.
    public mutating func acceptResumption(
        _ resumption: VerifiedResumption, peerCapabilities: CapabilitySet
    ) throws(ProtocolError) -> HandshakeAction {
        guard case .awaitingResolution(var tunnel) = takeState() else {
            throw .misuse(reason: "nobody asked to resume")
        }
        let envelope = try context.envelope(
            try ResumptionAnswer.encode(accepted: true), metadata: Metadata(route: .resumeAccept))
        let frame = try tunnel.seal(envelope)
        let peer = SessionPeer(identity: resumption.peer, introduction: nil, capabilities: peerCapabilities)
        state = .awaitingHandshake(
            AwaitingHandshake(
                tunnel: tunnel, peer: peer, announcements: .resumed, resumedSessionID: resumption.sessionID))
        return .send([frame])
    }

    /// Ends the handshake after ``HandshakeAction/resolveResumption(_:)``: send the frame, then close the connection.
    public mutating func refuseResumption() throws(ProtocolError) -> [UInt8] {
        guard case .awaitingResolution(var tunnel) = takeState() else {
            throw .misuse(reason: "nobody asked to resume")
        }
        let envelope = try context.envelope(
            try ResumptionAnswer.encode(accepted: false), metadata: Metadata(route: .resumeAccept))
        return try tunnel.seal(envelope)
    }
}

// MARK: - States

extension ResponderMachine {
    private struct AwaitingEncapsulation: ~Copyable, Sendable {
        let privateKey: TunnelPrivateKey
        let sealer: TunnelSealer
    }

    private struct AwaitingVerdict: ~Copyable, Sendable {
        let tunnel: Tunnel
        let peer: PeerIntroduction
    }

    private struct AwaitingHandshake: ~Copyable, Sendable {
        var tunnel: Tunnel
        let peer: SessionPeer
        let announcements: Announcements
        let resumedSessionID: String?
    }

    private struct AwaitingChallenge: ~Copyable, Sendable {
        var tunnel: Tunnel
        var session: SessionState
        let peer: SessionPeer
        let schedule: KeySchedule
        let announcements: Announcements
        let isResumed: Bool
    }

    private struct AwaitingChallengeAnswer: ~Copyable, Sendable {
        var tunnel: Tunnel
        var session: SessionState
        let peer: SessionPeer
        let schedule: KeySchedule
        let announcements: Announcements
        let isResumed: Bool
    }
}

// MARK: - Steps

extension ResponderMachine {
    private mutating func receivedPublicKey(_ frame: [UInt8]) throws(ProtocolError) -> HandshakeAction {
        let encapsulation: TunnelEncapsulation
        do {
            encapsulation = try context.encapsulator.encapsulateTunnel(to: frame)
        } catch {
            throw .malformedExchange(error)
        }
        let privateKey: TunnelPrivateKey
        do {
            privateKey = try TunnelPrivateKey.generate(using: &context.random)
        } catch {
            throw .cryptographyFailed
        }
        let merged = MergedExchange(
            encapsulatedKey: encapsulation.encapsulatedKey, publicKey: privateKey.publicKey)
        state = .awaitingEncapsulation(
            AwaitingEncapsulation(privateKey: privateKey, sealer: encapsulation.sealer))
        return .send([merged.encoded()])
    }

    private mutating func receivedEncapsulation(
        _ frame: [UInt8], _ current: consuming AwaitingEncapsulation
    ) throws(ProtocolError) -> HandshakeAction {
        let opener: TunnelOpener
        do {
            opener = try TunnelOpener(encapsulatedKey: frame, privateKey: current.privateKey)
        } catch {
            throw .malformedExchange(error)
        }
        state = .awaitingIntroduction(Tunnel(sealer: current.sealer, opener: opener))
        return .send([])
    }

    private mutating func receivedFirstEnvelope(
        _ frame: [UInt8], _ tunnel: consuming Tunnel
    ) throws(ProtocolError) -> HandshakeAction {
        let envelope = try Envelope(parsing: try tunnel.open(frame))
        let route = try envelope.claimedRoute()
        switch route {
        case .identity:
            let peer = try PeerIntroduction(envelope, localVersion: context.configuration.version)
            state = .awaitingVerdict(AwaitingVerdict(tunnel: tunnel, peer: peer))
            return .verifyPeer(peer)
        case .resumeRequest:
            let request = try ResumptionRequest(envelope)
            state = .awaitingResolution(tunnel)
            return .resolveResumption(request)
        default:
            throw .unexpectedRoute(expected: .identity, actual: route)
        }
    }

    private mutating func receivedHandshake(
        _ frame: [UInt8], _ current: consuming AwaitingHandshake, _ now: Timestamp
    ) throws(ProtocolError) -> HandshakeAction {
        let envelope = try Envelope(parsing: try current.tunnel.open(frame))
            .verified(by: current.peer.identity).expecting(.requestHandshake)
        let request = try HandshakeMessage(decoding: envelope.data, route: .requestHandshake)
        if let expected = current.resumedSessionID, request.sessionKey != expected { throw .sessionMismatch }

        let encapsulation: MLKEM768Encapsulation
        do {
            encapsulation = try context.encapsulator.encapsulateMLKEM768(to: request.key)
        } catch {
            throw .invalidHandshakeField(.key)
        }
        let response = HandshakeMessage(
            key: encapsulation.ciphertext, salt: context.randomSalt(),
            sessionKey: current.resumedSessionID ?? context.randomHalfSessionID())
        let metadata = context.handshakeMetadata(route: .acceptHandshake, now: now)
        let answer = try current.tunnel.seal(try context.envelope(try response.encoded(), metadata: metadata))

        let schedule = KeySchedule(
            sharedSecret: encapsulation.sharedSecret,
            sessionID: current.resumedSessionID ?? request.sessionKey + response.sessionKey,
            request: request, response: response)
        let session = try SessionState(
            role: .responder, schedule: schedule, identity: context.configuration.identity,
            peer: current.peer.identity, random: context.random)
        state = .awaitingChallenge(
            AwaitingChallenge(
                tunnel: current.tunnel, session: session, peer: current.peer, schedule: schedule,
                announcements: current.announcements, isResumed: current.resumedSessionID != nil))
        return .send([answer])
    }

    private mutating func receivedChallenge(
        _ frame: [UInt8], _ current: consuming AwaitingChallenge, _ now: Timestamp
    ) throws(ProtocolError) -> HandshakeAction {
        let message = try current.session.open(try current.tunnel.open(frame)).expecting(.sendChallenge)
        // 0.7 repeats whatever it is sent; we know what the challenge must be, and repeat nothing else.
        let theirs = current.schedule.challenge(of: .initiator)
        try theirs.checkAnswer(message)
        try context.checkAnnouncement(
            in: message.padding, by: current.peer, current.schedule, current.announcements, sender: .initiator)

        let answer = try current.tunnel.seal(
            try current.session.seal(
                .verifyChallenge, challenge: theirs,
                paddingPrefix: context.announcementPadding(
                    current.schedule, current.announcements, sender: .responder),
                at: now))
        let challenge = try current.tunnel.seal(
            try current.session.seal(
                .sendChallenge, challenge: current.schedule.challenge(of: .responder), at: now))
        state = .awaitingChallengeAnswer(
            AwaitingChallengeAnswer(
                tunnel: current.tunnel, session: current.session, peer: current.peer, schedule: current.schedule,
                announcements: current.announcements, isResumed: current.isResumed))
        return .send([answer, challenge])
    }

    private mutating func receivedChallengeAnswer(
        _ frame: [UInt8], _ current: consuming AwaitingChallengeAnswer
    ) throws(ProtocolError) -> HandshakeAction {
        let answer = try current.session.open(try current.tunnel.open(frame)).expecting(.verifyChallenge)
        try current.schedule.challenge(of: .responder).checkAnswer(answer)
        let established = EstablishedSession(
            state: current.session, resumptionRoot: current.schedule.resumptionRoot(),
            additionSecret: current.schedule.additionSecret(current.announcements), peer: current.peer,
            isResumed: current.isResumed)
        return .established(established, sending: [])
    }
}
