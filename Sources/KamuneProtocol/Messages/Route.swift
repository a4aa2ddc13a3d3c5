/// What a message is about (§4.3): the number in its metadata that decides how it is understood.
public enum Route: Int32, Sendable, CaseIterable {
    /// Introduction of either side; only as the first message of a cold handshake.
    case identity = 1
    /// The initiator's ML-KEM key.
    case requestHandshake = 2
    /// The responder's ML-KEM ciphertext.
    case acceptHandshake = 3
    /// Reserved; 0.7 never sends it.
    case finalizeHandshake = 4
    /// A challenge; once from each side.
    case sendChallenge = 5
    /// The answer to a challenge.
    case verifyChallenge = 6
    /// A message of the application.
    case exchangeMessages = 7
    /// Graceful end of the session.
    case closeTransport = 8
    /// A question whether the peer is alive.
    case ping = 9
    /// The answer to a ping; repeats its token.
    case pong = 10
    /// The initiator wishes to resume a session.
    case resumeRequest = 11
    /// The responder's answer to that.
    case resumeAccept = 12
    /// Named values that belong to the session.
    case sessionData = 13

    /// Whether the route may appear in an established session.
    var isLegalInSession: Bool {
        switch self {
        case .exchangeMessages, .closeTransport, .ping, .pong, .sessionData: true
        case .identity, .requestHandshake, .acceptHandshake, .finalizeHandshake, .sendChallenge, .verifyChallenge,
            .resumeRequest, .resumeAccept:
            false
        }
    }
}
