import GRDB
import GRDBSQLite
import Synchronization

extension Store {
    /// Searches the history, latest messages first. Hits come as they are found; the memory that it takes does not grow
    /// with the history. Every core takes part.
    public func search(_ search: MessageSearch) -> MessageSearchResults {
        MessageSearchResults(store: self, search: search)
    }

    /// The places that a search has to look at, or `nil` when there are none.
    fileprivate func searchBounds(before: MessagePosition?) async throws(StoreError) -> ClosedRange<Int64>? {
        try await read { transaction in
            let row = try Row.fetchOne(
                transaction.database, sql: "SELECT (SELECT min(id) FROM message), (SELECT max(id) FROM message)")
            guard let row, let low = Int64.fromDatabaseValue(row[0]), let high = Int64.fromDatabaseValue(row[1]) else {
                return nil
            }
            guard let before else { return low...max(low, high) }
            return before.row > low ? low...max(low, min(high, before.row - 1)) : nil
        }
    }

    /// Searches a stretch of the history, from its end.
    ///
    /// - Returns: the hits, latest first, and what is left of the stretch when the hits hold much.
    fileprivate func searchStretch(
        _ stretch: ClosedRange<Int64>, _ peer: PeerID?, _ filter: MessageFilter, _ isCancelled: CancellationFlag
    ) async throws(StoreError) -> (hits: [StoredMessage], rest: ClosedRange<Int64>?) {
        try await read { transaction in
            let cipher = transaction.tables.messages.cipher
            let marks = MarkMemory(transaction.tables.streams)
            // Without a peer the rows are taken as they lie; the plus keeps SQLite from a detour over an index.
            let columns = "SELECT id, peer, sealed, stream, number, turn FROM message"
            let statement = try transaction.database.cachedStatement(
                sql: peer == nil
                    ? "\(columns) WHERE id BETWEEN ? AND ? ORDER BY id DESC"
                    : "\(columns) INDEXED BY message_peer WHERE id BETWEEN ? AND ? AND peer = ? ORDER BY id DESC")
            var arguments: StatementArguments = [stretch.lowerBound, stretch.upperBound]
            if let peer { arguments += [peer.row] }
            try statement.setArguments(arguments)
            // SQLite's own calls: a million rows leave no time for the convenience of a row object for each.
            let rows = statement.sqliteStatement
            sqlite3_reset(rows)
            defer { sqlite3_reset(rows) }
            var place = cipher.place()
            var hits: [StoredMessage] = []
            var size = 0
            let order = RowOrder.rowDescending
            var last: Int64?
            while true {
                if isCancelled.value { throw StoreError.cancelled }
                let code = sqlite3_step(rows)
                if code == SQLITE_DONE { break }
                guard code == SQLITE_ROW else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
                let (id, owner) = (sqlite3_column_int64(rows, 0), sqlite3_column_int64(rows, 1))
                // Where a damaged file leads back to what was read, or out of the stretch.
                guard stretch.contains(id), last.map({ order.allows(id, after: $0) }) ?? true else {
                    throw cipher.damaged
                }
                last = id
                place.move(row: id, owner: owner)
                // In this order, as SQLite asks for; the memory is its own until the next step.
                let sealed = UnsafeRawBufferPointer(
                    start: sqlite3_column_blob(rows, 2), count: Int(sqlite3_column_bytes(rows, 2)))
                let judgement = try cipher.withOpened(sealed, at: place) { bytes in
                    guard let view = MessageRecordView(bytes) else { return Judgement.malformed }
                    guard
                        marks.mark(view.id, peer: owner, direction: view.direction)
                            == MessageStreams.Mark(
                                stream: sqlite3_column_int64(rows, 3), number: sqlite3_column_int64(rows, 4)),
                        view.turn(inRow: id)?.number == Self.integer(rows, 5)
                    else { return .malformed }
                    return filter.matches(view) ? .hit(MessageRecord(row: id, peer: owner, view)) : .miss
                }
                let record: MessageRecord
                switch judgement {
                case .miss: continue
                case .hit(let found): record = found
                case .malformed: throw cipher.damaged
                }
                hits.append(record.message)
                size += record.body.count + MessageHistory.overhead
                if size >= MessageSearchResults.stretchBytes, id > stretch.lowerBound {
                    return (hits, stretch.lowerBound...(id - 1))
                }
            }
            return (hits, nil)
        }
    }
}

extension Store {
    /// A column of a row, as the search reads them.
    private static func integer(_ rows: OpaquePointer?, _ column: Int32) -> Int64? {
        sqlite3_column_type(rows, column) == SQLITE_NULL ? nil : sqlite3_column_int64(rows, column)
    }
}

/// What a search makes of a record.
private enum Judgement {
    case miss
    case hit(MessageRecord)
    case malformed
}

/// Tells the readers of a search that nobody waits for them any more.
private final class CancellationFlag: Sendable {
    private let flag = Atomic(false)

    var value: Bool { flag.load(ordering: .relaxed) }

    func set() {
        flag.store(true, ordering: .relaxed)
    }
}

/// The messages that a search finds, latest first, as they are found.
public struct MessageSearchResults: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = StoredMessage
    /// What can go wrong.
    public typealias Failure = StoreError

    let store: Store
    let search: MessageSearch

    /// The first stretch is short, so that the first hits come at once; the others grow to this many places.
    fileprivate static let firstStretch: Int64 = 256
    fileprivate static let longestStretch: Int64 = 8_192

    /// A stretch is left when its hits hold so many bytes.
    fileprivate static let stretchBytes = 1 << 20

    /// Begins the search.
    public func makeAsyncIterator() -> Iterator {
        Iterator(store: store, search: search)
    }

    /// Keeps some stretches of the history being searched at once, and hands out their hits in order.
    public struct Iterator: AsyncIteratorProtocol {
        private typealias Outcome = Result<(hits: [StoredMessage], rest: ClosedRange<Int64>?), StoreError>

        private let store: Store
        private let peer: PeerID?
        private let before: MessagePosition?
        private let filter: MessageFilter
        private let lifetime = Lifetime()
        private var hits: ArraySlice<StoredMessage> = []
        private var running: ArraySlice<Task<Outcome, Never>> = []
        private var ahead: ClosedRange<Int64>?
        private var length = MessageSearchResults.firstStretch
        private var hasBegun = false

        /// How many stretches are searched at once.
        private static let width = Store.searchWidth

        fileprivate init(store: Store, search: MessageSearch) {
            self.store = store
            peer = search.peer
            before = search.before
            filter = MessageFilter(search)
        }

        /// Ends the readers when the search is dropped.
        private final class Lifetime: Sendable {
            let flag = CancellationFlag()

            deinit {
                flag.set()
            }
        }

        /// The next hit; `nil` when everything was searched.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(StoreError) -> StoredMessage? {
            if !hasBegun {
                ahead = try await store.searchBounds(before: before)
                hasBegun = true
            }
            while hits.isEmpty {
                if Task.isCancelled {
                    lifetime.flag.set()
                    throw .cancelled
                }
                fill()
                guard let task = running.popFirst() else { return nil }
                let (found, rest) = try await task.value.get()
                if let rest { running = [start(rest)] + running }
                hits = found[...]
            }
            return hits.popFirst()
        }

        private mutating func fill() {
            while running.count < Self.width, let stretch = ahead {
                // A damaged file may hold any numbers.
                let (distance, overflow) = stretch.upperBound.subtractingReportingOverflow(stretch.lowerBound)
                let start = stretch.upperBound - (overflow ? length : Swift.min(length, distance))
                ahead = start > stretch.lowerBound ? stretch.lowerBound...(start - 1) : nil
                length = Swift.min(length * 2, MessageSearchResults.longestStretch)
                running.append(self.start(start...stretch.upperBound))
            }
        }

        private func start(_ stretch: ClosedRange<Int64>) -> Task<Outcome, Never> {
            Task { [store, peer, filter, flag = lifetime.flag] in
                do throws(StoreError) {
                    return .success(try await store.searchStretch(stretch, peer, filter, flag))
                } catch {
                    return .failure(error)
                }
            }
        }
    }
}
