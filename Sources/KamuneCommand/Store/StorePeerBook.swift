import Foundation
import Kamune
import KamuneStore

/// The peers in the store.
struct StorePeerBook: PeerBook {
    let store: Store
    /// Whether nobody is to be remembered.
    let isReadOnly: Bool

    /// The longest name that is kept, in characters. A name may be as long as a frame, which is no name.
    private static let maximumNameLength = 256

    func trust(in identity: PublicIdentity, name: String) async throws -> Trust {
        let recognition = try await store.recognize(identity, name: Self.kept(name), at: Date())
        let conflicts = recognition.nameConflicts.map(KnownPeer.init)
        switch recognition.standing {
        case .blocked(let peer): return .blocked(KnownPeer(peer))
        case .retired(let peer): return .retired(KnownPeer(peer))
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
        try await Self.note(peer, in: store, isAccepted: true)
    }

    /// Notes what a peer's introduction said.
    ///
    /// - Parameter isAccepted: Whether the person has accepted the key just now. Who is new and was not is kept all the
    ///   same, for the history's sake, and asked about the next time.
    @discardableResult
    static func note(_ peer: Peer, in store: Store, isAccepted: Bool) async throws(StoreError) -> StoredPeer {
        try await store.accept(
            peer.identity, name: kept(peer.name), version: String(peer.version.prefix(maximumNameLength)),
            capabilities: peer.capabilities, at: Date(), renewing: isAccepted)
    }

    private static func kept(_ name: String) -> String { String(name.prefix(maximumNameLength)) }
}

/// Nobody is known, and nobody is remembered: for a conversation that leaves no trace.
struct EmptyPeerBook: PeerBook {
    func trust(in identity: PublicIdentity, name: String) -> Trust { .unknown }

    func remember(_ peer: Peer) {}
}

extension KnownPeer {
    init(_ peer: StoredPeer) {
        self.init(
            name: PeerName.shown(for: peer).description, givenName: PeerName.given(by: peer).description,
            identity: peer.key, accepted: peer.accepted)
    }
}
