/// What can go wrong in the protocol. Each case names one condition; none carries a secret.
///
/// Every error ends the handshake or session in which it arose: the machine that threw it stays in its failed state.
public enum ProtocolError: Error, Equatable, Sendable {
    // MARK: The peer's bytes are not what the protocol says

    /// A message of the HPKE exchange has the wrong form.
    case malformedExchange(reason: String)
    /// A frame could not be decrypted: it was altered, belongs elsewhere, or comes from somebody else.
    case undecryptable(Layer)
    /// The plaintext of a frame is not an envelope.
    case malformedEnvelope(reason: String)
    /// The message within an envelope cannot be decoded.
    case malformedMessage(Route)
    /// The peer's public key cannot be read.
    case malformedIdentity(reason: String)
    /// A field of a handshake message is out of bounds.
    case invalidHandshakeField(HandshakeField)
    /// A frame came where none may come.
    case unexpectedFrame
    /// A message with a route that is not legal in this phase.
    case unexpectedRoute(expected: Route, actual: Route?)
    /// A message of an established session bears a route that may not appear there.
    case forbiddenRoute(rawValue: Int32)
    /// The peer acknowledged what is not on its way to it.
    case invalidAcknowledgement
    /// A message came twice, or one is missing.
    case outOfSequence(expected: UInt64, actual: UInt64)

    // MARK: The peer is not who it claims to be, or somebody interferes

    /// A signature does not fit the identity, the message or its metadata.
    case invalidSignature
    /// The peer's challenge or its answer is wrong: the keys of both sides differ.
    case challengeMismatch
    /// What the peer announced is not what arrived: somebody removed or exchanged an introduction.
    case capabilityDowngrade
    /// The resumed handshake is for another session than the one asked for.
    case sessionMismatch
    /// The statements by which earlier identities vouch for the peer do not lead to it.
    case invalidSuccession(SuccessionFault)

    // MARK: We do not fit together

    /// The peer sent a message that is larger than this side takes.
    case oversizedMessage(size: Int, limit: Int)
    /// The versions of both sides cannot speak with each other.
    case incompatibleVersion(local: String, remote: String)
    /// The peer's identity uses an algorithm that we do not know.
    case unsupportedIdentityAlgorithm(oid: String)
    /// The peer does not resume the session; a cold introduction on a new connection may work.
    case resumptionRefused(reason: String)

    // MARK: The caller asks for what is not possible

    /// The message is larger than the protocol carries.
    case messageTooLarge(size: Int, limit: Int)
    /// The call does not fit the machine's phase.
    case misuse(reason: String)
    /// The machine has failed before, or is finished.
    case terminated
    /// Signing or sealing failed within the cryptographic library.
    case cryptographyFailed

    /// What is wrong with statements about a successor.
    public enum SuccessionFault: Equatable, Sendable {
        /// There are too many of them.
        case tooMany
        /// Together they are too large.
        case tooLarge
        /// One is not laid out as it must be.
        case malformed
        /// One is not signed by both keys that it names.
        case signature
        /// One names another successor than the key that comes after it.
        case gap
        /// A key comes twice.
        case loop
    }

    /// Which of the two ciphers could not open a frame.
    public enum Layer: Equatable, Sendable {
        /// The HPKE tunnel around the handshake.
        case tunnel
        /// The session's own cipher.
        case session
    }

    /// A field of a handshake message.
    public enum HandshakeField: Equatable, Sendable {
        /// The salt has not 16 bytes.
        case salt
        /// The session key is not base32 of the right length.
        case sessionKey
        /// The ML-KEM-768 key or ciphertext is malformed.
        case key
    }
}

extension ProtocolError: CustomStringConvertible {
    /// One sentence for a person: what happened and, where there is something, what to do.
    public var description: String {
        switch self {
        case .malformedExchange(let reason):
            "The other side does not speak Kamune's key exchange (\(reason)). Check the address and port."
        case .undecryptable(.tunnel):
            "A frame of the handshake could not be decrypted: it was damaged or tampered with on the way."
        case .undecryptable(.session):
            "A message could not be decrypted: it was damaged or tampered with on the way. The session was closed."
        case .malformedEnvelope(let reason):
            "The other side sent a message that is not well formed (\(reason))."
        case .malformedMessage(let route):
            "The other side sent a message of kind \(route) whose contents cannot be read."
        case .malformedIdentity(let reason):
            "The other side's public key cannot be read (\(reason))."
        case .invalidHandshakeField(let field):
            "The other side's handshake has an invalid \(field)."
        case .unexpectedFrame:
            "The other side spoke out of turn."
        case .unexpectedRoute(let expected, let actual):
            "The other side sent \(actual.map { "\($0)" } ?? "an unknown message") where \(expected) was due."
        case .forbiddenRoute(let raw):
            "The other side sent a message of kind \(raw), which has no place in a session."
        case .invalidAcknowledgement:
            "The other side acknowledged a message that it was not sent."
        case .outOfSequence(let expected, let actual):
            actual < expected
                ? "A message arrived twice (number \(actual), expected \(expected)): it was replayed. The session was closed."
                : "Messages are missing (number \(actual), expected \(expected)). The session was closed."
        case .invalidSignature:
            "A signature is wrong: the message does not come from the identity that it claims."
        case .challengeMismatch:
            "The two sides do not share the same keys: somebody may be in between. Nothing was sent."
        case .capabilityDowngrade:
            "The introduction that arrived is not the one that the other side sent: somebody is in between."
        case .sessionMismatch:
            "The other side answered for another session than the one to be resumed."
        case .invalidSuccession(let fault):
            "The other side claims to be the successor of an earlier identity, and cannot prove it (\(fault))."
        case .incompatibleVersion(let local, let remote):
            "The other side speaks version \(remote) of the protocol, this side \(local). Both need the same."
        case .unsupportedIdentityAlgorithm(let oid):
            "The other side's identity uses an unknown algorithm (\(oid))."
        case .resumptionRefused(let reason):
            "The other side does not resume the session (\(reason)). Connect anew."
        case .oversizedMessage(let size, let limit):
            "The other side sent a message of \(size) bytes; this side takes at most \(limit)."
        case .messageTooLarge(let size, let limit):
            "The message has \(size) bytes; at most \(limit) fit into one. Send it in parts."
        case .misuse(let reason):
            "The protocol was used wrongly: \(reason)."
        case .terminated:
            "The session has ended."
        case .cryptographyFailed:
            "A cryptographic operation failed on this machine."
        }
    }
}
