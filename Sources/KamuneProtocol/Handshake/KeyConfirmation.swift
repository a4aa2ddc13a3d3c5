import KamuneCrypto

/// The tunnel, and who is at its other end: somebody whom we want to talk to, or whom an earlier session was with.
struct PeerTunnel: ~Copyable, Sendable {
    var tunnel: Tunnel
    let peer: SessionPeer
    let announcements: Announcements
    /// The session that is being resumed; nil in a cold handshake.
    let resumedSessionID: String?

    /// Opens the peer's handshake message (§6.3).
    mutating func receivedHandshake(_ frame: [UInt8], _ route: Route) throws(ProtocolError) -> HandshakeMessage {
        let envelope = try Envelope(parsing: try tunnel.open(frame)).verified(by: peer.identity).expecting(route)
        let message = try HandshakeMessage(decoding: envelope.data, route: route)
        if let resumedSessionID, message.sessionKey != resumedSessionID {
            throw .authenticationFailed(.sessionMismatch)
        }
        return message
    }
}

/// The last part of a handshake, for either role: both sides hold the session's keys, and each proves it by sending a
/// challenge that follows from them, and getting it back (§6.4).
struct KeyConfirmation: ~Copyable, Sendable {
    private var tunnel: Tunnel
    private var session: SessionState
    private let peer: SessionPeer
    private let schedule: KeySchedule
    private let announcements: Announcements
    private let isResumed: Bool

    init(
        _ role: Role, _ other: consuming PeerTunnel, sharedSecret: consuming SecretBytes, request: HandshakeMessage,
        response: HandshakeMessage, _ context: HandshakeContext
    ) throws(ProtocolError) {
        let schedule = KeySchedule(
            sharedSecret: sharedSecret, sessionID: other.resumedSessionID ?? request.sessionKey + response.sessionKey,
            request: request, response: response)
        session = try SessionState(
            role: role, schedule: schedule, identity: context.configuration.identity, peer: other.peer.identity,
            maximumFrameSize: context.configuration.maximumFrameSize,
            isPeerOurs: !context.configuration.capabilities.isEmpty && !other.peer.capabilities.isEmpty,
            random: context.random)
        self.schedule = schedule
        isResumed = other.resumedSessionID != nil
        peer = other.peer
        announcements = other.announcements
        tunnel = other.tunnel
    }

    /// The frame with our challenge.
    mutating func challenge(_ context: HandshakeContext, at now: Timestamp) throws(ProtocolError) -> [UInt8] {
        try seal(.sendChallenge, schedule.challenge(of: session.role), context, at: now)
    }

    /// The frame that answers the peer's challenge.
    mutating func answer(_ context: HandshakeContext, at now: Timestamp) throws(ProtocolError) -> [UInt8] {
        try seal(.verifyChallenge, schedule.challenge(of: session.role.peer), context, at: now)
    }

    private mutating func seal(
        _ route: Route, _ challenge: borrowing SecretBytes, _ context: HandshakeContext, at now: Timestamp
    ) throws(ProtocolError) -> [UInt8] {
        let isFirst = session.sealedCount == 0
        let prefix =
            isFirst ? context.announcementPadding(schedule, announcements, sender: session.role) : []
        return try tunnel.seal(
            try session.seal(route, challenge: challenge, paddingPrefix: prefix, at: now))
    }

    /// Takes the frame with the peer's challenge. 0.7 repeats whatever it is sent; we know what the challenge must be,
    /// and repeat nothing else.
    mutating func receivedChallenge(_ frame: [UInt8], _ context: HandshakeContext) throws(ProtocolError) {
        try open(frame, .sendChallenge, schedule.challenge(of: session.role.peer), context)
    }

    /// Takes the frame that answers our challenge.
    mutating func receivedAnswer(_ frame: [UInt8], _ context: HandshakeContext) throws(ProtocolError) {
        try open(frame, .verifyChallenge, schedule.challenge(of: session.role), context)
    }

    private mutating func open(
        _ frame: [UInt8], _ route: Route, _ challenge: borrowing SecretBytes, _ context: HandshakeContext
    ) throws(ProtocolError) {
        let isFirst = session.openedCount == 0
        let message = try session.open(try tunnel.open(frame)).expecting(route)
        try challenge.check(message)
        guard isFirst else { return }
        try context.checkAnnouncement(
            in: message.padding, by: peer, schedule, announcements, sender: session.role.peer)
    }

    /// The session, once both challenges were answered.
    consuming func established() -> EstablishedSession {
        EstablishedSession(
            state: session, resumptionRoot: schedule.resumptionRoot(),
            additionSecret: schedule.additionSecret(announcements), peer: peer, isResumed: isResumed)
    }
}

extension SecretBytes {
    /// Compares a challenge, or the answer to one, in constant time.
    fileprivate borrowing func check(_ message: VerifiedEnvelope) throws(ProtocolError) {
        let value: ArraySlice<UInt8>
        do {
            value = try BytesValue.decode(message.data)
        } catch {
            throw .peerMisbehaved(.malformedMessage(message.metadata.route ?? .verifyChallenge))
        }
        let isEqual = withUnsafeBytes { KamuneCrypto.constantTimeEqual(Array(value), Array($0)) }
        guard isEqual else { throw .authenticationFailed(.challengeMismatch) }
    }
}
