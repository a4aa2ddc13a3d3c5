import KamuneCrypto

/// Both introductions as they were sent, by their hashes (§10.2). In a resumed handshake there are none, and both hashes
/// are those of nothing.
struct Announcements: Equatable, Sendable {
    /// SHA-256 of the initiator's introduction, then of the responder's.
    let digest: [UInt8]

    init(initiator: some Collection<UInt8>, responder: some Collection<UInt8>) {
        digest = SHA256Digest.hash(Array(initiator)) + SHA256Digest.hash(Array(responder))
    }

    static let resumed = Announcements(initiator: EmptyCollection(), responder: EmptyCollection())
}

/// What each of our peers hides at the start of the padding of its first message under the session's keys (§10.2).
///
/// The HPKE tunnel authenticates nobody, and no introduction is bound to the handshake that follows it. So somebody in
/// between could hand on an old introduction of the same person, validly signed, that announced less. The marker says
/// "I am one who announces"; the binding says what was announced, by both. To a peer of 0.7 both are random padding.
struct AnnouncementProof: ~Copyable {
    static let partSize = 32

    private let marker: SecretBytes
    private let binding: SecretBytes

    init(marker: consuming SecretBytes, binding: consuming SecretBytes) {
        self.marker = marker
        self.binding = binding
    }

    /// What the padding begins with.
    borrowing func encoded() -> [UInt8] {
        marker.withUnsafeBytes { Array($0) } + binding.withUnsafeBytes { Array($0) }
    }

    /// Checks the padding of the peer's first message.
    ///
    /// - Parameter announced: Whether the introduction that arrived announced anything.
    borrowing func check(_ padding: ArraySlice<UInt8>, announced: Bool) throws(ProtocolError) {
        let expected = encoded()
        let start = Array(padding.prefix(Self.partSize))
        let rest = Array(padding.dropFirst(Self.partSize).prefix(Self.partSize))
        let isMarked = constantTimeEqual(start, Array(expected.prefix(Self.partSize)))
        let isBound = constantTimeEqual(rest, Array(expected.suffix(Self.partSize)))
        guard announced ? (isMarked && isBound) : !isMarked else { throw .authenticationFailed(.capabilityDowngrade) }
    }
}
