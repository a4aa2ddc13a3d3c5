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
        try await write { try $0.append(message) }
    }

    /// Stores messages in this order, all or none.
    @discardableResult
    public func append(contentsOf messages: [NewMessage]) async throws(StoreError) -> [StoredResult] {
        try await write { transaction in try messages.map { try transaction.append($0) } }
    }

    /// New names for messages to a peer, which are not stored yet: see ``NewMessage/id``.
    public func newMessageIDs(_ count: Int, to peer: PeerID) -> [MessageID] {
        (0..<count).map { _ in tables.streams.newID(peer: peer.row) }
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
        return try await write { transaction in
            try ids.filter { try transaction.setState(state, of: $0, to: peer, at: now) }
        }
    }

    /// Messages of ours that the peer has not acknowledged: waiting or in flight, oldest first. Without an end of their
    /// own, take them in steps.
    public func pendingMessages(
        to peer: PeerID, after position: MessagePosition? = nil, limit: Int = 100
    ) async throws(StoreError) -> [StoredMessage] {
        try await read { try $0.pendingMessages(to: peer, after: position, limit: limit) }
    }

    /// How many messages to a peer are waiting or in flight.
    public func waitingCount(to peer: PeerID) async throws(StoreError) -> Int {
        try await read { transaction in
            try transaction.tables.messages.count(
                "INDEXED BY message_turn WHERE turn IS NOT NULL AND peer = ?", [peer.row], in: transaction)
        }
    }

    /// The peers to whom something is waiting or in flight.
    public func peersWithPendingMessages() async throws(StoreError) -> [PeerID] {
        try await read { transaction in
            try Int64.fetchAll(
                transaction.database,
                sql: "SELECT DISTINCT peer FROM message INDEXED BY message_turn WHERE turn IS NOT NULL"
            ).map { PeerID(row: $0) }
        }
    }

    /// Which of these names are in the store, for what both sides tell each other after a reconnection.
    public func storedIDs(
        among ids: [MessageID], with peer: PeerID, _ direction: MessageDirection
    ) async throws(StoreError) -> Set<MessageID> {
        try await read { transaction in
            Set(try ids.filter { try transaction.message($0, with: peer, direction) != nil })
        }
    }

    /// A message by its name; `nil` when it is not there.
    public func message(
        _ id: MessageID, with peer: PeerID, _ direction: MessageDirection
    ) async throws(StoreError) -> StoredMessage? {
        try await read { try $0.message(id, with: peer, direction)?.message }
    }
}

extension ReadTransaction {
    /// See ``Store/pendingMessages(to:after:limit:)``.
    package func pendingMessages(
        to peer: PeerID, after position: MessagePosition?, limit: Int
    ) throws -> [StoredMessage] {
        try messages(
            "INDEXED BY message_turn WHERE turn IS NOT NULL AND peer = ? AND id > ?",
            [peer.row, position?.row ?? .min], .row(after: position?.row ?? .min), limit: limit)
    }

    /// A message by its name; `nil` when it is not there.
    func message(_ id: MessageID, with peer: PeerID, _ direction: MessageDirection) throws -> MessageRecord? {
        let mark = tables.streams.mark(id, peer: peer.row, direction: direction)
        return try tables.messages.first(
            "WHERE stream = ? AND number = ?", [mark.stream, mark.number], in: self)
    }
}

extension WriteTransaction {
    /// See ``Store/append(_:)``.
    package func append(_ message: NewMessage) throws -> StoredResult {
        try expectPeer(message.peer)
        if let id = message.id, let earlier = try self.message(id, with: message.peer, message.direction) {
            return StoredResult(message: earlier.message, isNew: false)
        }
        return StoredResult(message: try insert(message).message, isNew: true)
    }

    func expectPeer(_ peer: PeerID) throws {
        guard try tables.peers.contains(peer.row, in: self) else { throw StoreError.noSuchRecord(what: "peer") }
    }

    private func expectStorable(_ message: NewMessage) throws {
        guard message.body.count <= NewMessage.maximumSize else {
            throw StoreError.misuse(reason: "a message of \(message.body.count) bytes is too large")
        }
        guard (message.direction == .incoming) == (message.state == .received) else {
            throw StoreError.misuse(reason: "the message's state does not fit its direction")
        }
    }

    /// Stores a message whose name is not there yet.
    func insert(_ message: NewMessage) throws -> MessageRecord {
        let record = try newRecord(message)
        try tables.messages.insert(record, in: self)
        return record
    }

    /// Stores a message, unless its name is there already.
    ///
    /// - Returns: what was stored.
    func insertUnlessFound(_ message: NewMessage) throws -> MessageRecord? {
        let record = try newRecord(message)
        return try tables.messages.insertUnlessFound(record, in: self) ? record : nil
    }

    private func newRecord(_ message: NewMessage) throws -> MessageRecord {
        try expectStorable(message)
        let streams = tables.streams
        return MessageRecord(
            message, id: message.id ?? streams.newID(peer: message.peer.row), row: try streams.nextRow(in: self))
    }

    /// Moves a message of ours on.
    ///
    /// - Returns: whether its state changed.
    package func setState(_ state: MessageState, of id: MessageID, to peer: PeerID, at now: Date) throws -> Bool {
        guard let record = try message(id, with: peer, .outgoing), record.state != state, record.state != .delivered
        else { return false }
        try tables.messages.change(record, in: self) { record in
            try record.settle(state, at: now.milliseconds) { try tables.streams.nextTurn(in: self) }
        }
        return true
    }
}
