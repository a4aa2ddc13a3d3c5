import Foundation
import GRDB
import KamuneCrypto
import KamuneSystem
import Synchronization

/// The encrypted database: who the person is, whom they know, what was said, and what resumes a session.
///
/// Every record is sealed with XChaCha20-Poly1305 under keys that only the passphrase opens. Whoever takes the file learns
/// how many identities, peers, sessions and messages there are, how large they are (in classes of 64 bytes and more), in
/// which order messages were stored, which belong to one nameless peer, and how many wait for a receipt.
///
/// One handle has the store at a time; see ``StoreError/inUse(process:)``. All methods may be called from any task. A write
/// returns when it is on the disk; writes that come together share one wait for it.
public final class Store: Sendable {
    /// Where it is; `nil` for one in memory.
    public let location: StoreLocation?

    let database: any DatabaseWriter
    let tables: StoreTables
    private let writes: WriteQueue
    private let lock: StoreLock?
    private let dataKey: SecretBytes
    /// Whether the store was opened to look into it only.
    private let isReadOnly: Bool
    /// A queue, as a store in memory has it, does not say that it was closed, and must not be used then.
    private let isClosed = Atomic(false)

    /// How many connections may read at once.
    static let readerLimit = searchWidth + 3

    /// How many of them a search takes: one for each core, and one that is ready when another ends.
    static let searchWidth = ProcessInfo.processInfo.activeProcessorCount + 1

    init(
        location: StoreLocation?, database: any DatabaseWriter, lock: StoreLock?, dataKey: consuming SecretBytes,
        isReadOnly: Bool = false
    ) throws(StoreError) {
        self.location = location
        self.isReadOnly = isReadOnly
        self.database = database
        self.lock = lock
        tables = try StoreTables(dataKey: dataKey)
        self.dataKey = dataKey
        writes = WriteQueue(database, tables, path: location?.path ?? "")
        try StoreError.wrappingOpening(path: location?.path ?? "") { try Self.completeMigrations(database, tables) }
    }

    /// Does what a migration has left to be done once the store is unlocked.
    private static func completeMigrations(_ database: any DatabaseWriter, _ tables: StoreTables) throws {
        let sql = "SELECT EXISTS (SELECT 1 FROM chore WHERE id = ?)"
        guard try database.read({ try Bool.fetchOne($0, sql: sql, arguments: [Schema.aliasChore]) }) == true else {
            return
        }
        try database.write { database in
            try WriteTransaction(database, tables).makeAliases()
            try database.execute(sql: "DELETE FROM chore WHERE id = ?", arguments: [Schema.aliasChore])
        }
    }

    deinit {
        // Not left to the pool, which may let go of its files a moment later. None of its own work holds the store, so
        // this is never one of its threads.
        try? database.close()
        lock?.release()
    }

    /// The path for messages, empty in memory.
    var path: String { location?.path ?? "" }

    // MARK: Closing, passphrase

    /// Closes the store, once the writes on the way are done, and lets others open it. Everything later throws
    /// ``StoreError/closed``. Leaving it out does no harm: the store is closed when its last reference goes.
    ///
    /// A full disk is no failure here: what was stored is in the log, and is brought into the file when there is room.
    public func close() async throws(StoreError) {
        var failure: StoreError?
        if !isReadOnly {
            do throws(StoreError) {
                try await purge()
            } catch {
                if error != .diskFull { failure = error }
            }
        }
        isClosed.store(true, ordering: .sequentiallyConsistent)
        // What is in memory goes with the last who reads it.
        if !path.isEmpty { try StoreError.wrapping(path: path) { try database.close() } }
        lock?.release()
        if let failure { throw failure }
    }

    /// Changes the passphrase, or removes or sets it. One row is rewritten, and the old one is erased from the file and its
    /// log. Copies and backups that were made before open with the old one still.
    public func changeCredential(to credential: consuming StoreCredential) async throws(StoreError) {
        try await changeCredential(to: credential, derivation: .standard)
    }

    func changeCredential(
        to credential: consuming StoreCredential, derivation: KeyDerivation
    ) async throws(StoreError) {
        let vault = try Vault.seal(dataKey: dataKey, credential: credential, derivation: derivation)
        try await write { try vault.write($0.database) }
        try await purge()
    }

    /// Makes sure that whoever asks for something knows what opens the store.
    ///
    /// Takes as long as opening it. Wrong passphrases are not counted with those of ``open(at:credential:)``: whoever lets
    /// somebody guess counts them, and waits, by ``delay(afterFailures:)``.
    ///
    /// - Parameter failures: how many wrong ones whoever asks has given before, for the error.
    /// - Throws: As ``open(at:credential:)``.
    @concurrent
    public func check(
        _ credential: consuming StoreCredential, afterFailures failures: Int = 0
    ) async throws(StoreError) {
        guard location != nil else { return }
        let vault = try await read { try Vault.read($0.database) }
        do throws(StoreError) {
            _ = try vault.open(credential)
        } catch {
            guard case .wrongPassphrase = error else { throw error }
            throw .wrongPassphrase(failures: failures + 1)
        }
    }

    // MARK: Transactions

    /// Reads within one consistent view of the store. Does not wait for those who write, nor do they wait for it.
    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (ReadTransaction) throws -> Value
    ) async throws(StoreError) -> Value {
        if isClosed.load(ordering: .sequentiallyConsistent) { throw .closed }
        let tables = tables
        do {
            return try await database.read { try body(ReadTransaction($0, tables)) }
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Changes the store; what was changed is on the disk when this returns. Nobody else changes it meanwhile, so what is
    /// judged in the transaction holds when it takes effect. When `body` throws, nothing was changed.
    ///
    /// Transactions that come together share one wait for the disk.
    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (WriteTransaction) throws -> Value
    ) async throws(StoreError) -> Value {
        if isClosed.load(ordering: .sequentiallyConsistent) { throw .closed }
        if isReadOnly { throw .readOnly(path: path) }
        return try await writes.submit(body)
    }

    /// Brings the log into the file and empties it, so that of what was deleted nothing is left in either. Waits for the
    /// reads on the way.
    func purge() async throws(StoreError) {
        do {
            try await database.barrierWriteWithoutTransaction { database in
                _ = try database.checkpoint(.truncate)
            }
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Checks the whole file: its structure, and that every record opens where it stands and is found where it belongs.
    /// Takes a while for a large store.
    ///
    /// - Throws: ``StoreError/damaged(what:)`` at the first fault.
    public func verify() async throws(StoreError) {
        try await read { transaction in
            try transaction.checkStructure()
            try transaction.tables.verify(in: transaction)
        }
    }
}
