import KamuneCrypto

/// What both roles need in every state: who we are, and where randomness comes from.
struct HandshakeContext: Sendable {
    var configuration: HandshakeConfiguration
    var random: ErasedRandomSource
    var encapsulator: any Encapsulator

    init(configuration: HandshakeConfiguration, random: any RandomSource, encapsulator: any Encapsulator) {
        self.configuration = configuration
        self.random = ErasedRandomSource(random)
        self.encapsulator = encapsulator
    }

    // MARK: The exchange

    /// A key of ours to which the peer encapsulates the tunnel (§5.1).
    mutating func tunnelKey() throws(ProtocolError) -> TunnelPrivateKey {
        do {
            return try TunnelPrivateKey.generate(using: &random)
        } catch {
            throw .system(.cryptography)
        }
    }

    /// Our direction of the tunnel, to a key that the peer has sent.
    mutating func encapsulateTunnel(to publicKey: [UInt8]) throws(ProtocolError) -> TunnelEncapsulation {
        do {
            return try encapsulator.encapsulateTunnel(to: publicKey)
        } catch {
            throw .peerMisbehaved(.malformedExchange(error))
        }
    }

    // MARK: Messages before the session

    /// Signs and pads a message that travels before the session, when nobody knows yet who the peer is. It is padded as if
    /// the session's cipher sealed it, although the tunnel's adds less.
    mutating func envelope(_ data: [UInt8], metadata: Metadata) throws(ProtocolError) -> [UInt8] {
        try Envelope.seal(
            metadata: metadata, dataSize: data.count, appendData: { $0.append(contentsOf: data) },
            signedBy: configuration.identity,
            limits: FrameLimits(
                maximumFrameSize: configuration.maximumFrameSize, isPeerOurs: false,
                overhead: ProtocolConstants.cipherOverhead),
            random: &random)
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

    // MARK: Announcements

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
