public import KamuneCrypto

/// An established session as it behaves towards its peer (§8): messages, pings and their answers, session data, the
/// graceful end, and how long each may take.
///
/// The machine does no I/O and owns no clock. Whoever drives it sends the frames that it yields, in that order, and calls
/// ``timeElapsed(at:)`` when ``nextDeadline`` has come. An error ends the session: close the connection.
public struct SessionMachine: ~Copyable, Sendable {
    private var state: SessionState
    private let configuration: SessionConfiguration
    private let peerStartsDirectly: Bool
    private var phase: Phase
    private var keepAlive: KeepAlive
    /// What the peer's latest ping carried, until it is answered.
    private var unansweredPing: [UInt8]?
    private var relayKeys: RelayKeys?

    private enum Phase: Equatable, Sendable {
        /// The peer may be a program of 0.7 that takes our first frame for an answer to its own.
        case holdingBack(until: Duration)
        case open
        case ended
    }

    /// Our key and the peer's, once the peer has asked for ours.
    private struct RelayKeys: Sendable {
        let own: X25519PrivateKey
        /// Nil when what the peer sent is no key.
        let peer: [UInt8]?
    }

    /// The session that a handshake has established.
    ///
    /// - Parameter agreedCapabilities: What both sides announced.
    public init(
        _ state: consuming SessionState, agreedCapabilities: CapabilitySet,
        configuration: SessionConfiguration = .init(),
        at now: Moment
    ) {
        self.state = state
        self.configuration = configuration
        peerStartsDirectly = agreedCapabilities.contains(.directStart)
        phase = peerStartsDirectly ? .open : .holdingBack(until: now.monotonic + configuration.holdBackInterval)
        keepAlive = KeepAlive(configuration.keepAlive, now: now.monotonic)
    }

    /// The session's identifier.
    public var id: String { state.id }

    /// Whether the session goes on.
    public var isOpen: Bool { phase != .ended }

    /// Until when application messages have to wait for the peer's first frame; nil when they need not.
    public var heldBackUntil: Duration? {
        if case .holdingBack(let deadline) = phase { deadline } else { nil }
    }

    /// When ``timeElapsed(at:)`` is to be called next.
    public var nextDeadline: Duration? {
        switch phase {
        case .holdingBack(let deadline): keepAlive.nextDeadline.map { min($0, deadline) } ?? deadline
        case .open: keepAlive.nextDeadline
        case .ended: nil
        }
    }

    // MARK: Sending

    /// Seals a message of the application.
    ///
    /// - Throws: ``ProtocolError/Misuse/heldBack`` while ``heldBackUntil`` says to wait, and
    ///   ``ProtocolError/Misuse/messageTooLarge(size:limit:)``; neither ends the session.
    public mutating func send(_ payload: [UInt8], at now: Moment) throws(ProtocolError) -> SealedMessage {
        switch phase {
        case .holdingBack: throw .misuse(.heldBack)
        case .ended: throw .misuse(.ended)
        case .open: break
        }
        guard payload.count <= configuration.maximumMessageSize else {
            throw .misuse(.messageTooLarge(size: payload.count, limit: configuration.maximumMessageSize))
        }
        return try seal(.exchangeMessages, payload, at: now)
    }

    /// Asks the peer whether it is there; the answer arrives as ``SessionEvent/pong(roundTrip:)``.
    public mutating func ping(at now: Moment) throws(ProtocolError) -> [UInt8] {
        guard phase != .ended else { throw .misuse(.ended) }
        let token = state.randomToken()
        let frame = try seal(.ping, token, at: now).frame
        keepAlive.sentPing(token, at: now.monotonic)
        return frame
    }

    /// The answer to the peer's latest ping; nil when it was given already, or there was none.
    ///
    /// Call it after ``SessionEvent/pinged``, as soon as there is room for a frame. Of several pings that come meanwhile only
    /// the latest is answered: a peer waits for the answer to that one (§8.2), and whoever asks and asks and reads nothing
    /// makes us keep one question.
    public mutating func answerPing(at now: Moment) throws(ProtocolError) -> [UInt8]? {
        guard phase != .ended, let token = unansweredPing.take() else { return nil }
        return try seal(.pong, token, at: now).frame
    }

    /// The bytes of the peer's that the machine keeps.
    public var heldByteCount: Int { unansweredPing?.count ?? 0 }

    /// Ends the session gracefully: send the frame, then close the connection. Nil when the session has ended already.
    public mutating func close(at now: Moment) throws(ProtocolError) -> [UInt8]? {
        guard phase != .ended else { return nil }
        defer { phase = .ended }
        return try seal(.closeTransport, [], at: now).frame
    }

    private mutating func seal(_ route: Route, _ bytes: [UInt8], at now: Moment) throws(ProtocolError) -> SealedMessage
    {
        keepAlive.sentFrame(at: now.monotonic)
        return try state.seal(route, bytes: bytes, at: now.wall)
    }

    // MARK: Receiving

    /// Takes the next frame from the peer.
    public mutating func receivedFrame(_ frame: [UInt8], at now: Moment) throws(ProtocolError) -> SessionEvent {
        guard phase != .ended else { throw .misuse(.ended) }
        do {
            let message = try state.open(frame)
            // The first frame of each side, as the programs of 0.7 see it.
            let isFirst = state.openedCount == SessionState.handshakeMessageCount + 1
            let mayAnswerRelayKey = isFirst && state.sealedCount == SessionState.handshakeMessageCount
            phase = .open
            keepAlive.receivedFrame(at: now.monotonic)
            return try received(message, mayAnswerRelayKey: mayAnswerRelayKey, at: now)
        } catch {
            phase = .ended
            throw error
        }
    }

    private mutating func received(
        _ message: VerifiedEnvelope, mayAnswerRelayKey: Bool, at now: Moment
    ) throws(ProtocolError) -> SessionEvent {
        guard let route = message.metadata.route, route.isLegalInSession else {
            throw .peerMisbehaved(.forbiddenRoute(rawValue: message.metadata.rawRoute))
        }
        switch route {
        case .exchangeMessages:
            let payload = try bytesValue(message)
            guard payload.count <= configuration.maximumMessageSize else {
                throw .peerMisbehaved(.oversizedMessage(size: payload.count, limit: configuration.maximumMessageSize))
            }
            return .message(ReceivedMessage(metadata: message.metadata, payload: Array(payload)))
        case .ping:
            unansweredPing = Array(try bytesValue(message))
            return .pinged
        case .pong:
            let roundTrip = keepAlive.receivedPong(Array(try bytesValue(message)), at: now.monotonic)
            return roundTrip.map { .pong(roundTrip: $0) } ?? .nothing
        case .sessionData:
            return try receivedSessionData(message, mayAnswer: mayAnswerRelayKey, at: now)
        case .closeTransport:
            phase = .ended
            return .closedByPeer
        case .identity, .requestHandshake, .acceptHandshake, .finalizeHandshake, .sendChallenge, .verifyChallenge,
            .resumeRequest, .resumeAccept:
            throw .peerMisbehaved(.forbiddenRoute(rawValue: message.metadata.rawRoute))
        }
    }

    private func bytesValue(_ message: VerifiedEnvelope) throws(ProtocolError) -> ArraySlice<UInt8> {
        do {
            return try BytesValue.decode(message.data)
        } catch {
            throw .peerMisbehaved(.malformedMessage(message.metadata.route ?? .exchangeMessages))
        }
    }

    /// The programs of 0.7 open with their key for later rendezvous and take our first frame for the answer, whatever it
    /// is. So the answer goes out only while nothing else has: a later one would be shown to their user as a message.
    private mutating func receivedSessionData(
        _ message: VerifiedEnvelope, mayAnswer: Bool, at now: Moment
    ) throws(ProtocolError) -> SessionEvent {
        let data = try SessionData(decoding: message.data)
        guard mayAnswer, let peerKey = data.fields[ProtocolConstants.relayKeyField] else { return .nothing }
        let own: X25519PrivateKey
        do {
            own = try state.randomRelayKey()
        } catch {
            throw .system(.cryptography)
        }
        relayKeys = RelayKeys(own: own, peer: peerKey.count == own.publicKey.count ? peerKey : nil)
        let answer = SessionData(fields: [ProtocolConstants.relayKeyField: own.publicKey])
        keepAlive.sentFrame(at: now.monotonic)
        return .answer(try state.seal(.sessionData, encoded: try answer.encoded(), at: now.wall).frame)
    }

    /// The X25519 secret with a program of 0.7 that asked for our key, from which tokens for a relay are derived. Nil
    /// when the peer did not ask, or sent a key that yields no secret.
    public borrowing func relaySecret() -> SecretBytes? {
        guard let relayKeys, let peer = relayKeys.peer else { return nil }
        return try? relayKeys.own.sharedSecret(with: peer)
    }

    // MARK: Time

    /// Nothing is read from the peer just now, because nobody takes its messages here: its silence means nothing. To be
    /// called before ``timeElapsed(at:)`` while that is so.
    public mutating func pausedReading(at now: Moment) {
        keepAlive.pausedReading(at: now.monotonic)
    }

    /// What is due at this moment.
    ///
    /// - Throws: ``ProtocolError`` when a ping cannot be sealed.
    public mutating func timeElapsed(at now: Moment) throws(ProtocolError) -> TimerAction {
        switch phase {
        case .ended:
            return .nothing
        case .holdingBack(let deadline) where now.monotonic >= deadline:
            phase = .open
        case .holdingBack, .open:
            break
        }
        switch keepAlive.timeElapsed(at: now.monotonic) {
        case .nothing:
            return .nothing
        case .ping:
            return .send(try ping(at: now))
        case .peerIsGone:
            phase = .ended
            return .peerIsGone
        }
    }
}

/// What a frame from the peer was.
public enum SessionEvent: Equatable, Sendable {
    /// A message for the application.
    case message(ReceivedMessage)
    /// Something that the protocol answers by itself, before anything else is sent: send this frame.
    case answer([UInt8])
    /// The peer asks whether we are there: send what ``SessionMachine/answerPing(at:)`` yields, as soon as there is room.
    case pinged
    /// The answer to our latest ping.
    case pong(roundTrip: Duration)
    /// The peer has ended the session gracefully.
    case closedByPeer
    /// Nothing that concerns anybody.
    case nothing
}

/// What is due when time has passed.
public enum TimerAction: Equatable, Sendable {
    /// Nothing but to look at the next deadline.
    case nothing
    /// Send this frame.
    case send([UInt8])
    /// The peer has not answered in all the time that it had: the session has ended.
    case peerIsGone
}

/// A message of the application as it arrived.
public struct ReceivedMessage: Equatable, Sendable {
    /// What the message says of itself.
    public let metadata: Metadata
    /// Its content, at most ``ProtocolConstants/maximumPayloadSize`` bytes.
    public let payload: [UInt8]
}

/// The limits of a session.
public struct SessionConfiguration: Equatable, Sendable {
    /// The largest payload that is sent or taken, in bytes; at most ``ProtocolConstants/maximumPayloadSize``.
    public var maximumMessageSize: Int
    /// When to ping a silent peer; nil for never.
    public var keepAlive: KeepAliveConfiguration?
    /// See ``ProtocolConstants/holdBackInterval``.
    public var holdBackInterval: Duration

    /// The limits of the protocol, unless others are given.
    public init(
        maximumMessageSize: Int = ProtocolConstants.maximumPayloadSize, keepAlive: KeepAliveConfiguration? = .init(),
        holdBackInterval: Duration = ProtocolConstants.holdBackInterval
    ) {
        self.maximumMessageSize = min(maximumMessageSize, ProtocolConstants.maximumPayloadSize)
        self.keepAlive = keepAlive
        self.holdBackInterval = holdBackInterval
    }
}

extension SessionState {
    mutating func randomToken() -> [UInt8] {
        withRandom { $0.bytes(ProtocolConstants.pingTokenSize) }
    }

    mutating func randomRelayKey() throws(CryptoError) -> X25519PrivateKey {
        try withRandom { random throws(CryptoError) in try X25519PrivateKey.generate(using: &random) }
    }
}
