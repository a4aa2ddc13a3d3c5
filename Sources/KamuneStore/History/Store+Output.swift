import GRDB

/// Messages that came in, in the order in which they were stored.
public struct IncomingPage: Sendable {
    /// The messages, of whichever peer.
    public let messages: [StoredMessage]
    /// Nothing that came in up to here is left out.
    public let through: MessagePosition
    /// Whether these are all.
    public let isEnd: Bool
}

// Where what comes in is written to, besides being kept: an output that a person or a program reads. How far it has come is
// noted, so that after whatever end what is missing there can be written.

extension Store {
    /// How far an output has come: nothing that came in up to there is to be written to it any more. An output that was not
    /// used before begins with what comes from now on.
    public func outputPosition(_ name: String) async throws(StoreError) -> MessagePosition {
        // Most of the time nothing is to be written.
        if let position = try await read({ try $0.outputPosition(name) }) { return position }
        return try await write { transaction in
            if let position = try transaction.outputPosition(name) { return position }
            let newest = try transaction.newestPosition()
            try transaction.setOutputPosition(name, to: newest)
            return newest
        }
    }

    /// The messages that came in after a position.
    ///
    /// - Parameters:
    ///   - last: up to this one, if there is one.
    ///   - limit: so many messages are looked at, at most, those of ours too.
    ///   - bytes: so many bytes the bodies have, less the last one.
    public func incomingMessages(
        after position: MessagePosition, through last: MessagePosition? = nil, limit: Int = 256, bytes: Int = 512 << 10
    ) async throws(StoreError) -> IncomingPage {
        try await read { transaction in
            let records = try transaction.tables.messages.cursor(
                "WHERE id > ? AND id <= ?", [position.row, last?.row ?? Int64.max], .row(after: position.row),
                limit: max(1, limit), in: transaction)
            var messages: [StoredMessage] = []
            var (count, size) = (0, 0)
            var through = position
            while size < bytes, let record = try records.next() {
                count += 1
                through = MessagePosition(row: record.row)
                guard record.direction == .incoming else { continue }
                messages.append(record.message)
                size += record.body.count
            }
            let isEnd = count < limit && size < bytes
            return IncomingPage(messages: messages, through: isEnd ? last ?? through : through, isEnd: isEnd)
        }
    }

    /// Notes that everything that came in up to a position was written to an output.
    public func noteWritten(through position: MessagePosition, to output: String) async throws(StoreError) {
        try await write { transaction in
            // What was moved meanwhile, by a backup that was merged, stays as it is.
            guard let earlier = try transaction.outputPosition(output), earlier < position else { return }
            try transaction.setOutputPosition(output, to: position)
        }
    }
}

/// The settings that say how far outputs have come. They mean nothing in another store, so no backup holds them.
enum OutputSetting {
    private static let prefix = "output.position/"

    static func name(_ output: String) -> String { prefix + output }

    static func isOne(_ setting: String) -> Bool { setting.hasPrefix(prefix) }
}

extension ReadTransaction {
    fileprivate func outputPosition(_ name: String) throws -> MessagePosition? {
        guard let bytes = try setting(OutputSetting.name(name)) else { return nil }
        return MessagePosition(row: try row(ofOutput: bytes))
    }

    private func row(ofOutput bytes: [UInt8]) throws -> Int64 {
        try tables.settings.cipher.decoding {
            var reader = RecordReader(bytes)
            return try reader.integer()
        }
    }

    fileprivate func newestPosition() throws -> MessagePosition {
        // Not the last number that was given: some are reserved for messages to come.
        MessagePosition(row: try tables.messages.highestRow(in: self))
    }

    /// For every output, the first message that is still to be written to it; `nil` when there is none.
    func firstUnwritten() throws -> [String: Int64?] {
        var result: [String: Int64?] = [:]
        for setting in try tables.settings.all(in: self) where OutputSetting.isOne(setting.name) {
            let start = try row(ofOutput: setting.value)
            let records = try tables.messages.cursor("WHERE id > ?", [start], .row(after: start), in: self)
            var first: Int64?
            while first == nil, let record = try records.next() {
                if record.direction == .incoming { first = record.row }
            }
            result[setting.name] = .some(first)
        }
        return result
    }
}

extension WriteTransaction {
    fileprivate func setOutputPosition(_ name: String, to position: MessagePosition) throws {
        var writer = RecordWriter()
        writer.append(position.row)
        try setSetting(OutputSetting.name(name), to: writer.bytes)
    }

    /// Has outputs go on where they were after messages have changed places. What came from elsewhere is not written to them
    /// where that can be told apart from what is still to be written.
    ///
    /// - Parameter first: what ``ReadTransaction/firstUnwritten()`` said, by the present places.
    func moveOutputs(_ first: [String: Int64?]) throws {
        for (setting, row) in first {
            var writer = RecordWriter()
            writer.append(try row.map { $0 - 1 } ?? newestPosition().row)
            try setSetting(setting, to: writer.bytes)
        }
    }
}
