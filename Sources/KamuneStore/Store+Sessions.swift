public import Foundation
import GRDB

/// A session to be stored.
public struct NewSession: Sendable {
    /// With whom.
    public var peer: PeerID
    /// The identifier that both sides have.
    public var identifier: String
    /// What the person calls it.
    public var name: String?
    /// When its keys were made, by this machine's clock.
    public var established: Date
    /// How the two are connected.
    public var transport: String
    /// Whether this side opened the connection.
    public var isInitiator: Bool
    /// Under which identity.
    public var identity: IdentityID?
    /// The additions that both announced.
    public var capabilities: [String]

    /// A session to be stored.
    public init(
        peer: PeerID, identifier: String, name: String? = nil, established: Date, transport: String,
        isInitiator: Bool, identity: IdentityID? = nil, capabilities: [String] = []
    ) {
        self.peer = peer
        self.identifier = identifier
        self.name = name
        self.established = established
        self.transport = transport
        self.isInitiator = isInitiator
        self.identity = identity
        self.capabilities = capabilities
    }
}

extension Store {
    /// Sessions, latest first.
    ///
    /// - Parameters:
    ///   - peer: only those with this peer.
    ///   - limit: at most so many.
    public func sessions(with peer: PeerID? = nil, limit: Int = .max) async throws(StoreError) -> [StoredSession] {
        let cipher = keys.sessions
        let limit = max(0, limit)
        return try await read { database in
            let rows =
                if let peer {
                    try Row.fetchAll(
                        database,
                        sql: "SELECT id, peer, sealed FROM session WHERE peer = ? ORDER BY id DESC LIMIT ?",
                        arguments: [peer.row, limit])
                } else {
                    try Row.fetchAll(
                        database, sql: "SELECT id, peer, sealed FROM session ORDER BY id DESC LIMIT ?",
                        arguments: [limit])
                }
            return try rows.map { try Self.session($0, cipher) }
        }
    }

    /// A session by number; `nil` when there is none.
    public func session(_ id: SessionID) async throws(StoreError) -> StoredSession? {
        let cipher = keys.sessions
        return try await read { try Self.session($0, cipher, id) }
    }

    /// A session by the identifier that both sides have; `nil` when there is none.
    public func session(identifier: String) async throws(StoreError) -> StoredSession? {
        let cipher = keys.sessions
        return try await read { try Self.session($0, cipher, identifier: identifier) }
    }

    /// Stores a session that was established, or established again by resuming: one with the same identifier is updated,
    /// provided it is with the same peer, and all tokens that it had are thrown away.
    ///
    /// - Parameter tokens: the tokens to resume it by, struck one by one with ``takeToken(of:at:)`` by the initiator and
    ///   ``consumeToken(_:of:at:)`` by the responder. Record and tokens are stored at once or not at all.
    /// - Throws: ``StoreError/conflict(what:)`` when the identifier is another peer's session.
    @discardableResult
    public func store(_ session: NewSession, tokens: [[UInt8]] = []) async throws(StoreError) -> StoredSession {
        let keys = keys
        return try await writes.submit { database in
            guard try Self.peer(database, keys.peers, session.peer) != nil else {
                throw StoreError.noSuchRecord(what: "peer")
            }
            let earlier = try Self.session(database, keys.sessions, identifier: session.identifier)
            guard earlier.map({ $0.peer == session.peer }) ?? true else {
                throw StoreError.conflict(what: "session")
            }
            let row = try earlier?.id.row ?? Self.nextSessionRow(database)
            let stored = StoredSession(
                id: SessionID(row: row), peer: session.peer, identifier: session.identifier,
                name: session.name ?? earlier?.name, established: session.established, ended: nil,
                transport: session.transport, isInitiator: session.isInitiator, identity: session.identity,
                capabilities: session.capabilities)
            try Self.write(database, keys.sessions, stored)
            try Self.replaceTokens(database, keys.tokens, of: stored.id, with: tokens)
            return try StoredSession(id: stored.id, peer: stored.peer, decoding: stored.encoded())
        }
    }

    /// Gives a session a name, or takes it away.
    public func rename(_ id: SessionID, to name: String?) async throws(StoreError) {
        try await change(id) { $0.name = name }
    }

    /// Notes that a session ended. A graceful end takes its tokens away.
    ///
    /// - Parameter established: when the session that ended was made or resumed; if the record is of a later one by now,
    ///   nothing is changed.
    public func endSession(
        _ id: SessionID, at time: Date, gracefully: Bool, ifEstablished established: Date? = nil
    ) async throws(StoreError) {
        let keys = keys
        try await writes.submit { database in
            if let established, let session = try Self.session(database, keys.sessions, id),
                session.established != established
            {
                return
            }
            try Self.change(database, keys.sessions, id) { $0.ended = time }
            if gracefully { try Self.replaceTokens(database, keys.tokens, of: id, with: []) }
        }
    }

    /// Deletes a session's record and tokens, and what was said in it. The bytes are gone when it returns.
    public func delete(_ id: SessionID) async throws(StoreError) {
        let keys = keys
        try await writes.submit { database in
            guard let session = try Self.session(database, keys.sessions, id) else {
                throw StoreError.noSuchRecord(what: "session")
            }
            try Self.deleteMessages(database, keys.messages, of: session.peer.row) { $0.session == id.row }
            try Self.replaceTokens(database, keys.tokens, of: id, with: [])
            try database.execute(sql: "DELETE FROM session WHERE id = ?", arguments: [id.row])
            try Self.scheduleErasure(database)
        }
        try await eraseDeleted()
    }

    // MARK: In the database

    private func change(
        _ id: SessionID, _ body: @escaping @Sendable (inout StoredSession) -> Void
    ) async throws(StoreError) {
        let cipher = keys.sessions
        try await writes.submit { try Self.change($0, cipher, id, body) }
    }

    private static func change(
        _ database: Database, _ cipher: RecordCipher, _ id: SessionID, _ body: (inout StoredSession) -> Void
    ) throws {
        guard var session = try session(database, cipher, id) else { throw StoreError.noSuchRecord(what: "session") }
        body(&session)
        try write(database, cipher, session)
    }

    static func session(_ row: Row, _ cipher: RecordCipher) throws -> StoredSession {
        var place = cipher.place()
        let bytes = try cipher.open(row, at: &place)
        return try cipher.decoding {
            try StoredSession(id: SessionID(row: row[0]), peer: PeerID(row: row[1]), decoding: bytes)
        }
    }

    static func session(_ database: Database, _ cipher: RecordCipher, _ id: SessionID) throws -> StoredSession? {
        try Row.fetchOne(database, sql: "SELECT id, peer, sealed FROM session WHERE id = ?", arguments: [id.row])
            .map { try session($0, cipher) }
    }

    static func session(_ database: Database, _ cipher: RecordCipher, identifier: String) throws -> StoredSession? {
        let row = try Row.fetchOne(
            database, sql: "SELECT id, peer, sealed FROM session WHERE lookup = ?",
            arguments: [cipher.lookup(Array(identifier.utf8)).databaseData])
        guard let row else { return nil }
        let found = try session(row, cipher)
        guard found.identifier == identifier else { throw cipher.damaged }
        return found
    }

    static func nextSessionRow(_ database: Database) throws -> Int64 {
        try nextRow(database, table: Schema.session)
    }

    static func write(_ database: Database, _ cipher: RecordCipher, _ session: StoredSession) throws {
        try database.execute(
            sql: """
                INSERT INTO session (id, peer, lookup, sealed) VALUES (?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET peer = excluded.peer, lookup = excluded.lookup, sealed = excluded.sealed
                """,
            arguments: [
                session.id.row, session.peer.row, cipher.lookup(Array(session.identifier.utf8)).databaseData,
                cipher.seal(session.encoded(), row: session.id.row, owner: session.peer.row).databaseData,
            ])
    }

    /// The number after the last that a table ever had.
    static func nextRow(_ database: Database, table: String) throws -> Int64 {
        let last = try Int64.fetchOne(
            database, sql: "SELECT seq FROM sqlite_sequence WHERE name = ?", arguments: [table])
        let highest = try Int64.fetchOne(database, sql: "SELECT max(id) FROM \(table)")
        let next = max(last ?? 0, highest ?? 0)
        guard next < Int64.max else {
            throw StoreError.damaged(what: "the numbering of the table \(table)")
        }
        return next + 1
    }
}
