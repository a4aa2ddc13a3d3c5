import GRDB

public import struct Foundation.Date

extension Store {
    /// Deletes messages by place. When it returns, the bytes are gone from the file and its log.
    ///
    /// - Returns: how many were there.
    @discardableResult
    public func deleteMessages(at positions: [MessagePosition]) async throws(StoreError) -> Int {
        let count = try await writes.submit { try Self.delete($0, positions.map(\.row)) }
        try await eraseDeleted()
        return count
    }

    /// Deletes what was said with a peer, all of it or what is older than a date by this machine's clock. The peer stays
    /// known. When it returns, the bytes are gone from the file and its log.
    ///
    /// - Returns: how many messages there were.
    @discardableResult
    public func deleteHistory(with peer: PeerID, before date: Date? = nil) async throws(StoreError) -> Int {
        let cipher = keys.messages
        let count = try await writes.submit { database -> Int in
            guard let limit = date?.milliseconds else { return try Self.deleteHistory(database, of: peer.row) }
            return try Self.deleteMessages(database, cipher, of: peer.row) { $0.localTime < limit }
        }
        try await eraseDeleted()
        return count
    }

    /// Deletes the older part of what was said with a peer: of the messages that are settled, which is all but those that
    /// are ``MessageState/waiting`` or ``MessageState/inFlight``, the latest stay. For conversations that are kept in
    /// memory only and may go on for very long. When it returns, the bytes are gone.
    ///
    /// - Parameter limit: how many settled messages stay; the others that stay do not count.
    /// - Returns: how many messages were deleted.
    @discardableResult
    public func trimHistory(with peer: PeerID, keeping limit: Int) async throws(StoreError) -> Int {
        let count = try await writes.submit { database -> Int in
            try database.execute(
                sql: """
                    DELETE FROM message WHERE peer = ?1 AND pending IS NULL AND id <= (
                        SELECT id FROM message WHERE peer = ?1 AND pending IS NULL
                        ORDER BY id DESC LIMIT 1 OFFSET ?2)
                    """,
                arguments: [peer.row, max(0, limit)])
            let count = database.changesCount
            if count > 0 { try Self.scheduleErasure(database) }
            return count
        }
        if count > 0 { try await eraseDeleted() }
        return count
    }

    /// Leaves nothing of what was deleted, in the file or its log. A kill before it is done is made up for when the store
    /// is opened again.
    ///
    /// SQLite overwrites what is deleted with zeros (`secure_delete`). But when it rearranges its pages it leaves copies of
    /// records in the unused parts of them, so the file is written anew, without unused parts, and the log emptied.
    func eraseDeleted() async throws(StoreError) {
        let isInMemory = location == nil
        do {
            try await database.barrierWriteWithoutTransaction { database in
                if isInMemory { try Self.endErasure(database) } else { try Self.eraseDeleted(database) }
            }
        } catch {
            throw StoreError(error, path: path)
        }
    }

    // MARK: In the database

    /// Notes, together with a deletion, that the erasure is still to be done.
    static func scheduleErasure(_ database: Database) throws {
        try database.execute(sql: "INSERT OR IGNORE INTO chore (id) VALUES (?)", arguments: [Schema.erasureChore])
    }

    static func isErasureScheduled(_ database: Database) throws -> Bool {
        try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT 1 FROM chore WHERE id = ?)", arguments: [Schema.erasureChore]) == true
    }

    static func eraseDeleted(_ database: Database) throws {
        // The new file is put together in a temporary one, not in memory. It holds sealed records only.
        try database.execute(sql: "PRAGMA temp_store = FILE")
        defer { try? database.execute(sql: "PRAGMA temp_store = MEMORY") }
        try database.execute(sql: "VACUUM")
        try endErasure(database)
        _ = try database.checkpoint(.truncate)
    }

    /// All that there is to do in memory: no file has copies, and a new one would need a temporary one on the disk.
    private static func endErasure(_ database: Database) throws {
        try database.execute(sql: "DELETE FROM chore WHERE id = ?", arguments: [Schema.erasureChore])
    }

    @discardableResult
    static func deleteHistory(_ database: Database, of peer: Int64) throws -> Int {
        try database.execute(sql: "DELETE FROM message WHERE peer = ?", arguments: [peer])
        let count = database.changesCount
        try scheduleErasure(database)
        return count
    }

    @discardableResult
    static func deleteMessages(
        _ database: Database, _ cipher: RecordCipher, of peer: Int64, where isWanted: (MessageRecord) -> Bool
    ) throws -> Int {
        let rows = try Row.fetchCursor(
            database, sql: "SELECT id, peer, sealed FROM message WHERE peer = ?", arguments: [peer])
        var place = cipher.place()
        var wanted: [Int64] = []
        while let row = try rows.next() {
            let bytes = try cipher.open(row, at: &place)
            if isWanted(try cipher.decoding { try MessageRecord(decoding: bytes) }) { wanted.append(row[0]) }
        }
        return try delete(database, wanted)
    }

    private static func delete(_ database: Database, _ rows: [Int64]) throws -> Int {
        let statement = try database.cachedStatement(sql: "DELETE FROM message WHERE id = ?")
        var count = 0
        for row in rows {
            try statement.execute(arguments: [row])
            count += database.changesCount
        }
        try scheduleErasure(database)
        return count
    }
}
