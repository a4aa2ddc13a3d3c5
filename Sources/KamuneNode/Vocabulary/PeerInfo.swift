public import Kamune
import KamuneStore

/// Somebody who has introduced themselves, as they say. They have proven that they hold the key; the rest is their word.
public struct PeerInfo: Codable, Sendable, Equatable {
    /// The name. It may hold any characters.
    public var name: String
    /// The fingerprint's `sum` form.
    public var fingerprint: String
    /// The fingerprint's emoji.
    public var emoji: [String]
    /// The key.
    public var publicKey: PublicKeyText
    /// The version of the protocol.
    public var version: String
    /// What the peer announces that it can do.
    public var capabilities: [String]
    /// Keys that vouch for this one, oldest first.
    public var formerKeys: [PublicKeyText]

    /// A peer.
    public init(_ peer: Peer) {
        name = peer.name
        fingerprint = peer.identity.fingerprint.sum
        emoji = peer.identity.fingerprint.emoji
        publicKey = PublicKeyText(peer.identity)
        version = peer.version
        capabilities = peer.capabilities
        formerKeys = peer.formerKeys.map(PublicKeyText.init)
    }

    /// The peer.
    public var peer: Peer {
        Peer(
            name: name, identity: publicKey.key, version: version, capabilities: capabilities,
            formerKeys: formerKeys.map(\.key))
    }
}

/// How a key stands with the person.
public enum Standing: String, Codable, Sendable, CaseIterable {
    /// Never seen.
    case unknown
    /// Accepted, and that lasts.
    case known
    /// Accepted, but too long ago.
    case expired
    /// There was a conversation with it, but nobody has accepted it.
    case met
    /// The person wants nothing of them.
    case blocked
    /// The contact has moved on from this key.
    case retired
    /// A key that was given up vouches for it, and has vouched for another before.
    case forked
}

/// What is known of somebody who has introduced themselves.
public struct Recognition: Codable, Sendable, Equatable {
    /// How the key stands.
    public var standing: Standing
    /// Whose key it is, or is connected with.
    public var contact: ContactInfo?
    /// Accepted contacts with another key who bear the same name.
    public var sameName: [ContactInfo]
}

extension Recognition {
    init(_ recognition: PeerRecognition, describing: (StoredPeer) -> ContactInfo) {
        sameName = recognition.nameConflicts.map(describing)
        switch recognition.standing {
        case .unknown: (standing, contact) = (.unknown, nil)
        case .known(let peer): (standing, contact) = (.known, describing(peer))
        case .expired(let peer): (standing, contact) = (peer.wasAccepted ? .expired : .met, describing(peer))
        case .blocked(let peer): (standing, contact) = (.blocked, describing(peer))
        case .retired(let peer): (standing, contact) = (.retired, describing(peer))
        case .forked(let peer): (standing, contact) = (.forked, describing(peer))
        }
    }
}

/// A session that carries a conversation.
public struct LinkInfo: Codable, Sendable, Equatable {
    /// The session's identifier, the same on both sides.
    public var session: String
    /// The other end's network address.
    public var address: String
    /// Whether we connected, or were connected to.
    public var isInitiator: Bool
    /// Whether an earlier session goes on.
    public var isResumed: Bool
    /// Whether the contact tells what it has stored.
    public var isAcknowledged: Bool
    /// The version of the protocol that the contact uses; empty when an earlier session goes on.
    public var version: String
    /// What the contact announced that it can do beyond the base protocol.
    public var capabilities: [String]
    /// How long each step of the handshake took.
    public var handshake: [Step]
    /// Why an earlier session was not resumed, when it looked as if somebody sat in between.
    public var doubt: NodeError?

    /// A step of a handshake.
    public struct Step: Codable, Sendable, Equatable {
        /// What was done.
        public var name: String
        /// How long it took.
        public var seconds: Double
    }

    /// A session.
    public init(_ summary: SessionSummary) {
        session = summary.id
        address = summary.remoteAddress
        isInitiator = summary.isInitiator
        isResumed = summary.isResumed
        isAcknowledged = summary.isAcknowledged
        version = summary.peer.version
        capabilities = summary.peer.capabilities
        handshake = summary.handshake.map { Step(name: $0.kind.rawValue, seconds: $0.duration / .seconds(1)) }
        doubt = summary.resumptionFailure.map { NodeError($0) }
    }
}

/// A conversation that is under way.
public struct ConversationInfo: Codable, Sendable, Equatable {
    /// With whom.
    public var contact: ContactID
    /// Who the contact is, as the first session knew them.
    public var peer: PeerInfo
    /// The session that carries it now; nil while there is no connection.
    public var link: LinkInfo?
    /// How many messages of this conversation have not come as far as they can yet.
    public var undelivered: Int
    /// How many messages to the contact wait, those of earlier conversations too.
    public var waiting: Int
}

/// How a conversation ended.
public struct ConversationEnd: Codable, Sendable, Equatable {
    /// Who ended it.
    public var by: Side
    /// What went wrong, when it failed.
    public var error: NodeError?

    /// Who ends a conversation.
    public enum Side: String, Codable, Sendable, CaseIterable {
        /// We did.
        case us
        /// The contact said goodbye.
        case peer
        /// It broke off.
        case failure
    }

    /// An end.
    public init(by: Side, error: NodeError?) { (self.by, self.error) = (by, error) }

    /// An end.
    public init(_ end: SessionEnd) {
        switch end {
        case .closedByUs: (by, error) = (.us, nil)
        case .closedByPeer: (by, error) = (.peer, nil)
        case .failed(let failure): (by, error) = (.failure, NodeError(failure))
        }
    }
}
