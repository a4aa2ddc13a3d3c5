package import Foundation
package import KamuneCrypto
import KamuneProtocol

/// What entitles one side to resume a session once: its token is struck from the store.
package struct ResumptionRight: Sendable {
    package let session: StoredSession
    /// With whom, as they are known now.
    package let peer: StoredPeer
    package let token: [UInt8]
    /// What the peer announced when the session was established (§10.2).
    package let peerAnnounced: [String]
}

extension ReadTransaction {
    /// Judges whether a session may be resumed: it is no more than 24 hours since it was established, by this identity and
    /// in this role; nobody announces less than the two have agreed on; and its peer is somebody whom the person has
    /// accepted, whose acceptance lasts, who is not blocked, and who has not given up the key.
    ///
    /// A resumed session has no introduction, so nobody is asked about the peer.
    ///
    /// - Returns: the peer, and what they announced; `nil` when it may not.
    package func resumability(
        of session: StoredSession, as identity: PublicIdentity, isInitiator: Bool, announcing own: [String],
        at now: Date
    ) throws -> (peer: StoredPeer, peerAnnounced: [String])? {
        guard session.isInitiator == isInitiator, session.isRecent(at: now),
            try isMade(session, by: identity), let peer = try peer(session.peer), try refusal(of: peer, at: now) == nil,
            Set(session.capabilities).isSubset(of: own)
        else { return nil }
        guard let announced = session.announced else {
            // Of an earlier version, which kept only what both had announced. Where that is nothing, it is not known whether
            // either had announced anything, and a wrong guess would look like somebody in between.
            return session.capabilities.isEmpty ? nil : (peer, session.capabilities)
        }
        // Whether we announced anything is what the peer will look for.
        return announced.own.isEmpty == own.isEmpty ? (peer, announced.peer) : nil
    }

    private func isMade(_ session: StoredSession, by identity: PublicIdentity) throws -> Bool {
        if let digest = session.ownKeyDigest { return digest == SHA256Digest.hash(identity.spki) }
        guard let ours = session.identity else { return false }
        return try self.identity(withKey: identity)?.id == ours
    }

    /// Why a peer who does not introduce themselves is not let in; `nil` when they are.
    private func refusal(of peer: StoredPeer, at now: Date) throws -> TrustRefusal? {
        try recognize(peer.key, name: "", formerKeys: [], at: now).standing.refusal(on: .known)
    }
}

extension WriteTransaction {
    /// How many of the latest sessions with a peer are looked at for a token.
    private static let depth = 4

    /// Takes a token to resume the latest session with somebody, as its initiator; `nil` when none can be resumed. Whatever
    /// happens then, the token is spent.
    ///
    /// - Parameters:
    ///   - key: of the peer, or one that they had before.
    ///   - own: what we announce now.
    package func takeResumption(
        with key: PublicIdentity, as identity: PublicIdentity, announcing own: [String], at now: Date
    ) throws -> ResumptionRight? {
        guard let known = try peer(withKey: try presentKey(of: key)) else { return nil }
        for session in try sessions(with: known.id, limit: Self.depth) {
            guard
                let (peer, announced) = try resumability(
                    of: session, as: identity, isInitiator: true, announcing: own, at: now),
                let token = try takeToken(of: session.id, at: now)
            else { continue }
            return ResumptionRight(session: session, peer: peer, token: token, peerAnnounced: announced)
        }
        return nil
    }

    /// Grants a peer's wish to resume, as its responder, and spends the token that they present; `nil` refuses it. The
    /// caller has found that the request is signed by `key`.
    package func grantResumption(
        of identifier: String, by token: [UInt8], signedBy key: PublicIdentity, as identity: PublicIdentity,
        announcing own: [String], at now: Date
    ) throws -> ResumptionRight? {
        guard let session = try session(identifier: identifier),
            let (peer, announced) = try resumability(
                of: session, as: identity, isInitiator: false, announcing: own, at: now),
            peer.key == key, try consumeToken(token, of: session.id, at: now)
        else { return nil }
        return ResumptionRight(session: session, peer: peer, token: token, peerAnnounced: announced)
    }

    /// Keeps a session that was resumed. Its 24 hours go on from when it was first established. The peer is judged again:
    /// they may have been blocked, or have given up the key, since the resumption was granted.
    ///
    /// - Throws: ``StoreError/refused(_:)`` when the peer is not to be let in, ``StoreError/noSuchRecord(what:)`` when the
    ///   session is not known any more; nothing is changed then.
    package func renew(
        _ id: SessionID, with key: PublicIdentity, transport: String, tokens: [[UInt8]], at now: Date
    ) throws -> KeptSession {
        guard let session = try session(id) else { throw StoreError.noSuchRecord(what: "session") }
        let standing = try recognize(key, name: "", formerKeys: [], at: now).standing
        if let refusal = standing.refusal(on: .known) { throw StoreError.refused(refusal) }
        guard let peer = try peer(withKey: key), peer.id == session.peer else {
            throw StoreError.noSuchRecord(what: "session")
        }
        var seen = peer
        seen.lastSeen = max(peer.lastSeen, now)
        if standing.isKnown { seen.lastTrusted = max(peer.lastTrusted, now) }
        try replace(peer, with: seen)
        let renewed = try tables.sessions.change(session, in: self) { session in
            session.renewed = now
            session.ended = nil
            session.transport = transport
        }
        try replaceTokens(of: id, with: tokens)
        return KeptSession(
            peer: try seen.roundTripped(),
            session: try StoredSession(id: id, peer: renewed.peer, decoding: renewed.encoded()), absorbed: [])
    }
}

extension StoredSession {
    /// Whether no more than 24 hours have passed since it was established (§9.3). A time of establishment in the future is
    /// the work of a clock that was wrong, then or now, and does not count as recent.
    func isRecent(at now: Date) -> Bool {
        let age = now.timeIntervalSince(established)
        let window = Double(ProtocolConstants.resumptionWindow.components.seconds)
        return age >= -Self.clockTolerance && age <= window
    }

    /// How far a clock may have been set back, in seconds.
    private static let clockTolerance = 300.0
}
