import GRDB
import Synchronization

/// Puts writes that arrive while another is on its way to the disk into one transaction (group commit): a burst costs few
/// waits for the disk, a single write exactly one. Whoever waits for a write learns of it only after it is durable.
final class WriteQueue: Sendable {
    private let database: any DatabaseWriter
    private let tables: StoreTables
    private let path: String
    private let state = Mutex(State())

    /// The most writes in one transaction, which bounds the size of the log.
    private static let batchLimit = 4_096

    private struct State {
        var waiting: [Write] = []
        var isRunning = false
    }

    private struct Write: Sendable {
        /// Runs within a transaction, of which it is the only write or one of several. An error ends the whole transaction.
        let perform: @Sendable (WriteTransaction, _ isAlone: Bool) throws -> Void
        /// Is called once, with the transaction's failure if it failed.
        let finish: @Sendable (StoreError?) -> Void
    }

    init(_ database: any DatabaseWriter, _ tables: StoreTables, path: String) {
        self.database = database
        self.tables = tables
        self.path = path
    }

    /// Runs a write and returns when it is durable. The write is all or nothing: what it did before throwing is undone,
    /// while the other writes of the same transaction stay. Once begun it is not cancelled.
    func submit<Value: Sendable>(
        _ body: @escaping @Sendable (WriteTransaction) throws -> Value
    ) async throws(StoreError) -> Value {
        let path = path
        let result: Result<Value, StoreError> = await withCheckedContinuation { continuation in
            let outcome = Outcome<Value>()
            enqueue(
                Write(
                    perform: { transaction, isAlone in
                        // Undoing what is alone is undoing the transaction.
                        let result =
                            isAlone
                            ? .success(try body(transaction))
                            : try Self.runInSavepoint(transaction, path: path, body)
                        outcome.set(result)
                    },
                    finish: { failure in continuation.resume(returning: outcome.result(failure)) }))
        }
        return try result.get()
    }

    /// What a write came to, before it is known whether it lasts.
    private final class Outcome<Value: Sendable>: Sendable {
        private let value = Mutex<Result<Value, StoreError>?>(nil)

        func set(_ result: Result<Value, StoreError>) {
            value.withLock { $0 = result }
        }

        func result(_ failure: StoreError?) -> Result<Value, StoreError> {
            if let failure { return .failure(failure) }
            return value.withLock { $0 } ?? .failure(.closed)
        }
    }

    private static func runInSavepoint<Value>(
        _ transaction: WriteTransaction, path: String, _ body: (WriteTransaction) throws -> Value
    ) throws -> Result<Value, StoreError> {
        let database = transaction.database
        var value: Value?
        do {
            try database.inSavepoint {
                value = try body(transaction)
                return .commit
            }
        } catch {
            let failure = StoreError(error, path: path)
            // When the disk is full, SQLite may have undone the whole transaction, the writes of others with it.
            if error is DatabaseError || !database.isInsideTransaction { throw failure }
            return .failure(failure)
        }
        guard let value else { return .failure(.closed) }
        return .success(value)
    }

    private func enqueue(_ write: Write) {
        let mustStart = state.withLock { state in
            state.waiting.append(write)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { schedule() }
    }

    private func schedule() {
        // One transaction at a time, so that others who need the writer (deleting, closing) get their turn in between.
        database.asyncWriteWithoutTransaction { database in self.commitBatch(database) }
    }

    private func commitBatch(_ database: Database) {
        var batch = state.withLock { state in
            let batch = Array(state.waiting.prefix(Self.batchLimit))
            state.waiting.removeFirst(batch.count)
            return batch
        }
        var failure: StoreError?
        do {
            try database.inTransaction(.immediate) {
                let transaction = WriteTransaction(database, tables)
                for write in batch { try write.perform(transaction, batch.count == 1) }
                return .commit
            }
        } catch {
            failure = StoreError(error, path: path)
        }
        // What the writes hold is let go of before anybody goes on: the store may be among it, and whoever waits has it until
        // then. It must not end on the thread that it waits for when it ends.
        let finishers = batch.map(\.finish)
        batch = []
        for finish in finishers { finish(failure) }
        let hasMore = state.withLock { state in
            state.isRunning = !state.waiting.isEmpty
            return state.isRunning
        }
        if hasMore { schedule() }
    }
}
