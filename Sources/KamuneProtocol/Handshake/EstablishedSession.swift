public import KamuneCrypto

/// What a finished handshake yields. Frozen, so that its parts can go separate ways in another module.
@frozen
public struct EstablishedSession: ~Copyable, Sendable {
    /// The state that seals and opens the session's messages.
    public var state: SessionState
    /// From which the session's tokens are derived.
    public let resumptionRoot: ResumptionRoot
    /// From which the keys of additions are derived.
    public let additionSecret: AdditionSecret
    /// Who the peer is.
    public let peer: SessionPeer
    /// Whether an earlier session was resumed, without introductions.
    public let isResumed: Bool
}

/// Who is at the other end of a session.
public struct SessionPeer: Equatable, Sendable {
    /// The identity that signs the peer's messages.
    public let identity: PublicIdentity
    /// What the peer said of itself; nil in a resumed session, which has no introductions.
    public let introduction: PeerIntroduction?
    /// What the peer announced, now or when the session was first established.
    public let capabilities: CapabilitySet

    /// Somebody whose introduction has arrived.
    init(_ introduction: PeerIntroduction) {
        identity = introduction.identity
        self.introduction = introduction
        capabilities = introduction.capabilities
    }

    /// Somebody whom an earlier session was with.
    init(resuming identity: PublicIdentity, capabilities: CapabilitySet) {
        self.identity = identity
        introduction = nil
        self.capabilities = capabilities
    }
}
