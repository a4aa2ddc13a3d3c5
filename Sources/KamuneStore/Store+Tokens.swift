public import Foundation
import GRDB
import KamuneProtocol

extension Store {
    /// Takes a token to resume a session with, as its initiator. It is struck from the store, durably, before it is
    /// returned: whatever happens then, it is never returned again.
    ///
    /// - Returns: the token, or `nil` when the session has none left, is not known, or is older than 24 hours.
    public func takeToken(of session: SessionID, at now: Date) async throws(StoreError) -> [UInt8]? {
        let keys = keys
        return try await writes.submit { database in
            guard try Self.isResumable(database, keys, session, at: now) else { return nil }
            let row = try Row.fetchOne(
                database, sql: "SELECT id, session, sealed FROM token WHERE session = ? ORDER BY id LIMIT 1",
                arguments: [session.row])
            guard let row else { return nil }
            var place = keys.tokens.place()
            let bytes = try keys.tokens.open(row, at: &place)
            let token = try keys.tokens.decoding { () throws -> [UInt8] in
                var reader = RecordReader(bytes)
                return try reader.byteString()
            }
            try database.execute(sql: "DELETE FROM token WHERE id = ?", arguments: [row[0] as Int64])
            guard database.changesCount == 1 else { throw keys.tokens.damaged }
            return token
        }
    }

    /// Strikes the token that an initiator presented, as the responder, after its signature was found right. Durable when
    /// it returns: of any number of attempts with one token, at once or one after another, one succeeds, also when the
    /// process is killed in between.
    ///
    /// The token is looked up by its keyed hash, so that how long it takes tells nothing about the others.
    ///
    /// - Returns: whether the token was the session's, unused, and no more than 24 hours old.
    public func consumeToken(
        _ token: [UInt8], of session: SessionID, at now: Date
    ) async throws(StoreError) -> Bool {
        let keys = keys
        return try await writes.submit { database in
            guard try Self.isResumable(database, keys, session, at: now) else { return false }
            try database.execute(
                sql: "DELETE FROM token WHERE session = ? AND lookup = ?",
                arguments: [session.row, Self.tokenLookup(token, of: session, keys.tokens)])
            return database.changesCount == 1
        }
    }

    /// How many unused tokens a session has, expired or not.
    public func tokenCount(of session: SessionID) async throws(StoreError) -> Int {
        try await read { database in
            try Int.fetchOne(
                database, sql: "SELECT count(*) FROM token WHERE session = ?", arguments: [session.row]) ?? 0
        }
    }

    /// Throws the tokens of a session away.
    public func removeTokens(of session: SessionID) async throws(StoreError) {
        let cipher = keys.tokens
        try await writes.submit { try Self.replaceTokens($0, cipher, of: session, with: []) }
    }

    /// Throws away the tokens of all sessions that are too old to be resumed. Good to do after opening.
    public func removeExpiredTokens(at now: Date) async throws(StoreError) {
        let keys = keys
        try await writes.submit { database in
            let sessions = try Int64.fetchAll(database, sql: "SELECT DISTINCT session FROM token")
            for session in sessions.map({ SessionID(row: $0) })
            where try !Self.isResumable(database, keys, session, at: now) {
                try Self.replaceTokens(database, keys.tokens, of: session, with: [])
            }
        }
    }

    // MARK: In the database

    static func replaceTokens(
        _ database: Database, _ cipher: RecordCipher, of session: SessionID, with tokens: [[UInt8]]
    ) throws {
        try database.execute(sql: "DELETE FROM token WHERE session = ?", arguments: [session.row])
        for token in tokens {
            let row = try nextRow(database, table: Schema.token)
            var writer = RecordWriter()
            writer.append(bytes: token)
            writer.pad()
            try database.execute(
                sql: "INSERT INTO token (id, session, lookup, sealed) VALUES (?, ?, ?, ?)",
                arguments: [
                    row, session.row, tokenLookup(token, of: session, cipher),
                    cipher.seal(writer.bytes, row: row, owner: session.row).databaseData,
                ])
        }
    }

    private static func tokenLookup(_ token: [UInt8], of session: SessionID, _ cipher: RecordCipher) -> Data {
        var writer = RecordWriter()
        writer.append(session.row)
        writer.append(bytes: token)
        return cipher.lookup(writer.bytes).databaseData
    }

    /// Whether no more than 24 hours have passed. A time of establishment in the future is the work of a clock that was
    /// wrong, then or now, and does not count as recent.
    private static func isResumable(
        _ database: Database, _ keys: StoreKeys, _ id: SessionID, at now: Date
    ) throws -> Bool {
        guard let session = try session(database, keys.sessions, id) else { return false }
        let age = now.timeIntervalSince(session.established)
        let window = Double(ProtocolConstants.resumptionWindow.components.seconds)
        return age >= -clockTolerance && age <= window
    }

    /// How far a clock may have been set back, in seconds.
    private static let clockTolerance = 300.0
}
