import KamuneCrypto

/// Lets in one peer only, and asks another verifier about them. Whoever else answers has another's address, or stands in
/// between. Who has taken a new identity, for which the expected one vouches, is still the same.
struct ExpectedPeer: PeerVerifier {
    let identity: PublicIdentity
    let other: any PeerVerifier

    init(identity: PublicIdentity, then other: any PeerVerifier) {
        self.identity = identity
        self.other = other
    }

    func verify(_ peer: Peer) async -> Verdict {
        guard peer.isVouched(by: [identity]) else {
            return .refuse(
                reason: "Somebody else answered: the key is not the one that was expected. "
                    + "Expected \(identity.fingerprint.sum), found \(peer.identity.fingerprint.sum).")
        }
        return await other.verify(peer)
    }
}
