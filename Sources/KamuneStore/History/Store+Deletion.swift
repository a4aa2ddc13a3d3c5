import GRDB

public import struct Foundation.Date

extension Store {
    /// Deletes messages by place. When it returns, the bytes are gone from the file and its log.
    ///
    /// - Returns: how many were there.
    @discardableResult
    public func deleteMessages(at positions: [MessagePosition]) async throws(StoreError) -> Int {
        let count = try await write { try $0.deleteMessages(in: positions.map(\.row)) }
        try await eraseDeleted()
        return count
    }

    /// Deletes what was said with a peer, all of it or what is older than a date by this machine's clock. The peer stays
    /// known. When it returns, the bytes are gone from the file and its log.
    ///
    /// - Returns: how many messages there were.
    @discardableResult
    public func deleteHistory(with peer: PeerID, before date: Date? = nil) async throws(StoreError) -> Int {
        let count = try await write { transaction -> Int in
            guard let limit = date?.milliseconds else { return try transaction.deleteHistory(with: peer) }
            return try transaction.deleteMessages(with: peer) { $0.localTime < limit }
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
        let count = try await write { transaction -> Int in
            let count = try transaction.tables.messages.deleteAll(
                """
                WHERE peer = ?1 AND turn IS NULL AND id <= (
                    SELECT id FROM message WHERE peer = ?1 AND turn IS NULL
                    ORDER BY id DESC LIMIT 1 OFFSET ?2)
                """, [peer.row, max(0, limit)], in: transaction)
            if count > 0 { try transaction.scheduleErasure() }
            return count
        }
        if count > 0 { try await eraseDeleted() }
        return count
    }

    /// Leaves nothing of what was deleted: see ``Erasure``.
    func eraseDeleted() async throws(StoreError) {
        let isInMemory = location == nil
        do {
            try await database.barrierWriteWithoutTransaction { database in
                if isInMemory { try Erasure.end(database) } else { try Erasure.perform(database) }
            }
        } catch {
            throw StoreError(error, path: path)
        }
    }
}

extension WriteTransaction {
    /// Deletes everything that was said with a peer.
    @discardableResult
    package func deleteHistory(with peer: PeerID) throws -> Int {
        let count = try tables.messages.deleteAll("WHERE peer = ?", [peer.row], in: self)
        try scheduleErasure()
        return count
    }

    /// Deletes those of a peer's messages that are not wanted any more.
    @discardableResult
    func deleteMessages(with peer: PeerID, where isUnwanted: (MessageRecord) -> Bool) throws -> Int {
        let records = try tables.messages.cursor("WHERE peer = ?", [peer.row], in: self)
        var unwanted: [Int64] = []
        while let record = try records.next() {
            if isUnwanted(record) { unwanted.append(record.row) }
        }
        return try deleteMessages(in: unwanted)
    }

    fileprivate func deleteMessages(in rows: [Int64]) throws -> Int {
        var count = 0
        for row in rows where try tables.messages.delete(row, in: self) { count += 1 }
        try scheduleErasure()
        return count
    }
}
