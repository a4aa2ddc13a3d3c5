/// What the store knows about somebody who introduces themselves.
public struct PeerRecognition: Sendable, Equatable {
    /// How their key stands.
    public let standing: Standing
    /// Accepted peers with another key who bear the same name: with an unknown key this is a reason for a loud warning, with
    /// the fingerprints of both.
    public let nameConflicts: [StoredPeer]

    /// How a key stands.
    public enum Standing: Sendable, Equatable {
        /// Never seen.
        case unknown
        /// Accepted, and the acceptance lasts. A peer with another key than the one that is shown vouches for it.
        case known(StoredPeer)
        /// Accepted once, but too long ago, or never: the person is asked again, and told so. A peer with another key than
        /// the one that is shown vouches for it.
        case expired(StoredPeer)
        /// The person wants nothing of them.
        case blocked(StoredPeer)
        /// The peer has moved on from this key to another. Whoever uses it now may have stolen it.
        case retired(StoredPeer)
        /// A key that the peer has moved on from vouches for this one, and has vouched for another before. Whoever shows
        /// this one may have stolen it.
        case forked(StoredPeer)
    }

    /// Whether a policy that lets in whom the person knows may let them in: the key is known and has not expired.
    public var isTrusted: Bool { standing.isKnown }

    /// Whether the name is a known peer's, but the key is not.
    public var isNameConflict: Bool { standing == .unknown && !nameConflicts.isEmpty }
}

extension PeerRecognition.Standing {
    /// Why a key that stands so is not let in on these grounds; `nil` when it is.
    func refusal(on grounds: AcceptanceGrounds) -> TrustRefusal? {
        switch self {
        case .known: nil
        case .unknown: grounds == .known ? .unknown : nil
        case .expired(let peer): grounds == .known ? .expired(peer) : nil
        case .blocked(let peer): .blocked(peer)
        case .retired(let peer): .retired(peer)
        case .forked(let peer): .forked(peer)
        }
    }
}

extension PeerRecognition.Standing {
    /// Whether the key was accepted, and that lasts.
    var isKnown: Bool { if case .known = self { true } else { false } }
}
