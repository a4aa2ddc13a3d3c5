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
    /// The largest frame that the connection carries, in bytes; where that is less than a length can announce, envelopes
    /// are padded accordingly (PROTOCOL §4.5).
    public var maximumFrameSize: Int

    /// A configuration with these parts.
    public init(
        identity: Identity, name: String? = nil, version: AppVersion = .current, capabilities: CapabilitySet = .all,
        succession: Succession = .none, maximumFrameSize: Int = ProtocolConstants.maximumFrameSize
    ) {
        self.identity = identity
        self.name = name ?? identity.publicKey.fingerprint.sum
        self.version = version
        self.capabilities = capabilities
        self.succession = succession
        self.maximumFrameSize = maximumFrameSize
    }
}

extension AppVersion {
    /// The version that this library speaks.
    public static let current = AppVersion(major: 0, minor: 7, patch: 0)
}
