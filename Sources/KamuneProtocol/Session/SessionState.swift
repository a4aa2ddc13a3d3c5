public import KamuneCrypto

/// The keys and counters of an established session: seals and opens its messages, one after the other (§8.1).
///
/// It cannot be copied: a copy would number two messages alike.
public struct SessionState: ~Copyable, Sendable {
    /// The session's identifier, 24 characters of base32; 36 or 48 where a peer of 0.7 chose so.
    public let id: String
    /// Our side of the handshake.
    public let role: Role
    /// Who we are.
    public let identity: Identity
    /// Who signs the peer's messages.
    public let peer: PublicIdentity

    private let sealingCipher: XChaCha20Poly1305
    private let openingCipher: XChaCha20Poly1305
    private let limits: FrameLimits
    /// The same for challenges, which the tunnel seals once more.
    private let challengeLimits: FrameLimits
    private var random: ErasedRandomSource
    /// What each side has sent when the handshake ends: its challenge and its answer.
    static let handshakeMessageCount: UInt64 = 2

    /// The number of the last message sealed; 0 before the first.
    public private(set) var sealedCount: UInt64 = 0
    /// The number of the last message opened; 0 before the first.
    public private(set) var openedCount: UInt64 = 0

    init(
        role: Role, schedule: borrowing KeySchedule, identity: Identity, peer: PublicIdentity,
        maximumFrameSize: Int = ProtocolConstants.maximumFrameSize, isPeerOurs: Bool = false, random: any RandomSource
    ) throws(ProtocolError) {
        let sealing = try Self.cipher(schedule.sessionKey(of: role))
        let opening = try Self.cipher(schedule.sessionKey(of: role.peer))
        sealingCipher = sealing
        openingCipher = opening
        id = schedule.sessionID
        self.role = role
        self.identity = identity
        self.peer = peer
        limits = FrameLimits(
            maximumFrameSize: maximumFrameSize, isPeerOurs: isPeerOurs, overhead: ProtocolConstants.cipherOverhead)
        challengeLimits = FrameLimits(
            maximumFrameSize: maximumFrameSize, isPeerOurs: isPeerOurs,
            overhead: ProtocolConstants.cipherOverhead + TunnelSuite.overhead)
        self.random = ErasedRandomSource(random)
    }

    private static func cipher(_ key: consuming SecretBytes) throws(ProtocolError) -> XChaCha20Poly1305 {
        do {
            return try XChaCha20Poly1305(key: key)
        } catch {
            throw .system(.cryptography)
        }
    }

    mutating func withRandom<R, E: Error>(_ body: (inout ErasedRandomSource) throws(E) -> R) throws(E) -> R {
        try body(&random)
    }

    /// Seals a message that is just bytes.
    mutating func seal(
        _ route: Route, bytes: [UInt8], at now: Timestamp
    ) throws(ProtocolError) -> SealedMessage {
        try seal(
            route, dataSize: BytesValue.encodedSize(bytes), at: now
        ) { BytesValue.encode(bytes, to: &$0) }
    }

    /// Seals a message that is encoded already.
    mutating func seal(_ route: Route, encoded: [UInt8], at now: Timestamp) throws(ProtocolError) -> SealedMessage {
        try seal(route, dataSize: encoded.count, at: now) { $0.append(contentsOf: encoded) }
    }

    mutating func seal(
        _ route: Route, challenge: borrowing SecretBytes, paddingPrefix: [UInt8] = [], at now: Timestamp
    ) throws(ProtocolError) -> [UInt8] {
        let bytes = challenge.withUnsafeBytes { Array($0) }
        return try seal(
            route, dataSize: BytesValue.encodedSize(bytes), paddingPrefix: paddingPrefix,
            largestBucket: ProtocolConstants.largestChallengeBucket, limits: challengeLimits, at: now
        ) { BytesValue.encode(bytes, to: &$0) }.frame
    }

    private mutating func seal(
        _ route: Route, dataSize: Int, paddingPrefix: [UInt8] = [], largestBucket: Int = .max,
        limits: FrameLimits? = nil,
        at now: Timestamp, appendData: (inout [UInt8]) -> Void
    ) throws(ProtocolError) -> SealedMessage {
        guard sealedCount < .max else { throw .system(.numbersExhausted) }
        let metadata = Metadata(
            id: random.base32Text(count: ProtocolConstants.messageIDLength), timestamp: now,
            sequence: sealedCount + 1, route: route)
        let plaintext = try Envelope.seal(
            metadata: metadata, dataSize: dataSize, appendData: appendData, signedBy: identity,
            paddingPrefix: paddingPrefix, largestBucket: largestBucket, limits: limits ?? self.limits, random: &random)
        let frame = sealingCipher.seal(plaintext, nonce: .random(using: &random))
        // Counted only now: a message that could not be sealed leaves no gap.
        sealedCount += 1
        return SealedMessage(metadata: metadata, frame: frame)
    }

    /// Opens the next message: decrypts, checks the signature, then the number (§8.1). A message that is repeated,
    /// missing or out of order ends the session.
    mutating func open(_ frame: [UInt8]) throws(ProtocolError) -> VerifiedEnvelope {
        let plaintext: [UInt8]
        do {
            plaintext = try openingCipher.open(frame)
        } catch {
            throw .authenticationFailed(.undecryptable(.session))
        }
        let envelope = try Envelope(parsing: plaintext).verified(by: peer)
        guard openedCount < .max else { throw .system(.numbersExhausted) }
        let expected = openedCount + 1
        guard envelope.metadata.sequence == expected else {
            throw .peerMisbehaved(.outOfSequence(expected: expected, actual: envelope.metadata.sequence))
        }
        openedCount = expected
        return envelope
    }
}

/// A message on its way out.
public struct SealedMessage: Sendable, Equatable {
    /// What the message says of itself.
    public let metadata: Metadata
    /// The frame to send.
    public let frame: [UInt8]
}
