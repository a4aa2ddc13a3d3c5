public import Foundation
import GRDB
public import KamuneCrypto
import KamuneProtocol

extension Store {
    // MARK: Finding

    /// All peers, in no particular order, expired and blocked ones too.
    public func peers() async throws(StoreError) -> [StoredPeer] {
        try await read { try $0.peers() }
    }

    /// A peer by number; `nil` when there is none.
    public func peer(_ id: PeerID) async throws(StoreError) -> StoredPeer? {
        try await read { try $0.peer(id) }
    }

    /// The peer who has a key now; `nil` when nobody has.
    public func peer(withKey key: PublicIdentity) async throws(StoreError) -> StoredPeer? {
        try await read { try $0.peer(withKey: key) }
    }

    /// The peers who bear a name, by their own or the person's choice. Case, compatibility forms and surrounding spaces
    /// make no difference.
    public func peers(named name: String) async throws(StoreError) -> [StoredPeer] {
        let wanted = PeerName(name)
        return try await peers().filter { $0.bears(wanted) }
    }

    // MARK: Changing

    /// Gives a peer a name of the person's choice, or takes it away.
    public func rename(_ id: PeerID, to name: String?) async throws(StoreError) {
        let name = name.map(BoundedText.name)
        try await write { try $0.change(id) { $0.ownName = name } }
    }

    /// Blocks a peer or lets them in again.
    public func setBlocked(_ id: PeerID, _ isBlocked: Bool) async throws(StoreError) {
        try await write { try $0.change(id) { $0.isBlocked = isBlocked } }
    }

    /// Notes that there was a session with a peer.
    public func setLastSeen(_ id: PeerID, at time: Date) async throws(StoreError) {
        try await write { try $0.change(id) { $0.lastSeen = max($0.lastSeen, time) } }
    }

    /// Deletes a peer, their sessions and tokens, and everything that was said. When it returns, the bytes are gone from
    /// the file and its log.
    public func forget(_ id: PeerID) async throws(StoreError) {
        try await write { try $0.forget(id) }
        try await eraseDeleted()
    }

    // MARK: Expiry

    /// How long trust lasts: as ``PeerTerms/init()`` has it unless it was set.
    public func peerTerms() async throws(StoreError) -> PeerTerms {
        try await read { try $0.peerTerms() }
    }

    /// Sets how long trust lasts in those whom the person has accepted, whether verified or not.
    public func setPeerExpiry(_ expiry: PeerExpiry) async throws(StoreError) {
        var terms = PeerTerms()
        terms.accepted = expiry
        terms.verified = expiry
        try await setPeerTerms(terms)
    }

    /// Sets how long trust lasts, also in peers who are there already.
    public func setPeerTerms(_ terms: PeerTerms) async throws(StoreError) {
        try await write { transaction in
            let settings = [
                (ReadTransaction.expirySetting, terms.accepted),
                (ReadTransaction.verifiedExpirySetting, terms.verified),
            ]
            for (name, expiry) in settings {
                var writer = RecordWriter()
                switch expiry {
                case .after(let seconds): writer.append(optional: seconds) { $0.append($1) }
                case .never: writer.append(optional: Int64?.none) { $0.append($1) }
                }
                try transaction.setSetting(name, to: writer.bytes)
            }
        }
    }
}

extension ReadTransaction {
    /// All peers, in no particular order, expired and blocked ones too.
    package func peers() throws -> [StoredPeer] { try tables.peers.all(in: self) }

    /// A peer by number; `nil` when there is none.
    package func peer(_ id: PeerID) throws -> StoredPeer? { try tables.peers.record(id.row, in: self) }

    /// The peer who has a key now; `nil` when nobody has.
    package func peer(withKey key: PublicIdentity) throws -> StoredPeer? {
        let peers = tables.peers
        return try peers.first("WHERE lookup = ?", [peers.cipher.lookup(key.spki).databaseValue], in: self)
    }

    fileprivate static let expirySetting = "peers.expiry"
    fileprivate static let verifiedExpirySetting = "peers.expiry.verified"

    /// How long trust lasts.
    package func peerTerms() throws -> PeerTerms {
        var terms = PeerTerms()
        if let expiry = try expiry(Self.expirySetting) { terms.accepted = expiry }
        if let expiry = try expiry(Self.verifiedExpirySetting) { terms.verified = expiry }
        return terms
    }

    private func expiry(_ name: String) throws -> PeerExpiry? {
        guard let bytes = try setting(name) else { return nil }
        return try tables.settings.cipher.decoding {
            var reader = RecordReader(bytes)
            let seconds = try reader.optional { reader throws(RecordReader.Malformed) in try reader.integer() }
            return seconds.map { .after(seconds: $0) } ?? .never
        }
    }
}

extension WriteTransaction {
    /// Changes a peer.
    ///
    /// - Throws: ``StoreError/noSuchRecord(what:)`` when there is none of this number.
    package func change(_ id: PeerID, _ body: (inout StoredPeer) -> Void) throws {
        guard let peer = try peer(id) else { throw StoreError.noSuchRecord(what: "peer") }
        var changed = peer
        body(&changed)
        try replace(peer, with: changed)
    }

    fileprivate func forget(_ id: PeerID) throws {
        guard let peer = try peer(id) else { throw StoreError.noSuchRecord(what: "peer") }
        try tables.messages.deleteAll("WHERE peer = ?", [id.row], in: self)
        try tables.tokens.deleteAll(
            "WHERE session IN (SELECT id FROM session WHERE peer = ?)", [id.row], in: self)
        try tables.sessions.deleteAll("WHERE peer = ?", [id.row], in: self)
        try tables.outboxes.delete(id.row, in: self)
        try tables.contacts.delete(id.row, in: self)
        try delete(peer)
        try scheduleErasure()
    }
}

extension StoredPeer {
    /// As it is read back: times are kept in whole milliseconds.
    func roundTripped() throws -> StoredPeer { try StoredPeer(id: id, decoding: encoded()) }

    func bears(_ name: PeerName) -> Bool {
        guard !name.isEmpty else { return false }
        return PeerName(givenName) == name || ownName.map { PeerName($0) == name } ?? false
    }
}
