import Foundation
import Kamune
import KamuneStore

/// The contacts in the order in which they were met, which is how they are numbered.
struct Contacts: Sendable {
    let peers: [StoredPeer]
    private let terms: PeerTerms
    private let now: Date

    init(_ store: Store, at now: Date) async throws(StoreError) {
        peers = Self.inOrder(try await store.peers())
        terms = try await store.peerTerms()
        self.now = now
    }

    private static func inOrder(_ peers: [StoredPeer]) -> [StoredPeer] {
        peers.map { (peer: $0, tie: $0.key.fingerprint.sum) }
            .sorted { ($0.peer.firstSeen, $0.tie) < ($1.peer.firstSeen, $1.tie) }.map(\.peer)
    }

    /// All of them.
    var all: [ContactInfo] { peers.enumerated().map { info($1, number: $0 + 1) } }

    /// What there is to say of a peer.
    @Sendable
    func describe(_ peer: StoredPeer) -> ContactInfo {
        info(peer, number: (peers.firstIndex { $0.id == peer.id } ?? -1) + 1)
    }

    private func info(_ peer: StoredPeer, number: Int) -> ContactInfo {
        ContactInfo(peer, number: number, terms: terms, now: now)
    }
}
