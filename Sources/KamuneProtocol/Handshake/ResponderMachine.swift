public import KamuneCrypto

/// The handshake of the side that was connected to (§5, §6). The mirror image of ``InitiatorMachine``, except that the
/// peer's first envelope decides between a cold handshake and a resumption, and that the peer is judged before we
/// introduce ourselves: a stranger who is refused does not learn who we are.
///
/// ```
///                  ← X-Wing public key
///                  → X-Wing ciphertext and public key
///                  ← X-Wing ciphertext
///                  ← Introduce: verifyPeer, then accept           or ResumeRequest: resolveResumption
///                  → Introduce                                    or ResumeAccept
///                  ← RequestHandshake
///                  → AcceptHandshake
///                  ← SendChallenge
///                  → VerifyChallenge, then SendChallenge
///                  ← VerifyChallenge: established
/// ```
///
/// The machine does no I/O. It stands for one state, in which the peer's next frame is due: send ``outgoing``, then hand
/// that frame to ``receivedFrame(_:at:)``, which consumes the machine and yields the next one only when every check has
/// passed. So there is nothing that could be called at the wrong time, and nothing goes on after an error.
public struct ResponderMachine: ~Copyable, Sendable {
    /// The frames to send, in order, before the peer's next one is due.
    public let outgoing: [[UInt8]]
    private let context: HandshakeContext
    private let state: State

    private enum State: ~Copyable, Sendable {
        case awaitingPublicKey
        case awaitingEncapsulation(AwaitingEncapsulation)
        case awaitingIntroduction(Tunnel)
        case awaitingHandshake(PeerTunnel)
        case awaitingChallenge(KeyConfirmation)
        case awaitingAnswer(KeyConfirmation)
    }

    /// What a frame from the peer has led to. Frozen, so that its parts can go separate ways in another module.
    @frozen
    public enum Action: ~Copyable, Sendable {
        /// Go on with this machine.
        case proceed(ResponderMachine)
        /// The peer has introduced itself and holds the key that it names. Decide whether to talk to it.
        case verifyPeer(IntroducedPeer)
        /// The peer wishes to resume a session. Look it up.
        case resolveResumption(ResumingPeer)
        /// The session is established. There is nothing more to send.
        case established(EstablishedSession)
    }

    /// A machine that waits for the initiator's first frame.
    public init(
        configuration: HandshakeConfiguration, random: any RandomSource,
        encapsulator: any Encapsulator = SystemEncapsulator()
    ) {
        self.init(
            sending: [], .awaitingPublicKey,
            HandshakeContext(configuration: configuration, random: random, encapsulator: encapsulator))
    }

    private init(sending outgoing: [[UInt8]], _ state: consuming State, _ context: HandshakeContext) {
        self.outgoing = outgoing
        self.state = state
        self.context = context
    }

    /// Takes the next frame from the peer.
    public consuming func receivedFrame(_ frame: [UInt8], at now: Timestamp) throws(ProtocolError) -> Action {
        let context = context
        switch state {
        case .awaitingPublicKey:
            return .proceed(try Self.receivedPublicKey(frame, context))
        case .awaitingEncapsulation(let state):
            return .proceed(try state.received(frame, context))
        case .awaitingIntroduction(let tunnel):
            return try Self.receivedFirstEnvelope(frame, tunnel, context)
        case .awaitingHandshake(let other):
            return .proceed(try Self.receivedHandshake(frame, other, context, at: now))
        case .awaitingChallenge(var confirmation):
            try confirmation.receivedChallenge(frame, context)
            let answer = try confirmation.answer(context, at: now)
            let challenge = try confirmation.challenge(context, at: now)
            return .proceed(ResponderMachine(sending: [answer, challenge], .awaitingAnswer(confirmation), context))
        case .awaitingAnswer(var confirmation):
            try confirmation.receivedAnswer(frame, context)
            return .established(confirmation.established())
        }
    }

    /// Whether the keys of the tunnel are agreed.
    public var isTunnelEstablished: Bool {
        switch state {
        case .awaitingPublicKey: false
        case .awaitingEncapsulation: false
        default: true
        }
    }

    /// Whether the initiator has shown that it holds the key of its identity: what it showed before may have been a copy.
    public var isPeerProven: Bool {
        switch state {
        case .awaitingAnswer: true
        default: false
        }
    }

    /// Whether the initiator has our introduction and is judging it: if it closes the connection now, it refuses us.
    public var peerIsDeciding: Bool {
        switch state {
        case .awaitingHandshake(let other): other.resumedSessionID == nil
        default: false
        }
    }
}

// MARK: - The exchange

extension ResponderMachine {
    private static func receivedPublicKey(
        _ frame: [UInt8], _ context: HandshakeContext
    ) throws(ProtocolError) -> ResponderMachine {
        var context = context
        let encapsulation = try context.encapsulateTunnel(to: frame)
        let privateKey = try context.tunnelKey()
        let merged = MergedExchange(
            encapsulatedKey: encapsulation.encapsulatedKey, publicKey: privateKey.publicKey)
        let state = AwaitingEncapsulation(privateKey: privateKey, sealer: encapsulation.sealer)
        return ResponderMachine(sending: [merged.encoded()], .awaitingEncapsulation(state), context)
    }

    private struct AwaitingEncapsulation: ~Copyable, Sendable {
        let privateKey: TunnelPrivateKey
        let sealer: TunnelSealer

        consuming func received(
            _ frame: [UInt8], _ context: HandshakeContext
        ) throws(ProtocolError) -> ResponderMachine {
            let opener: TunnelOpener
            do {
                opener = try TunnelOpener(encapsulatedKey: frame, privateKey: privateKey)
            } catch {
                throw .peerMisbehaved(.malformedExchange(error))
            }
            return ResponderMachine(
                sending: [], .awaitingIntroduction(Tunnel(sealer: sealer, opener: opener)), context)
        }
    }
}

// MARK: - Who the peer is

extension ResponderMachine {
    private static func receivedFirstEnvelope(
        _ frame: [UInt8], _ tunnel: consuming Tunnel, _ context: HandshakeContext
    ) throws(ProtocolError) -> Action {
        let envelope = try Envelope(parsing: try tunnel.open(frame))
        let route = try envelope.claimedRoute()
        switch route {
        case .identity:
            let introduction = try PeerIntroduction(envelope, localVersion: context.configuration.version)
            return .verifyPeer(IntroducedPeer(introduction: introduction, tunnel: tunnel, context: context))
        case .resumeRequest:
            let request = try ResumptionRequest(envelope)
            return .resolveResumption(ResumingPeer(request: request, tunnel: tunnel, context: context))
        default:
            throw .peerMisbehaved(.unexpectedRoute(expected: .identity, actual: route))
        }
    }

    /// An initiator who has introduced itself and waits for our verdict. To refuse it, close the connection.
    public struct IntroducedPeer: ~Copyable, Sendable {
        /// What the peer says of itself.
        public let introduction: PeerIntroduction
        fileprivate let tunnel: Tunnel
        fileprivate let context: HandshakeContext

        /// The frame that tells the peer why we do not go on, to be sent before the connection is closed; nil for a peer that
        /// does not know of such frames (§10.8).
        public consuming func refuse(_ refusal: HandshakeRefusal) throws(ProtocolError) -> [UInt8]? {
            guard introduction.capabilities.contains(.refusal), context.configuration.capabilities.contains(.refusal)
            else { return nil }
            var tunnel = tunnel
            return try tunnel.seal(refusal.encoded)
        }

        /// We want to talk to this peer, and introduce ourselves.
        ///
        /// - Parameter capabilities: What we announce to this peer, if that is not what we announce otherwise.
        public consuming func accept(
            at now: Timestamp, announcing capabilities: CapabilitySet? = nil
        ) throws(ProtocolError) -> ResponderMachine {
            var (peer, context) = (introduction, context)
            if let capabilities { context.configuration.capabilities = capabilities }
            let introduction = try LocalIntroduction(context.configuration)
            let envelope = try context.envelope(
                introduction.encoded, metadata: Metadata(timestamp: now, route: .identity))
            var other = PeerTunnel(
                tunnel: tunnel, peer: SessionPeer(peer),
                announcements: Announcements(initiator: peer.encoded, responder: introduction.encoded),
                resumedSessionID: nil)
            let frame = try other.tunnel.seal(envelope)
            return ResponderMachine(sending: [frame], .awaitingHandshake(other), context)
        }
    }

    /// An initiator who wishes to resume a session.
    public struct ResumingPeer: ~Copyable, Sendable {
        /// Which session, and who asks. Nothing in it is believed yet.
        public let request: ResumptionRequest
        fileprivate let tunnel: Tunnel
        fileprivate let context: HandshakeContext

        /// The session is known, and the token was found and spent.
        ///
        /// - Parameter peerCapabilities: What the peer announced when the session was established.
        public consuming func accept(
            _ resumption: VerifiedResumption, peerCapabilities: CapabilitySet
        ) throws(ProtocolError) -> ResponderMachine {
            var context = context
            let envelope = try context.envelope(
                try ResumptionAnswer.encode(accepted: true), metadata: Metadata(route: .resumeAccept))
            var other = PeerTunnel(
                tunnel: tunnel, peer: SessionPeer(resuming: resumption.peer, capabilities: peerCapabilities),
                announcements: .resumed, resumedSessionID: resumption.sessionID)
            let frame = try other.tunnel.seal(envelope)
            return ResponderMachine(sending: [frame], .awaitingHandshake(other), context)
        }

        /// The session is not resumed: send the frame, then close the connection.
        public consuming func refuse() throws(ProtocolError) -> [UInt8] {
            var context = context
            let envelope = try context.envelope(
                try ResumptionAnswer.encode(accepted: false), metadata: Metadata(route: .resumeAccept))
            var tunnel = tunnel
            return try tunnel.seal(envelope)
        }
    }
}

// MARK: - The handshake proper

extension ResponderMachine {
    private static func receivedHandshake(
        _ frame: [UInt8], _ other: consuming PeerTunnel, _ context: HandshakeContext, at now: Timestamp
    ) throws(ProtocolError) -> ResponderMachine {
        var context = context
        let request = try other.receivedHandshake(frame, .requestHandshake)
        let encapsulation: MLKEM768Encapsulation
        do {
            encapsulation = try context.encapsulator.encapsulateMLKEM768(to: request.key)
        } catch {
            throw .peerMisbehaved(.invalidHandshakeField(.key))
        }
        let response = HandshakeMessage(
            key: encapsulation.ciphertext, salt: context.randomSalt(),
            sessionKey: other.resumedSessionID ?? context.randomHalfSessionID())
        let metadata = context.handshakeMetadata(route: .acceptHandshake, now: now)
        let answer = try other.tunnel.seal(try context.envelope(try response.encoded(), metadata: metadata))
        let confirmation = try KeyConfirmation(
            .responder, other, sharedSecret: encapsulation.sharedSecret, request: request, response: response, context)
        return ResponderMachine(sending: [answer], .awaitingChallenge(confirmation), context)
    }
}
