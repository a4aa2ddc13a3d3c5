public import Foundation
import GRDB

/// What came of storing a message.
public struct StoredResult: Sendable, Equatable {
    /// The message as it is in the store.
    public let message: StoredMessage
    /// Whether it was stored just now. If not, one of this name was there already and has stayed as it was.
    public let isNew: Bool
}

extension Store {
    /// Stores a message; it is on the disk when this returns. Calls that come together share one wait for the disk.
    ///
    /// A message whose name is there already, from the same peer in the same direction, is not stored again.
    @discardableResult
    public func append(_ message: NewMessage) async throws(StoreError) -> StoredResult {
        let keys = keys
        let streams = streams
        return try await writes.submit { try Self.append($0, keys, streams, message) }
    }

    /// Stores messages in this order, all or none.
    @discardableResult
    public func append(contentsOf messages: [NewMessage]) async throws(StoreError) -> [StoredResult] {
        let keys = keys
        let streams = streams
        return try await writes.submit { database in
            try messages.map { try Self.append(database, keys, streams, $0) }
        }
    }

    /// Moves messages of ours on: sent, delivered, and so on. What was delivered stays delivered, whatever comes later.
    ///
    /// - Parameters:
    ///   - now: when the peer acknowledged, for ``MessageState/delivered``.
    /// - Returns: the names of those whose state changed. Names that are not there are skipped.
    @discardableResult
    public func setState(
        _ state: MessageState, of ids: [MessageID], to peer: PeerID, at now: Date
    ) async throws(StoreError) -> [MessageID] {
        guard state != .received else { throw .misuse(reason: "a message of ours cannot be received") }
        let cipher = keys.messages
        let streams = streams
        return try await writes.submit { database in
            try ids.filter { id in
                guard let row = try Self.row(database, streams, id, peer, .outgoing) else { return false }
                var place = cipher.place()
                let bytes = try cipher.open(row, at: &place)
                var record = try cipher.decoding { try MessageRecord(decoding: bytes) }
                guard record.state != state, record.state != .delivered else { return false }
                record.state = state
                if state == .delivered { record.received = now.milliseconds }
                try Self.update(database, cipher, row: row[0], peer: peer.row, record)
                return true
            }
        }
    }

    /// Messages of ours that the peer has not acknowledged: waiting or in flight, oldest first. Without an end of their
    /// own, take them in steps.
    public func pendingMessages(
        to peer: PeerID, after position: MessagePosition? = nil, limit: Int = 100
    ) async throws(StoreError) -> [StoredMessage] {
        let cipher = keys.messages
        return try await read { database in
            try Self.messages(
                database, cipher,
                sql: """
                    SELECT id, peer, sealed FROM message
                    WHERE pending IS NOT NULL AND peer = ? AND id > ? ORDER BY id LIMIT ?
                    """,
                [peer.row, position?.row ?? Int64.min, max(0, limit)]
            ).filter { $0.state.isPending }
        }
    }

    /// The peers to whom something is waiting or in flight.
    public func peersWithPendingMessages() async throws(StoreError) -> [PeerID] {
        try await read { database in
            try Int64.fetchAll(
                database, sql: "SELECT DISTINCT peer FROM message INDEXED BY message_pending WHERE pending IS NOT NULL"
            ).map { PeerID(row: $0) }
        }
    }

    /// Which of these names are in the store, for what both sides tell each other after a reconnection.
    public func storedIDs(
        among ids: [MessageID], with peer: PeerID, _ direction: MessageDirection
    ) async throws(StoreError) -> Set<MessageID> {
        let streams = streams
        return try await read { database in
            Set(try ids.filter { try Self.row(database, streams, $0, peer, direction) != nil })
        }
    }

    /// A message by its name; `nil` when it is not there.
    public func message(
        _ id: MessageID, with peer: PeerID, _ direction: MessageDirection
    ) async throws(StoreError) -> StoredMessage? {
        let cipher = keys.messages
        let streams = streams
        return try await read { database in
            guard let row = try Self.row(database, streams, id, peer, direction) else { return nil }
            return try Self.message(row, cipher)
        }
    }

    // MARK: In the database

    static func append(
        _ database: Database, _ keys: StoreKeys, _ streams: MessageStreams, _ message: NewMessage
    ) throws -> StoredResult {
        guard message.body.count <= NewMessage.maximumSize else {
            throw StoreError.misuse(reason: "a message of \(message.body.count) bytes is too large")
        }
        guard (message.direction == .incoming) == (message.state == .received) else {
            throw StoreError.misuse(reason: "the message's state does not fit its direction")
        }
        let peer = message.peer.row
        let isKnown = try database.cachedStatement(sql: "SELECT 1 FROM peer WHERE id = ?")
        guard try Int.fetchOne(isKnown, arguments: [peer]) != nil else {
            throw StoreError.noSuchRecord(what: "peer")
        }
        if let id = message.id, let row = try row(database, streams, id, message.peer, message.direction) {
            return StoredResult(message: try Self.message(row, keys.messages), isNew: false)
        }
        let record = MessageRecord(message, id: message.id ?? streams.newID(peer: peer))
        let row = try streams.nextRow(database)
        try insert(database, keys.messages, streams, row: row, peer: peer, record)
        return StoredResult(message: record.message(row: row, peer: peer), isNew: true)
    }

    static func insert(
        _ database: Database, _ cipher: RecordCipher, _ streams: MessageStreams, row: Int64, peer: Int64,
        _ record: MessageRecord
    ) throws {
        let mark = streams.mark(record.id, peer: peer, direction: record.direction)
        let sealed = cipher.seal(record.encoded(), row: row, owner: peer)
        let statement = try database.cachedStatement(
            sql: "INSERT INTO message (id, peer, stream, number, pending, sealed) VALUES (?, ?, ?, ?, ?, ?)")
        try statement.execute(
            arguments: [
                row, peer, mark.stream, mark.number, record.state.isPending ? 1 : nil, sealed.databaseData,
            ])
    }

    /// Overwrites a record in place. One whose size class stays the same leaves nothing of its former self.
    static func update(
        _ database: Database, _ cipher: RecordCipher, row: Int64, peer: Int64, _ record: MessageRecord
    ) throws {
        let statement = try database.cachedStatement(sql: "UPDATE message SET pending = ?, sealed = ? WHERE id = ?")
        try statement.execute(
            arguments: [
                record.state.isPending ? 1 : nil,
                cipher.seal(record.encoded(), row: row, owner: peer).databaseData, row,
            ])
    }

    static func row(
        _ database: Database, _ streams: MessageStreams, _ id: MessageID, _ peer: PeerID, _ direction: MessageDirection
    ) throws -> Row? {
        let mark = streams.mark(id, peer: peer.row, direction: direction)
        let statement = try database.cachedStatement(
            sql: "SELECT id, peer, sealed FROM message WHERE stream = ? AND number = ?")
        return try Row.fetchOne(statement, arguments: [mark.stream, mark.number])
    }

    static func message(_ row: Row, _ cipher: RecordCipher) throws -> StoredMessage {
        var place = cipher.place()
        let bytes = try cipher.open(row, at: &place)
        return try cipher.decoding { try MessageRecord(decoding: bytes) }.message(row: row[0], peer: row[1])
    }

    /// Reads messages until the statement's end, or until they hold `byteLimit` bytes.
    static func messages(
        _ database: Database, _ cipher: RecordCipher, sql: String, _ arguments: StatementArguments,
        byteLimit: Int = .max
    ) throws -> [StoredMessage] {
        let rows = try Row.fetchCursor(try database.cachedStatement(sql: sql), arguments: arguments)
        var place = cipher.place()
        var messages: [StoredMessage] = []
        var size = 0
        while size < byteLimit, let row = try rows.next() {
            let bytes = try cipher.open(row, at: &place)
            size += bytes.count
            let record = try cipher.decoding { try MessageRecord(decoding: bytes) }
            messages.append(record.message(row: row[0], peer: row[1]))
        }
        return messages
    }
}
