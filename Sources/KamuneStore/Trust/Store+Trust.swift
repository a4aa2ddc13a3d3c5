public import Foundation
import GRDB
public import KamuneCrypto
import KamuneProtocol

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

    /// Notes that a person has accepted a key, just now, and what its owner's introduction said. A peer who is there already
    /// keeps what the person set; the acceptance begins anew.
    ///
    /// - Parameters:
    ///   - version: of Kamune, as introduced.
    ///   - capabilities: as introduced.
    ///   - now: by this machine's clock.
    ///   - overruling: whether the person was shown that somebody has given up this very key, and accepts it all the same.
    ///     From then on it counts as whose record it is.
    /// - Throws: ``StoreError/refused(_:)`` for a key that was given up, when that is not overruled, and for who is blocked.
    @discardableResult
    public func accept(
        _ key: PublicIdentity, name: String, version: String = "", capabilities: [String] = [], at now: Date,
        overruling: Bool = false
    ) async throws(StoreError) -> StoredPeer {
        try await write { transaction in
            let introduction = PeerIntroductionRecord(
                key: key, name: name, version: version, capabilities: capabilities, formerKeys: [])
            return try transaction.accept(introduction, at: now, overruling: overruling)
        }
    }

    /// Notes that the person compared fingerprints, which accepts the key too, or takes it back.
    ///
    /// - Parameters:
    ///   - key: whose fingerprint was compared; when the peer has another by now, nothing is noted.
    ///   - overruling: as in ``accept(_:name:version:capabilities:at:overruling:)``.
    /// - Throws: ``StoreError/refused(_:)`` for a key that was given up, when that is not overruled;
    ///   ``StoreError/keyHasChanged`` when the peer has another key by now.
    public func setVerified(
        _ id: PeerID, at time: Date?, key: PublicIdentity? = nil, overruling: Bool = false
    ) async throws(StoreError) {
        try await write { transaction in
            guard let peer = try transaction.peer(id) else { throw StoreError.noSuchRecord(what: "peer") }
            guard key.map({ $0 == peer.key }) ?? true else { throw StoreError.keyHasChanged }
            var changed = peer
            changed.verified = time
            if let time {
                changed.accepted = max(peer.accepted, time)
                changed.lastTrusted = max(peer.lastTrusted, time)
                changed.isReinstated = try transaction.isReinstated(peer.key, overruling: overruling)
            }
            try transaction.replace(peer, with: changed)
        }
    }

    /// Moves a peer's trust and history to a new key, after the caller has verified the statement by which the old key
    /// names the new one. The peer keeps number, names, acceptance and verification; the old key is kept as a former one.
    ///
    /// If somebody with the new key is there already, because they were met before the statement was seen, the two become
    /// one: sessions and messages of both remain, what the person accepted or verified last counts, and whom they blocked
    /// under either stays blocked.
    ///
    /// - Throws: ``StoreError/noSuchRecord(what:)`` when nobody has the old key,
    ///   ``StoreError/misuse(reason:)`` when the keys are the same,
    ///   ``StoreError/refused(_:)`` when either key was given up for another one.
    @discardableResult
    public func moveTrust(
        from old: PublicIdentity, to new: PublicIdentity, at now: Date
    ) async throws(StoreError) -> StoredPeer {
        guard old != new else { throw .misuse(reason: "a key cannot succeed itself") }
        return try await write { transaction in
            switch try transaction.kinship(of: new, after: [old]) {
            case .retired(let peer): throw StoreError.refused(.retired(peer))
            case .forked(let peer): throw StoreError.refused(.forked(peer))
            case .person(let records) where records.contains(where: { $0.key == old }):
                return try transaction.unite(records, under: new, after: [old], at: now).peer
            case .person, .stranger: throw StoreError.noSuchRecord(what: "peer")
            }
        }
    }
}

/// What a peer says about themselves, and which former keys vouch for them by statements that are verified.
package struct PeerIntroductionRecord: Sendable {
    package var key: PublicIdentity
    package var name: String
    package var version: String
    /// The additions that the peer announced.
    package var capabilities: [String]
    /// Oldest first.
    package var formerKeys: [PublicIdentity]

    package init(
        key: PublicIdentity, name: String, version: String, capabilities: [String], formerKeys: [PublicIdentity]
    ) {
        self.key = key
        self.name = BoundedText.name(name)
        self.version = BoundedText.version(version)
        self.capabilities = capabilities
        self.formerKeys = formerKeys
    }
}

extension ReadTransaction {
    /// Who has a key, and who has had it.
    func history(of key: PublicIdentity) throws -> KeyHistory {
        KeyHistory(key: key, holder: try peer(withKey: key), givers: try peers(by: .formerKey(key)))
    }

    func kinship(of key: PublicIdentity, after formerKeys: [PublicIdentity]) throws -> Kinship {
        Kinship(of: try history(of: key), after: try formerKeys.map { try history(of: $0) })
    }

    /// See ``Store/recognize(_:name:formerKeys:at:)``.
    package func recognize(
        _ key: PublicIdentity, name: String, formerKeys: [PublicIdentity], at now: Date
    ) throws -> PeerRecognition {
        let (shown, former) = (try history(of: key), try formerKeys.map { try history(of: $0) })
        let bearers = try peers(by: .name(PeerName(BoundedText.name(name)))).filter { $0.key != key }
        // Who was blocked under any key is not let in by another.
        if let blocked = (former + [shown]).flatMap(\.everybody).first(where: \.isBlocked) {
            return PeerRecognition(standing: .blocked(blocked), nameConflicts: bearers)
        }
        switch Kinship(of: shown, after: former) {
        case .stranger: return PeerRecognition(standing: .unknown, nameConflicts: bearers)
        case .retired(let peer): return PeerRecognition(standing: .retired(peer), nameConflicts: bearers)
        case .forked(let peer): return PeerRecognition(standing: .forked(peer), nameConflicts: bearers)
        case .person(let records):
            let others = bearers.filter { bearer in !records.contains { $0.id == bearer.id } }
            // The person may have accepted the new key before the old one was seen to vouch for it.
            let peer = records.dropFirst().reduce(records[0]) { $1.accepted >= $0.accepted ? $1 : $0 }
            let isExpired = peer.isExpired(at: now, by: try peerTerms())
            return PeerRecognition(standing: isExpired ? .expired(peer) : .known(peer), nameConflicts: others)
        }
    }

    /// The key that somebody has now who is asked for by one that they have, or had before. One that is not known is as good
    /// as itself.
    package func presentKey(of key: PublicIdentity) throws -> PublicIdentity {
        let history = try history(of: key)
        return history.owner?.key ?? history.giver?.key ?? key
    }

    /// Whether a key that a person accepts counts although somebody has given it up.
    func isReinstated(_ key: PublicIdentity, overruling: Bool) throws -> Bool {
        let history = try history(of: key)
        guard let giver = history.givers.first else { return false }
        guard overruling || history.holder?.isReinstated == true else { throw StoreError.refused(.retired(giver)) }
        return true
    }
}

extension WriteTransaction {
    /// See ``Store/accept(_:name:version:capabilities:at:overruling:)``.
    package func accept(
        _ introduction: PeerIntroductionRecord, at now: Date, overruling: Bool
    ) throws -> StoredPeer {
        let history = try history(of: introduction.key)
        if let blocked = history.everybody.first(where: \.isBlocked) { throw StoreError.refused(.blocked(blocked)) }
        let isReinstated = try isReinstated(introduction.key, overruling: overruling)
        return try note(introduction, at: now) { peer in
            peer.accepted = now
            peer.lastTrusted = now
            peer.isReinstated = isReinstated
        }
    }

    /// Stores what an introduction said, and makes a peer of somebody who is new.
    func note(
        _ introduction: PeerIntroductionRecord, at now: Date, _ body: (inout StoredPeer) -> Void
    ) throws -> StoredPeer {
        let earlier = try peer(withKey: introduction.key)
        var peer =
            try earlier
            ?? StoredPeer(
                id: PeerID(row: tables.peers.unusedRow(in: self)), key: introduction.key, givenName: "", ownName: nil,
                version: "", capabilities: [], firstSeen: now, lastSeen: now, accepted: StoredPeer.never,
                verified: nil, isBlocked: false, formerKeys: [])
        peer.givenName = introduction.name
        peer.version = introduction.version
        peer.capabilities = introduction.capabilities
        peer.lastSeen = now
        body(&peer)
        if let earlier {
            try replace(earlier, with: peer)
        } else {
            try insert(peer)
        }
        // The person has decided, so nobody waits any more.
        if peer.wasAccepted || peer.isBlocked { try removeRequest(of: peer.key) }
        return try peer.roundTripped()
    }

    /// Makes one peer of the records that a person was met by, under the key that is shown. Everything that leads to it from
    /// the oldest of their keys is given up.
    ///
    /// - Parameters:
    ///   - records: that of the oldest key first; see ``Kinship/person(_:)``.
    ///   - formerKeys: that vouch for the key, oldest first.
    /// - Returns: the peer, and the numbers of those who are one with them now.
    func unite(
        _ records: [StoredPeer], under key: PublicIdentity, after formerKeys: [PublicIdentity], at now: Date
    ) throws -> (peer: StoredPeer, absorbed: [PeerID]) {
        guard let oldest = records.first else { throw StoreError.noSuchRecord(what: "peer") }
        guard oldest.key != key || records.count > 1 else { return (oldest, []) }
        var peer = oldest
        let start = formerKeys.firstIndex(of: oldest.key) ?? formerKeys.endIndex
        var givenUp: [StoredPeer.FormerKey] = []
        for other in records.dropFirst() {
            givenUp += other.formerKeys
            try absorb(other, into: &peer)
        }
        givenUp += oldest.formerKeys + formerKeys[start...].map { StoredPeer.FormerKey(key: $0, until: now) }
        var seen: Set<PublicIdentity> = [key]
        peer.formerKeys = givenUp.filter { seen.insert($0.key).inserted }
        // Nobody changes keys so often. None may be dropped either, or the alarm for it would be off.
        guard peer.formerKeys.count <= Self.formerKeyLimit else { throw StoreError.refused(.forked(oldest)) }
        peer.key = key
        // That a person accepted a key in spite of all is said of that key alone.
        peer.isReinstated = records.contains { $0.key == key && $0.isReinstated }
        try replace(oldest, with: peer)
        return (try peer.roundTripped(), records.dropFirst().map(\.id))
    }

    /// How many keys a peer can have given up: it is the peer who says so, eight in each introduction.
    private static let formerKeyLimit = 512

    /// Takes over what is known of a peer who is the same person, met under a later key, and their history.
    private func absorb(_ other: StoredPeer, into peer: inout StoredPeer) throws {
        peer.isBlocked = peer.isBlocked || other.isBlocked
        peer.givenName = other.givenName
        peer.ownName = peer.ownName ?? other.ownName
        peer.version = other.version
        peer.capabilities = other.capabilities
        peer.firstSeen = min(peer.firstSeen, other.firstSeen)
        peer.lastSeen = max(peer.lastSeen, other.lastSeen)
        peer.accepted = max(peer.accepted, other.accepted)
        peer.lastTrusted = max(peer.lastTrusted, other.lastTrusted)
        peer.verified = [peer.verified, other.verified].compactMap { $0 }.max()
        try moveSessions(from: other.id, to: peer.id)
        try moveMessages(from: other.id, to: peer.id)
        try moveContact(from: other.id, to: peer.id)
        try tables.outboxes.delete(other.id.row, in: self)
        try delete(other)
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
        let plain = try outbox(of: source).handedOverPlainly
        var last = Int64.min
        while true {
            let records = try messages.all(
                "WHERE peer = ? AND id > ?", [source.row, last], .row(after: last), limit: Self.moveStep, in: self)
            guard let end = records.last?.row else { return }
            for record in records {
                var moved = record
                moved.peer = target.row
                if let turn = record.turn {
                    // It comes last: nothing that was sent before may count for it.
                    let next = StreamTurn(number: try tables.streams.nextTurn(in: self), isNative: false)
                    moved.turn = next
                    // It may have arrived, and who does not acknowledge is sent nothing twice.
                    if turn.number <= plain { moved.settle(.maybeLost, at: 0) { next.number } }
                }
                try messages.replace(record, with: moved, skippingConflicts: true, in: self)
            }
            // What is still there was known under both keys.
            try messages.deleteAll("WHERE peer = ? AND id <= ?", [source.row, end], in: self)
            last = end
        }
    }
}
