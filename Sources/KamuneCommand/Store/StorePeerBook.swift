import Foundation
import Kamune
import KamuneStore
import KamuneSystem
import KamuneTerminal

/// The peers in the store.
struct StorePeerBook: PeerBook {
    let store: Store
    /// Whether nobody is to be remembered.
    let isReadOnly: Bool
    let time: any TimeSource

    /// The longest name that is kept, in characters. A name may be as long as a frame, which is no name.
    private static let maximumNameLength = 256

    func trust(in peer: Peer) async throws -> Trust {
        let recognition = try await store.recognize(
            peer.identity, name: Self.kept(peer.name), formerKeys: peer.formerKeys, at: time.date)
        let conflicts = recognition.nameConflicts.map(KnownPeer.init)
        switch recognition.standing {
        case .blocked(let peer): return .blocked(KnownPeer(peer))
        case .retired(let peer): return .retired(KnownPeer(peer))
        case .forked(let peer): return .forked(KnownPeer(peer))
        case .known(let peer): return .known(KnownPeer(peer))
        case .expired(let peer) where peer.wasAccepted: return .expired(KnownPeer(peer))
        // Who was never accepted is as good as unknown.
        case .expired, .unknown:
            if !conflicts.isEmpty { return .changed(known: conflicts) }
            guard case .expired(let peer) = recognition.standing else { return .unknown }
            return .met(KnownPeer(peer))
        }
    }

    func remember(_ peer: Peer) async throws {
        if isReadOnly { return }
        // Only the key itself: that the peer has it, and so the trust of earlier ones, is not proven before the session is
        // established.
        _ = try await Self.note(peer, formerKeys: [], in: store, at: time.date, isAccepted: true)
    }

    /// Notes what the introduction of a peer said with whom a session is established. Who has taken a new identity that an
    /// earlier one vouches for is the same peer from now on.
    ///
    /// - Parameter isAccepted: Whether the person has accepted the key just now. Who is new and was not is kept all the
    ///   same, for the history's sake, and asked about the next time.
    @discardableResult
    static func note(
        _ peer: Peer, in store: Store, at now: Date, isAccepted: Bool
    ) async throws(StoreError) -> StoredPeer {
        try await note(peer, formerKeys: peer.formerKeys, in: store, at: now, isAccepted: isAccepted)
    }

    private static func note(
        _ peer: Peer, formerKeys: [PublicIdentity], in store: Store, at now: Date, isAccepted: Bool
    ) async throws(StoreError) -> StoredPeer {
        try await store.accept(
            peer.identity, name: kept(peer.name), version: String(peer.version.prefix(maximumNameLength)),
            capabilities: peer.capabilities, at: now, renewing: isAccepted, formerKeys: formerKeys)
    }

    private static func kept(_ name: String) -> String { String(name.prefix(maximumNameLength)) }
}

/// Nobody is known, and nobody is remembered: for a conversation that leaves no trace.
struct EmptyPeerBook: PeerBook {
    func trust(in peer: Peer) -> Trust { .unknown }

    func remember(_ peer: Peer) {}
}

extension KnownPeer {
    init(_ peer: StoredPeer) {
        self.init(
            name: PeerName.shown(for: peer).description, givenName: PeerName.given(by: peer).description,
            identity: peer.key, accepted: peer.accepted)
    }
}
