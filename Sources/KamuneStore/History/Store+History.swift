import GRDB

extension Store {
    /// A page of a conversation, oldest first: the latest messages, or the latest before one that was read already. It
    /// costs the same wherever it is.
    public func messages(
        with peer: PeerID, before position: MessagePosition? = nil, limit: Int = 100
    ) async throws(StoreError) -> [StoredMessage] {
        let cipher = keys.messages
        return try await read { database in
            try Self.messages(
                database, cipher,
                sql: "SELECT id, peer, sealed FROM message WHERE peer = ? AND id < ? ORDER BY id DESC LIMIT ?",
                [peer.row, position?.row ?? Int64.max, max(0, limit)]
            ).reversed()
        }
    }

    /// A page of a conversation, oldest first, after a message that was read already, or from the beginning.
    public func messages(
        with peer: PeerID, after position: MessagePosition?, limit: Int = 100
    ) async throws(StoreError) -> [StoredMessage] {
        let cipher = keys.messages
        return try await read { database in
            try Self.messages(
                database, cipher,
                sql: "SELECT id, peer, sealed FROM message WHERE peer = ? AND id > ? ORDER BY id LIMIT ?",
                [peer.row, position?.row ?? Int64.min, max(0, limit)])
        }
    }

    /// How many messages there are, with one peer or with all.
    public func messageCount(with peer: PeerID? = nil) async throws(StoreError) -> Int {
        try await read { database in
            if let peer {
                try Int.fetchOne(
                    database, sql: "SELECT count(*) FROM message WHERE peer = ?", arguments: [peer.row]) ?? 0
            } else {
                try Int.fetchOne(database, sql: "SELECT count(*) FROM message") ?? 0
            }
        }
    }

    /// Everything that was said, oldest first, with one peer or with all, in little memory. Messages that come while it
    /// is read are at its end.
    public func history(with peer: PeerID? = nil) -> MessageHistory {
        MessageHistory(store: self, peer: peer)
    }

    fileprivate func page(
        of peer: PeerID?, after position: MessagePosition?
    ) async throws(StoreError) -> [StoredMessage] {
        let cipher = keys.messages
        let start = position?.row ?? Int64.min
        return try await read { database in
            if let peer {
                try Self.messages(
                    database, cipher,
                    sql: "SELECT id, peer, sealed FROM message WHERE peer = ? AND id > ? ORDER BY id LIMIT ?",
                    [peer.row, start, MessageHistory.pageSize], byteLimit: MessageHistory.pageBytes)
            } else {
                try Self.messages(
                    database, cipher, sql: "SELECT id, peer, sealed FROM message WHERE id > ? ORDER BY id LIMIT ?",
                    [start, MessageHistory.pageSize], byteLimit: MessageHistory.pageBytes)
            }
        }
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
