/// On what it stands that somebody is let in. A verdict takes effect later than it is given, and is judged again then: what
/// it stands on must still hold (``TrustRefusal``).
public enum AcceptanceGrounds: Sendable, Hashable, CaseIterable {
    /// The store knows the key, or one that vouches for it: a person has accepted it, and that lasts.
    case known
    /// A person has accepted this very key just now.
    case person
    /// A policy that needs no acceptance lets the key in: one that lets in anybody, or an application's own list. The
    /// store's alarms hold against it all the same.
    case policy
}

/// Why the store lets somebody not in, though the verdict was to.
public enum TrustRefusal: Error, Sendable, Equatable {
    /// The key was said to be known, and is not, or not any more.
    case unknown
    /// The person's acceptance has run out, or there never was one.
    case expired(StoredPeer)
    /// The person wants nothing of them.
    case blocked(StoredPeer)
    /// The peer has moved on from this key to another. Whoever uses it now may have stolen it.
    case retired(StoredPeer)
    /// A key that the peer has moved on from vouches for this one, and has vouched for another before.
    case forked(StoredPeer)

    /// Who the key is, or claims to be, connected with.
    public var peer: StoredPeer? {
        switch self {
        case .unknown: nil
        case .expired(let peer), .blocked(let peer), .retired(let peer), .forked(let peer): peer
        }
    }
}

extension TrustRefusal: CustomStringConvertible {
    /// One sentence for a person. Names nobody.
    public var description: String {
        switch self {
        case .unknown: "The key is not known any more."
        case .expired: "The key was accepted too long ago, or never, and must be accepted again."
        case .blocked: "You have blocked this peer."
        case .retired: "The key was given up for another one, so whoever shows it now may have stolen it."
        case .forked:
            "An old key, which was given up for another one before, vouches for this key, so whoever shows it may have "
                + "stolen the old one."
        }
    }
}
