public import KamuneCrypto

/// The handshake of the side that connects (§5, §6), cold or resuming.
///
/// ```
///                  → X-Wing public key
///                  ← X-Wing ciphertext and public key
///                  → X-Wing ciphertext, then Introduce            or ResumeRequest
///                  ← Introduce: verifyPeer, then accept           or ResumeAccept
///                  → RequestHandshake
///                  ← AcceptHandshake
///                  → SendChallenge
///                  ← VerifyChallenge
///                  ← SendChallenge
///                  → VerifyChallenge: established
/// ```
///
/// The machine does no I/O. It stands for one state, in which the peer's next frame is due: send ``outgoing``, then hand
/// that frame to ``receivedFrame(_:at:)``, which consumes the machine and yields the next one only when every check has
/// passed. So there is nothing that could be called at the wrong time, and nothing goes on after an error.
public struct InitiatorMachine: ~Copyable, Sendable {
    /// The frames to send, in order, before the peer's next one is due.
    public let outgoing: [[UInt8]]
    private let context: HandshakeContext
    private let state: State

    private enum State: ~Copyable, Sendable {
        case awaitingExchange(AwaitingExchange)
        case awaitingIntroduction(AwaitingIntroduction)
        case awaitingResumptionAnswer(PeerTunnel)
        case awaitingHandshake(AwaitingHandshake)
        case awaitingAnswer(KeyConfirmation)
        case awaitingChallenge(KeyConfirmation)

        consuming func resuming(_ ticket: consuming ResumptionTicket) -> State {
            switch consume self {
            case .awaitingExchange(let state): .awaitingExchange(state.resuming(ticket))
            case .awaitingIntroduction(let state): .awaitingIntroduction(state)
            case .awaitingResumptionAnswer(let tunnel): .awaitingResumptionAnswer(tunnel)
            case .awaitingHandshake(let state): .awaitingHandshake(state)
            case .awaitingAnswer(let confirmation): .awaitingAnswer(confirmation)
            case .awaitingChallenge(let confirmation): .awaitingChallenge(confirmation)
            }
        }
    }

    /// What a frame from the peer has led to. Frozen, so that its parts can go separate ways in another module.
    @frozen
    public enum Action: ~Copyable, Sendable {
        /// Go on with this machine.
        case proceed(InitiatorMachine)
        /// The peer has introduced itself and holds the key that it names. Decide whether to talk to it.
        case verifyPeer(IntroducedPeer)
        /// Send these frames; the session is established.
        case established(EstablishedSession, sending: [[UInt8]])
    }

    /// A machine for a cold handshake, or with a ticket, for a resumption.
    public init(
        configuration: HandshakeConfiguration, resuming ticket: consuming ResumptionTicket? = nil,
        random: any RandomSource, encapsulator: any Encapsulator = SystemEncapsulator()
    ) throws(ProtocolError) {
        var context = HandshakeContext(configuration: configuration, random: random, encapsulator: encapsulator)
        let privateKey = try context.tunnelKey()
        outgoing = [privateKey.publicKey]
        self.context = context
        state = .awaitingExchange(AwaitingExchange(privateKey: privateKey, ticket: ticket))
    }

    private init(sending outgoing: [[UInt8]], _ state: consuming State, _ context: HandshakeContext) {
        self.outgoing = outgoing
        self.state = state
        self.context = context
    }

    /// The same machine, but for a resumption. Changes nothing once the peer's first frame was taken.
    public consuming func resuming(_ ticket: consuming ResumptionTicket) -> InitiatorMachine {
        let (outgoing, context) = (outgoing, context)
        return InitiatorMachine(sending: outgoing, state.resuming(ticket), context)
    }

    /// Takes the next frame from the peer.
    public consuming func receivedFrame(_ frame: [UInt8], at now: Timestamp) throws(ProtocolError) -> Action {
        let context = context
        switch state {
        case .awaitingExchange(let state):
            return .proceed(try state.received(frame, context, at: now))
        case .awaitingIntroduction(let state):
            return .verifyPeer(try state.received(frame, context))
        case .awaitingResumptionAnswer(let tunnel):
            return .proceed(try Self.receivedResumptionAnswer(frame, tunnel, context, at: now))
        case .awaitingHandshake(let state):
            return .proceed(try state.received(frame, context, at: now))
        case .awaitingAnswer(var confirmation):
            try confirmation.receivedAnswer(frame, context)
            return .proceed(InitiatorMachine(sending: [], .awaitingChallenge(confirmation), context))
        case .awaitingChallenge(var confirmation):
            try confirmation.receivedChallenge(frame, context)
            let answer = try confirmation.answer(context, at: now)
            return .established(confirmation.established(), sending: [answer])
        }
    }

    /// Whether the keys of the tunnel are agreed.
    public var isTunnelEstablished: Bool {
        switch state {
        case .awaitingExchange: false
        default: true
        }
    }

    /// Whether the responder has our introduction and is judging it: if it closes the connection now, it refuses us.
    public var peerIsDeciding: Bool {
        switch state {
        case .awaitingIntroduction: true
        default: false
        }
    }
}

// MARK: - The exchange

extension InitiatorMachine {
    private struct AwaitingExchange: ~Copyable, Sendable {
        let privateKey: TunnelPrivateKey
        let ticket: ResumptionTicket?

        consuming func resuming(_ ticket: consuming ResumptionTicket) -> AwaitingExchange {
            AwaitingExchange(privateKey: privateKey, ticket: ticket)
        }

        consuming func received(
            _ frame: [UInt8], _ context: HandshakeContext, at now: Timestamp
        ) throws(ProtocolError) -> InitiatorMachine {
            var context = context
            let merged = try MergedExchange(decoding: frame)
            let opener: TunnelOpener
            do {
                opener = try TunnelOpener(encapsulatedKey: merged.encapsulatedKey, privateKey: privateKey)
            } catch {
                throw .peerMisbehaved(.malformedExchange(error))
            }
            let encapsulation = try context.encapsulateTunnel(to: merged.publicKey)
            let encapsulatedKey = encapsulation.encapsulatedKey
            var tunnel = Tunnel(sealer: encapsulation.sealer, opener: opener)

            if let ticket {
                let resumedSessionID = ticket.sessionID
                let peer = SessionPeer(resuming: ticket.peer, capabilities: ticket.peerCapabilities)
                let request = try context.envelope(try ticket.request(), metadata: Metadata(route: .resumeRequest))
                let sealed = try tunnel.seal(request)
                let other = PeerTunnel(
                    tunnel: tunnel, peer: peer, announcements: .resumed, resumedSessionID: resumedSessionID)
                return InitiatorMachine(
                    sending: [encapsulatedKey, sealed], .awaitingResumptionAnswer(other), context)
            }

            let introduction = try LocalIntroduction(context.configuration)
            let envelope = try context.envelope(
                introduction.encoded, metadata: Metadata(timestamp: now, route: .identity))
            let sealed = try tunnel.seal(envelope)
            let state = AwaitingIntroduction(tunnel: tunnel, localIntroduction: introduction.encoded)
            return InitiatorMachine(sending: [encapsulatedKey, sealed], .awaitingIntroduction(state), context)
        }
    }
}

// MARK: - Who the peer is

extension InitiatorMachine {
    private struct AwaitingIntroduction: ~Copyable, Sendable {
        var tunnel: Tunnel
        let localIntroduction: [UInt8]

        consuming func received(
            _ frame: [UInt8], _ context: HandshakeContext
        ) throws(ProtocolError) -> IntroducedPeer {
            let plaintext = try tunnel.open(frame)
            if context.configuration.capabilities.contains(.refusal),
                let refusal = HandshakeRefusal(decoding: plaintext)
            {
                throw .refused(.introduction(refusal))
            }
            let envelope = try Envelope(parsing: plaintext)
            let introduction = try PeerIntroduction(envelope, localVersion: context.configuration.version)
            let announcements = Announcements(initiator: localIntroduction, responder: introduction.encoded)
            return IntroducedPeer(
                introduction: introduction, tunnel: tunnel, announcements: announcements, context: context)
        }
    }

    /// A responder who has introduced itself and waits for our verdict. To refuse it, close the connection.
    public struct IntroducedPeer: ~Copyable, Sendable {
        /// What the peer says of itself.
        public let introduction: PeerIntroduction
        fileprivate let tunnel: Tunnel
        fileprivate let announcements: Announcements
        fileprivate let context: HandshakeContext

        /// We want to talk to this peer.
        public consuming func accept(at now: Timestamp) throws(ProtocolError) -> InitiatorMachine {
            let (introduction, announcements, context) = (introduction, announcements, context)
            let other = PeerTunnel(
                tunnel: tunnel, peer: SessionPeer(introduction), announcements: announcements, resumedSessionID: nil)
            return try requestHandshake(other, context, at: now)
        }
    }

    private static func receivedResumptionAnswer(
        _ frame: [UInt8], _ other: consuming PeerTunnel, _ context: HandshakeContext, at now: Timestamp
    ) throws(ProtocolError) -> InitiatorMachine {
        let envelope = try Envelope(parsing: try other.tunnel.open(frame))
        try ResumptionAnswer.check(
            try envelope.verified(by: other.peer.identity).expecting(.resumeAccept))
        return try requestHandshake(other, context, at: now)
    }
}

// MARK: - The handshake proper

extension InitiatorMachine {
    fileprivate static func requestHandshake(
        _ other: consuming PeerTunnel, _ context: HandshakeContext, at now: Timestamp
    ) throws(ProtocolError) -> InitiatorMachine {
        var context = context
        let privateKey: MLKEM768PrivateKey
        do {
            privateKey = try MLKEM768PrivateKey.generate(using: &context.random)
        } catch {
            throw .system(.cryptography)
        }
        let request = HandshakeMessage(
            key: privateKey.publicKey, salt: context.randomSalt(),
            sessionKey: other.resumedSessionID ?? context.randomHalfSessionID())
        let metadata = context.handshakeMetadata(route: .requestHandshake, now: now)
        let frame = try other.tunnel.seal(try context.envelope(try request.encoded(), metadata: metadata))
        let state = AwaitingHandshake(other: other, privateKey: privateKey, request: request)
        return InitiatorMachine(sending: [frame], .awaitingHandshake(state), context)
    }

    private struct AwaitingHandshake: ~Copyable, Sendable {
        var other: PeerTunnel
        let privateKey: MLKEM768PrivateKey
        let request: HandshakeMessage

        consuming func received(
            _ frame: [UInt8], _ context: HandshakeContext, at now: Timestamp
        ) throws(ProtocolError) -> InitiatorMachine {
            let response = try other.receivedHandshake(frame, .acceptHandshake)
            let sharedSecret: SecretBytes
            do {
                sharedSecret = try privateKey.decapsulate(response.key)
            } catch {
                throw .peerMisbehaved(.invalidHandshakeField(.key))
            }
            let request = request
            var confirmation = try KeyConfirmation(
                .initiator, other, sharedSecret: sharedSecret, request: request, response: response, context)
            let challenge = try confirmation.challenge(context, at: now)
            return InitiatorMachine(sending: [challenge], .awaitingAnswer(confirmation), context)
        }
    }
}
