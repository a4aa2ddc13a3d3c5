extension Store {
    /// Takes back that the person has accepted a peer's key, and that fingerprints were compared. What was said stays.
    public func withdrawTrust(in id: PeerID) async throws(StoreError) {
        try await write { transaction in
            try transaction.change(id) { peer in
                (peer.accepted, peer.lastTrusted) = (StoredPeer.never, StoredPeer.never)
                peer.verified = nil
                peer.isReinstated = false
            }
            for session in try transaction.sessions(with: id) {
                // Who is resumed has not introduced themselves, and nobody is asked.
                try transaction.replaceTokens(of: session.id, with: [])
            }
        }
    }
}
