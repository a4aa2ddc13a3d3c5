package import Foundation
package import KamuneCrypto

/// A session that a handshake has just made, to be kept.
package struct EstablishedSessionRecord: Sendable {
    /// The identifier that both sides have.
    package var identifier: String
    /// Under which identity of ours.
    package var identity: PublicIdentity
    /// How the two are connected.
    package var transport: String
    /// Whether this side opened the connection.
    package var isInitiator: Bool
    /// The additions that both announced.
    package var agreed: [String]
    /// What each announced.
    package var announced: SessionAnnouncements
    /// To resume it by.
    package var tokens: [[UInt8]]

    package init(
        identifier: String, identity: PublicIdentity, transport: String, isInitiator: Bool, agreed: [String],
        announced: SessionAnnouncements, tokens: [[UInt8]]
    ) {
        self.identifier = identifier
        self.identity = identity
        self.transport = transport
        self.isInitiator = isInitiator
        self.agreed = agreed
        self.announced = announced
        self.tokens = tokens
    }
}

/// A session that is kept, and with whom.
package struct KeptSession: Sendable {
    package let peer: StoredPeer
    package let session: StoredSession
    /// The numbers of those who were seen to be the same peer just now. Nobody has them any more.
    package let absorbed: [PeerID]
}

extension WriteTransaction {
    /// Keeps a session whose peer has introduced themselves and proven to hold their key, and the peer with it.
    ///
    /// The verdict on the peer was given a while ago, so the key is judged again, with the statements for it: whether it was
    /// given up since, whether an old key vouches for two, whether the peer is blocked, and whether what the verdict stands
    /// on still holds. Only then trust and history move to a new key, since an introduction alone could be somebody else's,
    /// replayed.
    ///
    /// - Throws: ``StoreError/refused(_:)`` when the peer is not to be let in; nothing is changed then.
    package func establish(
        _ session: EstablishedSessionRecord, with introduction: PeerIntroductionRecord, on grounds: AcceptanceGrounds,
        at now: Date
    ) throws -> KeptSession {
        let (peer, absorbed) = try acquaint(with: introduction, on: grounds, at: now)
        var new = NewSession(
            peer: peer.id, identifier: session.identifier, established: now, transport: session.transport,
            isInitiator: session.isInitiator, identity: try identity(withKey: session.identity)?.id,
            capabilities: session.agreed, announced: session.announced)
        new.ownKeyDigest = SHA256Digest.hash(session.identity.spki)
        return KeptSession(peer: peer, session: try store(new, tokens: session.tokens), absorbed: absorbed)
    }

    /// Keeps somebody who has introduced themselves and proven to hold their key, as ``establish(_:with:on:at:)`` does with a
    /// session besides.
    ///
    /// - Returns: the peer, and the numbers of those who were seen to be the same just now.
    /// - Throws: As there.
    package func acquaint(
        with introduction: PeerIntroductionRecord, on grounds: AcceptanceGrounds, at now: Date
    ) throws -> (peer: StoredPeer, absorbed: [PeerID]) {
        let (key, formerKeys) = (introduction.key, introduction.formerKeys)
        let standing = try recognize(key, name: "", formerKeys: formerKeys, at: now).standing
        if let refusal = standing.refusal(on: grounds) { throw StoreError.refused(refusal) }
        var absorbed: [PeerID] = []
        if case .person(let records) = try kinship(of: key, after: formerKeys) {
            absorbed = try unite(records, under: key, after: formerKeys, at: now).absorbed
        }
        let peer = try note(introduction, at: now) { peer in
            if grounds == .person { peer.accepted = now }
            if grounds == .person || standing.isKnown { peer.lastTrusted = max(peer.lastTrusted, now) }
        }
        return (peer, absorbed)
    }
}
