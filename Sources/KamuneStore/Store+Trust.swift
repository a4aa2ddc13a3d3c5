public import Foundation
import GRDB
public import KamuneCrypto

/// What the store knows about somebody who introduces themselves.
public struct PeerRecognition: Sendable, Equatable {
    /// How their key stands.
    public let standing: Standing
    /// Accepted peers with another key who bear the same name: with an unknown key this is a reason for a loud warning, with
    /// the fingerprints of both.
    public let nameConflicts: [StoredPeer]

    /// How a key stands.
    public enum Standing: Sendable, Equatable {
        /// Never seen.
        case unknown
        /// Accepted, and the acceptance lasts. A peer with another key than the one that is shown vouches for it.
        case known(StoredPeer)
        /// Accepted once, but too long ago, or never: the person is asked again, and told so. A peer with another key than
        /// the one that is shown vouches for it.
        case expired(StoredPeer)
        /// The person wants nothing of them.
        case blocked(StoredPeer)
        /// The peer has moved on from this key to another. Whoever uses it now may have stolen it.
        case retired(StoredPeer)
        /// A key that the peer has moved on from vouches for this one, and has vouched for another before. Whoever shows
        /// this one may have stolen it.
        case forked(StoredPeer)
    }

    /// Whether a policy that lets in whom the person knows may let them in: the key is known and has not expired.
    public var isTrusted: Bool {
        if case .known = standing { true } else { false }
    }

    /// Whether the name is a known peer's, but the key is not.
    public var isNameConflict: Bool { standing == .unknown && !nameConflicts.isEmpty }
}

extension Store {
    /// Judges an introduction. Nothing is stored.
    ///
    /// - Parameters:
    ///   - name: as introduced.
    ///   - formerKeys: keys that vouch for this one, oldest first, by statements that the caller has verified.
    ///   - now: by this machine's clock.
    public func recognize(
        _ key: PublicIdentity, name: String, formerKeys: [PublicIdentity] = [], at now: Date
    ) async throws(StoreError) -> PeerRecognition {
        try await read { try $0.recognize(key, name: name, formerKeys: formerKeys, at: now) }
    }

    /// Moves a peer's trust and history to a new key, after the caller has verified the statement by which the old key
    /// names the new one. The peer keeps number, names, acceptance and verification; the old key is kept as a former one.
    ///
    /// If somebody with the new key is there already, because they were met before the statement was seen, the two become
    /// one: sessions and messages of both remain, what the person accepted or verified last counts, and whom they blocked
    /// under either stays blocked.
    ///
    /// - Throws: ``StoreError/noSuchRecord(what:)`` when nobody has the old key,
    ///   ``StoreError/misuse(reason:)`` when the keys are the same.
    @discardableResult
    public func moveTrust(
        from old: PublicIdentity, to new: PublicIdentity, at now: Date
    ) async throws(StoreError) -> StoredPeer {
        guard old != new else { throw .misuse(reason: "a key cannot succeed itself") }
        return try await write { try $0.moveTrust(from: old, to: new, at: now) }
    }
}

extension ReadTransaction {
    /// See ``Store/recognize(_:name:formerKeys:at:)``.
    package func recognize(
        _ key: PublicIdentity, name: String, formerKeys: [PublicIdentity], at now: Date
    ) throws -> PeerRecognition {
        let expiry = try peerExpiry()
        let peers = try peers()
        let name = PeerName(name)
        // A name that somebody showed who was never accepted is nobody's.
        var conflicts = peers.filter { $0.key != key && $0.wasAccepted && $0.bears(name) }
        // Who was blocked under any key is not let in by another.
        if let blocked = peers.first(where: { $0.isBlocked && $0.hasHad(anyOf: formerKeys + [key]) }) {
            return PeerRecognition(standing: .blocked(blocked), nameConflicts: conflicts)
        }
        let standing: PeerRecognition.Standing
        switch Kinship(of: key, after: formerKeys, among: peers) {
        case .stranger: standing = .unknown
        case .retired(let peer): standing = .retired(peer)
        case .forked(let peer): standing = .forked(peer)
        case .person(let records):
            conflicts.removeAll { peer in records.contains { $0.id == peer.id } }
            // The person may have accepted the new key before the old one was seen to vouch for it.
            let peer = records.dropFirst().reduce(records[0]) { $1.accepted >= $0.accepted ? $1 : $0 }
            standing = peer.isExpired(at: now, expiry: expiry) ? .expired(peer) : .known(peer)
        }
        return PeerRecognition(standing: standing, nameConflicts: conflicts)
    }
}

extension WriteTransaction {
    /// See ``Store/moveTrust(from:to:at:)``.
    @discardableResult
    func moveTrust(from old: PublicIdentity, to new: PublicIdentity, at now: Date) throws -> StoredPeer {
        guard let earlier = try peer(withKey: old) else { throw StoreError.noSuchRecord(what: "peer") }
        var peer = earlier
        peer.formerKeys.append(StoredPeer.FormerKey(key: old, until: now))
        peer.key = new
        if let other = try self.peer(withKey: new) {
            peer.formerKeys = other.formerKeys.filter { $0.key != old && $0.key != new } + peer.formerKeys
            peer.isBlocked = peer.isBlocked || other.isBlocked
            peer.givenName = other.givenName
            peer.ownName = peer.ownName ?? other.ownName
            peer.version = other.version
            peer.capabilities = other.capabilities
            peer.firstSeen = min(peer.firstSeen, other.firstSeen)
            peer.lastSeen = max(peer.lastSeen, other.lastSeen)
            peer.accepted = max(peer.accepted, other.accepted)
            peer.verified = [peer.verified, other.verified].compactMap { $0 }.max()
            try moveSessions(from: other.id, to: peer.id)
            try moveMessages(from: other.id, to: peer.id)
            try tables.peers.delete(other.id.row, in: self)
        }
        try tables.peers.replace(earlier, with: peer, in: self)
        return try peer.roundTripped()
    }

    private func moveSessions(from source: PeerID, to target: PeerID) throws {
        for session in try sessions(with: source) {
            try tables.sessions.change(session, in: self) { $0.peer = target }
        }
    }

    /// How many messages are held in memory while they are moved.
    private static let moveStep = 1_000

    private func moveMessages(from source: PeerID, to target: PeerID) throws {
        let messages = tables.messages
        var last = Int64.min
        while true {
            let records = try messages.all(
                "WHERE peer = ? AND id > ? ORDER BY id LIMIT ?", [source.row, last, Self.moveStep], in: self)
            guard let end = records.last?.row else { return }
            for record in records {
                var moved = record
                moved.peer = target.row
                try messages.replace(record, with: moved, skippingConflicts: true, in: self)
            }
            // What is still there was known under both keys.
            try messages.deleteAll("WHERE peer = ? AND id <= ?", [source.row, end], in: self)
            last = end
        }
    }
}
