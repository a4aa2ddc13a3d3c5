/// What can go wrong in the protocol: a case for each party whose matter it is, within it the condition. None carries a
/// secret.
///
/// Every error but a ``Misuse`` ends the handshake or session in which it arose: close the connection.
public enum ProtocolError: Error, Equatable, Sendable {
    /// The peer does not keep to the protocol.
    case peerMisbehaved(PeerMisbehavior)
    /// The peer is not who it claims to be, or somebody interferes.
    case authenticationFailed(AuthenticationFailure)
    /// Both sides keep to their rules, but do not fit together.
    case incompatible(Incompatibility)
    /// The peer does not want what we ask for.
    case refused(Refusal)
    /// The caller asks for what is not possible, or not now.
    case misuse(Misuse)
    /// This machine, or a library below this one, failed.
    case system(SystemFailure)
}

extension ProtocolError: CustomStringConvertible {
    /// One sentence for a person: what happened and, where there is something, what to do.
    public var description: String {
        switch self {
        case .peerMisbehaved(let misbehavior): misbehavior.description
        case .authenticationFailed(let failure): failure.description
        case .incompatible(let incompatibility): incompatibility.description
        case .refused(let refusal): refusal.description
        case .misuse(let misuse): misuse.description
        case .system(let failure): failure.description
        }
    }
}

extension ProtocolError {
    /// Why two sides that keep to their rules cannot talk.
    public enum Incompatibility: Equatable, Sendable, CustomStringConvertible {
        /// The versions of both sides cannot speak with each other.
        case version(local: String, remote: String)
        /// The peer's identity uses an algorithm that we do not know.
        case identityAlgorithm(oid: String)

        /// One sentence for a person.
        public var description: String {
            switch self {
            case .version(let local, let remote):
                "The other side speaks version \(remote) of the protocol, this side \(local). Both need the same."
            case .identityAlgorithm(let oid):
                "The other side's identity uses an unknown algorithm (\(oid))."
            }
        }
    }

    /// What a peer does not want.
    public enum Refusal: Equatable, Sendable, CustomStringConvertible {
        /// The peer does not resume the session; a cold introduction on a new connection may work.
        case resumption(reason: String)
        /// The peer does not go on after our introduction, and somebody who may be the peer says why (§10.8).
        case introduction(HandshakeRefusal)

        /// One sentence for a person.
        public var description: String {
            switch self {
            case .resumption(let reason): "The other side does not resume the session (\(reason)). Connect anew."
            case .introduction(.refused): "The other side has refused us."
            case .introduction(.busy):
                "The other side has no place for one more at the moment. Try again in a while."
            case .introduction(.away):
                "The other side is there, but nobody who could accept us. Try again later."
            case .introduction(.waiting):
                "The other side has noted that we want to talk: we are waiting to be accepted. Try again later."
            case .introduction(.unspecified): "The other side does not want to talk now, and does not say why."
            }
        }
    }

    /// What the caller asked for though it cannot be. It changes nothing.
    public enum Misuse: Equatable, Sendable, CustomStringConvertible {
        /// The message is larger than one message may be.
        case messageTooLarge(size: Int, limit: Int)
        /// Application messages have to wait for the peer's first frame (§8.4).
        case heldBack
        /// The peer has as many unacknowledged messages as it may have (§10.5).
        case awaitingAcknowledgement
        /// The session has ended, by a goodbye or an error before.
        case ended

        /// One sentence for a person.
        public var description: String {
            switch self {
            case .messageTooLarge(let size, let limit):
                "The message has \(size) bytes; at most \(limit) fit into one. Send it in parts."
            case .heldBack: "Messages have to wait for the other side's first frame."
            case .awaitingAcknowledgement: "The other side has to acknowledge earlier messages first."
            case .ended: "The session has ended."
            }
        }
    }

    /// What failed on this side.
    public enum SystemFailure: Equatable, Sendable, CustomStringConvertible {
        /// Signing, sealing or making a key failed within the cryptographic library.
        case cryptography
        /// A message of ours could not be encoded.
        case encoding
        /// All 2⁶⁴ − 1 numbers of a session's messages are used up.
        case numbersExhausted

        /// One sentence for a person.
        public var description: String {
            switch self {
            case .cryptography: "A cryptographic operation failed on this machine."
            case .encoding: "A message could not be encoded on this machine."
            case .numbersExhausted: "The session has numbered all the messages that it can. Connect anew."
            }
        }
    }
}
