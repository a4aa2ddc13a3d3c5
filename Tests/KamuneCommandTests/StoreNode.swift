import Foundation
import Kamune
import KamuneNode
import KamuneStore

@testable import KamuneCommand

extension Store {
    /// A window on a node that has this store, as commands look through.
    var window: LocalNode {
        get async { await LocalNode.open(Node(store: self)) }
    }
}

extension PeerList {
    init(_ store: Store) async throws {
        self.init(try await store.window.ask(ListContacts()).contacts)
    }
}

extension ContactInfo {
    init(_ peer: StoredPeer) {
        self.init(peer, number: 1, terms: PeerTerms(), now: peer.accepted)
    }
}
