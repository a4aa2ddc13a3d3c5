import Foundation
import Kamune
import KamuneStore
import KamuneSystem
import KamuneTerminal

/// The peers in the store.
struct StorePeerBook: PeerBook {
    let store: Store
    let time: any TimeSource

    func trust(in peer: Peer) async throws -> Trust {
        let recognition = try await store.recognize(
            peer.identity, name: peer.name, formerKeys: peer.formerKeys, at: time.date)
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
        // Only the key itself: that the peer has it, and so the trust of earlier ones, is not proven before the session is
        // established.
        try await store.accept(
            peer.identity, name: peer.name, version: peer.version, capabilities: peer.capabilities, at: time.date)
    }
}

extension KnownPeer {
    init(_ peer: StoredPeer) {
        self.init(
            id: peer.id, name: PeerName.shown(for: peer).description, givenName: PeerName.given(by: peer).description,
            identity: peer.key, accepted: peer.accepted)
    }
}
