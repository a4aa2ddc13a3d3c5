public import Foundation
import GRDB
public import KamuneCrypto

extension Store {
    // MARK: Finding

    /// All peers, in no particular order, expired and blocked ones too.
    public func peers() async throws(StoreError) -> [StoredPeer] {
        let cipher = keys.peers
        return try await read { try Self.peers($0, cipher) }
    }

    /// A peer by number; `nil` when there is none.
    public func peer(_ id: PeerID) async throws(StoreError) -> StoredPeer? {
        let cipher = keys.peers
        return try await read { try Self.peer($0, cipher, id) }
    }

    /// The peer who has a key now; `nil` when nobody has.
    public func peer(withKey key: PublicIdentity) async throws(StoreError) -> StoredPeer? {
        let cipher = keys.peers
        return try await read { try Self.peer($0, cipher, key: key) }
    }

    /// The peers who bear a name, by their own or the person's choice. Case, compatibility forms and surrounding spaces
    /// make no difference.
    public func peers(named name: String) async throws(StoreError) -> [StoredPeer] {
        let wanted = PeerName(name)
        return try await peers().filter { $0.bears(wanted) }
    }

    // MARK: Changing

    /// Stores what a peer's introduction said, after the person or the policy accepted their key. A peer who is there
    /// already keeps what the person set; their acceptance begins anew when `renewing`.
    ///
    /// - Parameters:
    ///   - version: of Kamune, as introduced.
    ///   - capabilities: as introduced.
    ///   - now: by this machine's clock.
    ///   - renewing: whether the person was asked, so that the expiry counts from now. Without it, somebody new is stored
    ///     as not accepted: they are asked about when they come again.
    ///   - formerKeys: keys that vouch for this one, oldest first, by statements that the caller has verified, in a session
    ///     that the peer has taken part in. Whoever of those is there becomes this peer, as in ``moveTrust(from:to:at:)``,
    ///     unless that key has vouched for another one before.
    @discardableResult
    public func accept(
        _ key: PublicIdentity, name: String, version: String = "", capabilities: [String] = [], at now: Date,
        renewing: Bool = true, formerKeys: [PublicIdentity] = []
    ) async throws(StoreError) -> StoredPeer {
        let cipher = keys.peers
        let (keys, streams) = (keys, streams)
        return try await writes.submit { database in
            if !formerKeys.isEmpty {
                try Self.unite(database, keys, streams, key, after: formerKeys, at: now)
            }
            if var peer = try Self.peer(database, cipher, key: key) {
                peer.givenName = name
                peer.version = version
                peer.capabilities = capabilities
                peer.lastSeen = now
                if renewing { peer.accepted = now }
                try Self.update(database, cipher, peer)
                return try peer.roundTripped()
            }
            let peer = StoredPeer(
                id: PeerID(row: try Self.unusedRow(database, cipher)), key: key, givenName: name, ownName: nil,
                version: version, capabilities: capabilities, firstSeen: now, lastSeen: now,
                accepted: renewing ? now : StoredPeer.never, verified: nil, isBlocked: false, formerKeys: [])
            try Self.insert(database, cipher, peer)
            return try peer.roundTripped()
        }
    }

    /// Gives a peer a name of the person's choice, or takes it away.
    public func rename(_ id: PeerID, to name: String?) async throws(StoreError) {
        try await change(id) { $0.ownName = name }
    }

    /// Notes that the person compared fingerprints, which accepts the key too, or takes it back.
    public func setVerified(_ id: PeerID, at time: Date?) async throws(StoreError) {
        try await change(id) { peer in
            peer.verified = time
            if let time { peer.accepted = max(peer.accepted, time) }
        }
    }

    /// Blocks a peer or lets them in again.
    public func setBlocked(_ id: PeerID, _ isBlocked: Bool) async throws(StoreError) {
        try await change(id) { $0.isBlocked = isBlocked }
    }

    /// Notes that there was a session with a peer.
    public func setLastSeen(_ id: PeerID, at time: Date) async throws(StoreError) {
        try await change(id) { $0.lastSeen = max($0.lastSeen, time) }
    }

    /// Deletes a peer, their sessions and tokens, and everything that was said. When it returns, the bytes are gone from
    /// the file and its log.
    public func forget(_ id: PeerID) async throws(StoreError) {
        let cipher = keys.peers
        try await writes.submit { database in
            guard try Self.peer(database, cipher, id) != nil else { throw StoreError.noSuchRecord(what: "peer") }
            try Self.deleteHistory(database, of: id.row)
            try database.execute(
                sql: "DELETE FROM token WHERE session IN (SELECT id FROM session WHERE peer = ?)", arguments: [id.row])
            try database.execute(sql: "DELETE FROM session WHERE peer = ?", arguments: [id.row])
            try database.execute(sql: "DELETE FROM peer WHERE id = ?", arguments: [id.row])
            try Self.scheduleErasure(database)
        }
        try await eraseDeleted()
    }

    // MARK: Expiry

    private static let expirySetting = "peers.expiry"

    /// How long an acceptance lasts: ``PeerExpiry/standard`` unless it was set.
    public func peerExpiry() async throws(StoreError) -> PeerExpiry {
        guard let bytes = try await setting(Self.expirySetting) else { return .standard }
        var reader = RecordReader(bytes)
        do {
            return try reader.optional { reader throws(RecordReader.Malformed) in try reader.integer() }
                .map { .after(seconds: $0) } ?? .never
        } catch {
            throw keys.settings.damaged
        }
    }

    /// Sets how long an acceptance lasts, also of peers who are there already.
    public func setPeerExpiry(_ expiry: PeerExpiry) async throws(StoreError) {
        var writer = RecordWriter()
        switch expiry {
        case .after(let seconds): writer.append(optional: seconds) { $0.append($1) }
        case .never: writer.append(optional: Int64?.none) { $0.append($1) }
        }
        try await setSetting(Self.expirySetting, to: writer.bytes)
    }

    // MARK: In the database

    private func change(
        _ id: PeerID, _ body: @escaping @Sendable (inout StoredPeer) -> Void
    ) async throws(StoreError) {
        let cipher = keys.peers
        try await writes.submit { database in
            guard var peer = try Self.peer(database, cipher, id) else { throw StoreError.noSuchRecord(what: "peer") }
            body(&peer)
            try Self.update(database, cipher, peer)
        }
    }

    static func peers(_ database: Database, _ cipher: RecordCipher) throws -> [StoredPeer] {
        var place = cipher.place()
        let rows = try Row.fetchCursor(database, sql: "SELECT id, 0, sealed, lookup FROM peer")
        var peers: [StoredPeer] = []
        while let row = try rows.next() {
            let bytes = try cipher.open(row, at: &place)
            let peer = try cipher.decoding { try StoredPeer(id: PeerID(row: row[0]), decoding: bytes) }
            // The column is not part of the record: somebody may have exchanged two of them.
            guard [UInt8].read(row, 3) == cipher.lookup(peer.key.spki) else { throw cipher.damaged }
            peers.append(peer)
        }
        return peers
    }

    static func peer(_ database: Database, _ cipher: RecordCipher, _ id: PeerID) throws -> StoredPeer? {
        let row = try Row.fetchOne(database, sql: "SELECT id, 0, sealed FROM peer WHERE id = ?", arguments: [id.row])
        guard let row else { return nil }
        var place = cipher.place()
        let bytes = try cipher.open(row, at: &place)
        return try cipher.decoding { try StoredPeer(id: id, decoding: bytes) }
    }

    static func peer(_ database: Database, _ cipher: RecordCipher, key: PublicIdentity) throws -> StoredPeer? {
        let row = try Int64.fetchOne(
            database, sql: "SELECT id FROM peer WHERE lookup = ?", arguments: [cipher.lookup(key.spki).databaseData])
        guard let row else { return nil }
        let peer = try peer(database, cipher, PeerID(row: row))
        guard let peer, peer.key == key else { throw cipher.damaged }
        return peer
    }

    static func insert(_ database: Database, _ cipher: RecordCipher, _ peer: StoredPeer) throws {
        try database.execute(
            sql: "INSERT INTO peer (id, lookup, sealed) VALUES (?, ?, ?)",
            arguments: [
                peer.id.row, cipher.lookup(peer.key.spki).databaseData,
                cipher.seal(peer.encoded(), row: peer.id.row).databaseData,
            ])
    }

    static func update(_ database: Database, _ cipher: RecordCipher, _ peer: StoredPeer) throws {
        try database.execute(
            sql: "UPDATE peer SET lookup = ?, sealed = ? WHERE id = ?",
            arguments: [
                cipher.lookup(peer.key.spki).databaseData, cipher.seal(peer.encoded(), row: peer.id.row).databaseData,
                peer.id.row,
            ])
    }

    /// A random number that no row of the cipher's table has.
    static func unusedRow(_ database: Database, _ cipher: RecordCipher) throws -> Int64 {
        while true {
            let row = cipher.randomRow()
            let isUsed = try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM \(cipher.table) WHERE id = ?)", arguments: [row])
            if isUsed != true { return row }
        }
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

/// A name as it counts when two are compared: what people would take for the same is the same.
struct PeerName: Equatable {
    private let folded: String

    init(_ name: String) {
        // What cannot be seen makes no difference to people.
        var visible = String.UnicodeScalarView()
        visible.append(contentsOf: name.unicodeScalars.filter { !$0.properties.isDefaultIgnorableCodePoint })
        folded = String(visible).precomposedStringWithCompatibilityMapping.lowercased()
            .split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    var isEmpty: Bool { folded.isEmpty }
}
