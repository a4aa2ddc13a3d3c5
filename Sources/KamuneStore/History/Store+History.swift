import GRDB

extension Store {
    /// A page of a conversation, oldest first: the latest messages, or the latest before one that was read already. It
    /// costs the same wherever it is.
    public func messages(
        with peer: PeerID, before position: MessagePosition? = nil, limit: Int = 100
    ) async throws(StoreError) -> [StoredMessage] {
        try await read { try $0.messages(with: peer, before: position, limit: limit) }
    }

    /// A page of a conversation, oldest first, after a message that was read already, or from the beginning.
    public func messages(
        with peer: PeerID, after position: MessagePosition?, limit: Int = 100
    ) async throws(StoreError) -> [StoredMessage] {
        try await read { try $0.messages(with: peer, after: position, limit: limit) }
    }

    /// How many messages there are, with one peer or with all.
    public func messageCount(with peer: PeerID? = nil) async throws(StoreError) -> Int {
        try await read { transaction in
            let messages = transaction.tables.messages
            return if let peer {
                try messages.count("WHERE peer = ?", [peer.row], in: transaction)
            } else {
                try messages.count(in: transaction)
            }
        }
    }

    /// Everything that was said, oldest first, with one peer or with all, in little memory. Messages that come while it
    /// is read are at its end. There it is made sure that the file led past none of them: a damaged one ends in
    /// ``StoreError/damaged(what:)``.
    public func history(with peer: PeerID? = nil) -> MessageHistory {
        MessageHistory(store: self, peer: peer)
    }

    fileprivate func page(
        of peer: PeerID?, after position: MessagePosition?
    ) async throws(StoreError) -> [StoredMessage] {
        try await read { transaction in
            let page = try transaction.messages(
                with: peer, after: position, limit: MessageHistory.pageSize, byteLimit: MessageHistory.pageBytes)
            if page.isEmpty { try transaction.checkStructure(of: MessageRecord.table) }
            return page
        }
    }
}

extension ReadTransaction {
    /// The latest messages with a peer, or the latest before one; oldest first.
    package func messages(with peer: PeerID, before position: MessagePosition?, limit: Int) throws -> [StoredMessage] {
        try messages(
            "WHERE peer = ? AND id < ?", [peer.row, position?.row ?? .max], .row(before: position?.row ?? .max),
            limit: limit
        ).reversed()
    }

    /// Messages after one, or from the beginning, with one peer or with all; oldest first. Ends when they hold `byteLimit`
    /// bytes.
    package func messages(
        with peer: PeerID?, after position: MessagePosition?, limit: Int, byteLimit: Int = .max
    ) throws -> [StoredMessage] {
        let start = position?.row ?? .min
        return if let peer {
            try messages(
                "WHERE peer = ? AND id > ?", [peer.row, start], .row(after: start), limit: limit, byteLimit: byteLimit)
        } else {
            try messages("WHERE id > ?", [start], .row(after: start), limit: limit, byteLimit: byteLimit)
        }
    }

    /// Reads so many messages that a clause finds, or until they hold `byteLimit` bytes.
    func messages(
        _ clause: String, _ arguments: StatementArguments, _ order: RowOrder, limit: Int, byteLimit: Int = .max
    ) throws -> [StoredMessage] {
        let records = try tables.messages.cursor(clause, arguments, order, limit: max(0, limit), in: self)
        var messages: [StoredMessage] = []
        var size = 0
        while size < byteLimit, let record = try records.next() {
            size += record.body.count + MessageHistory.overhead
            messages.append(record.message)
        }
        return messages
    }
}

/// Everything that was said, read page by page.
public struct MessageHistory: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = StoredMessage
    /// What can go wrong.
    public typealias Failure = StoreError

    let store: Store
    let peer: PeerID?

    /// A page ends after so many messages, or so many bytes.
    static let pageSize = 1_000
    static let pageBytes = 1 << 20
    /// What a message takes beside its body.
    static let overhead = 128

    /// Begins with the oldest message.
    public func makeAsyncIterator() -> Iterator {
        Iterator(store: store, peer: peer)
    }

    /// Reads page by page.
    public struct Iterator: AsyncIteratorProtocol {
        private let store: Store
        private let peer: PeerID?
        private var page: ArraySlice<StoredMessage> = []
        private var last: MessagePosition?
        private var isAtEnd = false

        fileprivate init(store: Store, peer: PeerID?) {
            self.store = store
            self.peer = peer
        }

        /// The next message; `nil` at the end.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(StoreError) -> StoredMessage? {
            if page.isEmpty, !isAtEnd {
                page = try await store.page(of: peer, after: last)[...]
                isAtEnd = page.isEmpty
            }
            guard let message = page.popFirst() else { return nil }
            last = message.position
            return message
        }
    }
}
