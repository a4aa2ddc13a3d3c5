import Kamune
import KamuneNode

/// The peers in the store of the node in which conversations are kept.
struct NodePeerBook: PeerBook {
    let node: any NodeAccess

    func trust(in peer: Peer) async throws(NodeError) -> Trust {
        Trust(try await node.ask(RecognizePeer(PeerInfo(peer))))
    }
}

extension Trust {
    /// What is known of somebody, as the node says it.
    init(_ recognition: Recognition) {
        let known = recognition.contact.map { KnownPeer($0) }
        let conflicts = recognition.sameName.map { KnownPeer($0) }
        switch (recognition.standing, known) {
        case (.known, let known?): self = .known(known)
        case (.expired, let known?): self = .expired(known)
        case (.blocked, let known?): self = .blocked(known)
        case (.retired, let known?): self = .retired(known)
        case (.forked, let known?): self = .forked(known)
        // Who was never accepted is as good as unknown.
        case (.met, _), (.unknown, _), (_, nil):
            if !conflicts.isEmpty {
                self = .changed(known: conflicts)
            } else {
                self = known.map { .met($0) } ?? .unknown
            }
        }
    }
}
