public import KamuneCrypto

/// Which side of the handshake somebody is on. It decides which key seals and which one opens (§7.3).
public enum Role: Sendable, Equatable, CaseIterable {
    /// The side that connected.
    case initiator
    /// The side that was connected to.
    case responder

    /// The other side.
    public var peer: Role {
        switch self {
        case .initiator: .responder
        case .responder: .initiator
        }
    }

    /// The label of the direction in which this side sends.
    var directionLabel: String {
        switch self {
        case .initiator: ProtocolConstants.initiatorToResponderLabel
        case .responder: ProtocolConstants.responderToInitiatorLabel
        }
    }

    /// The name in the labels of our additions (§10.2).
    var label: String {
        switch self {
        case .initiator: "initiator"
        case .responder: "responder"
        }
    }
}

/// Everything that is derived from the ML-KEM shared secret (§7).
struct KeySchedule: ~Copyable, Sendable {
    private let sharedSecret: SecretBytes
    let sessionID: String
    private let initiatorSalt: [UInt8]
    private let responderSalt: [UInt8]
    let transcriptHash: [UInt8]

    init(
        sharedSecret: consuming SecretBytes, sessionID: String, request: HandshakeMessage, response: HandshakeMessage
    ) {
        self.sharedSecret = sharedSecret
        self.sessionID = sessionID
        self.initiatorSalt = request.salt
        self.responderSalt = response.salt
        self.transcriptHash = Self.transcriptHash(request: request, response: response)
    }

    /// SHA-256 over the label and the fields of both handshake messages, each behind its length in four bytes (§7.2).
    static func transcriptHash(request: HandshakeMessage, response: HandshakeMessage) -> [UInt8] {
        var input = Array(ProtocolConstants.transcriptLabel.utf8)
        for message in [request, response] {
            for field in [message.key, message.salt, Array(message.sessionKey.utf8)] {
                withUnsafeBytes(of: UInt32(truncatingIfNeeded: field.count).bigEndian) {
                    input.append(contentsOf: $0)
                }
                input.append(contentsOf: field)
            }
        }
        return SHA256Digest.hash(input)
    }

    /// The key with which `sender` seals: HKDF with the sender's salt and its direction's label (§7.3).
    borrowing func sessionKey(of sender: Role) -> SecretBytes {
        HKDFSHA512.derive(
            secret: sharedSecret,
            salt: sender == .initiator ? initiatorSalt : responderSalt,
            info: Array((sender.directionLabel + sessionID).utf8),
            count: XChaCha20Poly1305.keySize)
    }

    /// The challenge that `sender` sends, and that it expects back (§6.4).
    borrowing func challenge(of sender: Role) -> SecretBytes {
        HKDFSHA512.derive(
            secret: sharedSecret, salt: [], info: challengeInfo(of: sender), count: ProtocolConstants.challengeSize)
    }

    borrowing func challengeInfo(of sender: Role) -> [UInt8] {
        Array("\(sessionID)|\(sender.directionLabel)|".utf8) + transcriptHash
    }

    /// From which the session's resumption tokens come (§9.1).
    borrowing func resumptionRoot() -> ResumptionRoot {
        ResumptionRoot(
            HKDFSHA512.derive(
                secret: sharedSecret,
                salt: Array(sessionID.utf8),
                info: Array(ProtocolConstants.resumptionRootLabel.utf8),
                count: ProtocolConstants.resumptionTokenSize))
    }

    /// The start of the padding with which `sender` proves what was announced (§10.2).
    borrowing func announcementProof(of sender: Role, _ announcements: Announcements) -> AnnouncementProof {
        let context = Array((sender.label + "|").utf8) + transcriptHash
        return AnnouncementProof(
            marker: HKDFSHA512.derive(
                secret: sharedSecret, salt: [],
                info: Array(ProtocolConstants.capabilityMarkerLabel.utf8) + context,
                count: AnnouncementProof.partSize),
            binding: HKDFSHA512.derive(
                secret: sharedSecret, salt: [],
                info: Array(ProtocolConstants.capabilityBindingLabel.utf8) + context + announcements.digest,
                count: AnnouncementProof.partSize))
    }

    /// The secret from which the keys of additions are derived.
    borrowing func additionSecret(_ announcements: Announcements) -> AdditionSecret {
        AdditionSecret(
            sharedSecret: sharedSecret.copy(), transcriptHash: transcriptHash, announcements: announcements)
    }
}

/// From which the single-use tokens of a session are derived (§9.1). Deriving all twenty costs as much as two
/// signatures, so it waits until somebody wants them.
public struct ResumptionRoot: ~Copyable, Sendable {
    private let secret: SecretBytes

    init(_ secret: consuming SecretBytes) {
        self.secret = secret
    }

    /// Token number `index`, 32 bytes; both sides derive the same ones.
    public borrowing func token(at index: UInt32) -> SecretBytes {
        let number = withUnsafeBytes(of: index.bigEndian) { Array($0) }
        return HKDFSHA512.derive(
            secret: secret, salt: [], info: Array(ProtocolConstants.resumptionTokenLabel.utf8) + number,
            count: ProtocolConstants.resumptionTokenSize)
    }

    /// The root itself, for tests against recorded sessions.
    package borrowing func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        secret.withUnsafeBytes(body)
    }

    private func withUnsafeBytes<R>(of value: UInt32, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        Swift.withUnsafeBytes(of: value, body)
    }
}

/// From which an addition derives its keys (§10.4): they depend on what both sides announced, so two peers who were told
/// different things do not share them.
public struct AdditionSecret: ~Copyable, Sendable {
    private let sharedSecret: SecretBytes
    private let transcriptHash: [UInt8]
    private let announcements: Announcements

    init(sharedSecret: consuming SecretBytes, transcriptHash: [UInt8], announcements: Announcements) {
        self.sharedSecret = sharedSecret
        self.transcriptHash = transcriptHash
        self.announcements = announcements
    }

    /// The key of an addition, `count` bytes (at most 255 × 64).
    public borrowing func key(for capability: Capability, count: Int = 32) -> SecretBytes {
        HKDFSHA512.derive(
            secret: sharedSecret, salt: transcriptHash,
            info: Array("\(ProtocolConstants.additionKeyLabel)\(capability.name)|".utf8) + announcements.digest,
            count: count)
    }
}
