import Kamune
import KamuneStore
import KamuneSystem

/// The peers in the store in which conversations are kept.
struct StorePeerBook: PeerBook {
    let store: Store
    let time: any TimeSource

    func trust(in peer: Peer) async throws(StoreError) -> Trust {
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
}
