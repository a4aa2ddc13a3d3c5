public import Foundation
import GRDB

extension Store {
    /// Takes a token to resume a session with, as its initiator. It is struck from the store, durably, before it is
    /// returned: whatever happens then, it is never returned again.
    ///
    /// - Returns: the token, or `nil` when the session has none left, is not known, or is older than 24 hours.
    public func takeToken(of session: SessionID, at now: Date) async throws(StoreError) -> [UInt8]? {
        try await write { try $0.takeToken(of: session, at: now) }
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
        try await write { try $0.consumeToken(token, of: session, at: now) }
    }

    /// How many unused tokens a session has, expired or not.
    public func tokenCount(of session: SessionID) async throws(StoreError) -> Int {
        try await read { try $0.tables.tokens.count("WHERE session = ?", [session.row], in: $0) }
    }

    /// Throws the tokens of a session away.
    public func removeTokens(of session: SessionID) async throws(StoreError) {
        try await write { try $0.replaceTokens(of: session, with: []) }
    }

    /// Throws away the tokens of all sessions that are too old to be resumed. Good to do after opening.
    public func removeExpiredTokens(at now: Date) async throws(StoreError) {
        try await write { transaction in
            let sessions = try Int64.fetchAll(transaction.database, sql: "SELECT DISTINCT session FROM token")
            for session in sessions.map({ SessionID(row: $0) })
            where try transaction.session(session)?.isRecent(at: now) != true {
                try transaction.replaceTokens(of: session, with: [])
            }
        }
    }
}

extension WriteTransaction {
    /// See ``Store/takeToken(of:at:)``.
    package func takeToken(of session: SessionID, at now: Date) throws -> [UInt8]? {
        guard try self.session(session)?.isRecent(at: now) == true,
            let record = try tables.tokens.first("WHERE session = ? ORDER BY id LIMIT 1", [session.row], in: self)
        else { return nil }
        guard try tables.tokens.delete(record.row, in: self) else { throw tables.tokens.damaged }
        return record.token
    }

    /// See ``Store/consumeToken(_:of:at:)``.
    package func consumeToken(_ token: [UInt8], of session: SessionID, at now: Date) throws -> Bool {
        guard try self.session(session)?.isRecent(at: now) == true else { return false }
        let tokens = tables.tokens
        let index = TokenRecord.index(token, of: session, tokens.cipher)
        guard
            let record = try tokens.first(
                "WHERE session = ? AND lookup = ?", [session.row, index.bytes.databaseValue], in: self)
        else { return false }
        return try tokens.delete(record.row, in: self)
    }

    /// Gives a session these tokens in place of those that it has.
    package func replaceTokens(of session: SessionID, with tokens: [[UInt8]]) throws {
        try tables.tokens.deleteAll("WHERE session = ?", [session.row], in: self)
        if tokens.isEmpty { return }
        let first = try tables.tokens.nextRow(in: self)
        for (row, token) in zip(first..., tokens) {
            try tables.tokens.insert(TokenRecord(row: row, session: session, token: token), in: self)
        }
    }
}
