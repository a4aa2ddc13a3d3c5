extension ProtocolError {
    /// Why a peer is not believed to be who it claims to be.
    public enum AuthenticationFailure: Equatable, Sendable {
        /// A frame could not be decrypted: it was altered, belongs elsewhere, or comes from somebody else.
        case undecryptable(Layer)
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
    }

    /// Which of the two ciphers could not open a frame.
    public enum Layer: Equatable, Sendable {
        /// The HPKE tunnel around the handshake.
        case tunnel
        /// The session's own cipher.
        case session
    }

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
}

extension ProtocolError.AuthenticationFailure: CustomStringConvertible {
    /// One sentence for a person.
    public var description: String {
        switch self {
        case .undecryptable(.tunnel):
            "A frame of the handshake could not be decrypted: it was damaged or tampered with on the way."
        case .undecryptable(.session):
            "A message could not be decrypted: it was damaged or tampered with on the way. The session was closed."
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
        }
    }
}
