public import KamuneCrypto

/// What one side brings into a handshake.
public struct HandshakeConfiguration: Sendable {
    /// Our identity, which signs every message.
    public var identity: Identity
    /// The name by which we introduce ourselves; by default the identity's fingerprint, as in 0.7.
    public var name: String
    /// The version that we announce and judge the peer's by.
    public var version: AppVersion
    /// What we announce beyond the base protocol. With ``CapabilitySet/none`` every byte is as 0.7 sends it.
    public var capabilities: CapabilitySet
    /// By which our earlier identities vouch for this one. Only sent when something is announced.
    public var succession: Succession

    /// A configuration with these parts.
    public init(
        identity: Identity, name: String? = nil, version: AppVersion = .current, capabilities: CapabilitySet = .all,
        succession: Succession = .none
    ) {
        self.identity = identity
        self.name = name ?? identity.publicKey.fingerprint.sum
        self.version = version
        self.capabilities = capabilities
        self.succession = succession
    }
}

extension AppVersion {
    /// The version that this library speaks.
    public static let current = AppVersion(major: 0, minor: 7, patch: 0)
}

/// What a handshake asks of its driver.
public enum HandshakeAction: ~Copyable, Sendable {
    /// Send these frames, in order, then wait for the next one.
    case send([[UInt8]])
    /// The peer has introduced itself and holds the key that it names. Decide whether to talk to it, then call
    /// `acceptPeer`, or close the connection: that is how a peer is refused.
    case verifyPeer(PeerIntroduction)
    /// The peer wishes to resume a session; responders only. Look it up, then call `acceptResumption` or
    /// `refuseResumption`.
    case resolveResumption(ResumptionRequest)
    /// Send these frames, if any; the session is established.
    case established(EstablishedSession, sending: [[UInt8]])
}

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
}

/// What both roles need in every state: who we are, and where randomness comes from.
struct HandshakeContext: Sendable {
    let configuration: HandshakeConfiguration
    var random: ErasedRandomSource
    var encapsulator: any Encapsulator

    init(configuration: HandshakeConfiguration, random: any RandomSource, encapsulator: any Encapsulator) {
        self.configuration = configuration
        self.random = ErasedRandomSource(random)
        self.encapsulator = encapsulator
    }

    /// Signs and pads a message that travels before the session.
    mutating func envelope(_ data: [UInt8], metadata: Metadata) throws(ProtocolError) -> [UInt8] {
        try Envelope.seal(
            metadata: metadata, dataSize: data.count, appendData: { $0.append(contentsOf: data) },
            signedBy: configuration.identity, random: &random)
    }

    /// Metadata of a handshake message: identifier and time, but no number (§6.3).
    mutating func handshakeMetadata(route: Route, now: Timestamp) -> Metadata {
        Metadata(
            id: random.base32Text(count: ProtocolConstants.messageIDLength), timestamp: now, route: route)
    }

    mutating func randomSalt() -> [UInt8] {
        random.bytes(ProtocolConstants.handshakeSaltSize)
    }

    mutating func randomHalfSessionID() -> String {
        random.base32Text(count: ProtocolConstants.sessionIDLength / 2)
    }

    /// The start of the padding of our first message under the session's keys; nothing when we announce nothing.
    func announcementPadding(
        _ schedule: borrowing KeySchedule, _ announcements: Announcements, sender: Role
    ) -> [UInt8] {
        if configuration.capabilities.isEmpty { return [] }
        return schedule.announcementProof(of: sender, announcements).encoded()
    }

    /// Checks the peer's announcement. When we announce nothing, we look like 0.7 and check what 0.7 checks: nothing.
    func checkAnnouncement(
        in padding: ArraySlice<UInt8>, by peer: SessionPeer, _ schedule: borrowing KeySchedule,
        _ announcements: Announcements, sender: Role
    ) throws(ProtocolError) {
        if configuration.capabilities.isEmpty { return }
        try schedule.announcementProof(of: sender, announcements)
            .check(padding, announced: !peer.capabilities.isEmpty)
    }
}

/// What drivers need of either role: frames in, actions out.
public protocol HandshakeMachine: ~Copyable, Sendable {
    /// Takes the next frame from the peer.
    mutating func receivedFrame(_ frame: [UInt8], at now: Timestamp) throws(ProtocolError) -> HandshakeAction
    /// Goes on after ``HandshakeAction/verifyPeer(_:)``.
    mutating func acceptPeer(at now: Timestamp) throws(ProtocolError) -> HandshakeAction
    /// Goes on after ``HandshakeAction/resolveResumption(_:)``: the session is known, and the token was found and spent.
    mutating func acceptResumption(
        _ resumption: VerifiedResumption, peerCapabilities: CapabilitySet
    ) throws(ProtocolError) -> HandshakeAction
    /// Goes on after ``HandshakeAction/resolveResumption(_:)``: the frame to send before the connection is closed.
    mutating func refuseResumption() throws(ProtocolError) -> [UInt8]
    /// Whether the keys of the tunnel are agreed.
    var isTunnelEstablished: Bool { get }
    /// Whether the peer has our introduction and is judging it: if it closes the connection now, it refuses us.
    var peerIsDeciding: Bool { get }
}
