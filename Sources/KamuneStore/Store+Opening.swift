import Foundation
import GRDB
import KamuneCrypto
import KamuneSystem

// Making stores, and opening them.

extension Store {
    /// Makes a new store, with mode 0600, and opens it. It appears at its place whole or not at all.
    ///
    /// Takes some hundreds of milliseconds and 128 MiB for the passphrase.
    ///
    /// - Throws: ``StoreError/alreadyExists(path:)`` when there is anything at the path.
    @concurrent
    public static func create(
        at location: StoreLocation, credential: consuming StoreCredential
    ) async throws(StoreError) -> Store {
        try StoreFile.makeDirectory(location.directory)
        let location = location.resolved
        try StoreFile.checkKind(location.path)
        let lock = try await StoreLock.take(location)
        return try create(at: location, credential: credential, derivation: .standard, lock: lock)
    }

    /// Opens a store.
    ///
    /// Takes some hundreds of milliseconds and 128 MiB for the passphrase.
    ///
    /// - Throws: ``StoreError``. After ``StoreError/wrongPassphrase(failures:)`` the caller should wait for
    ///   ``delay(afterFailures:)`` before it lets a person try again.
    @concurrent
    public static func open(
        at location: StoreLocation, credential: consuming StoreCredential
    ) async throws(StoreError) -> Store {
        let location = location.resolved
        let lock = try await lock(location, isReadOnly: false)
        return try openNow(at: location, credential: credential, lock: lock)
    }

    /// Opens a store, or makes one where there is nothing yet, with mode 0600.
    ///
    /// - Throws: As ``open(at:credential:)`` and ``create(at:credential:)``.
    @concurrent
    public static func openOrCreate(
        at location: StoreLocation, credential: consuming StoreCredential
    ) async throws(StoreError) -> Store {
        location.resolved.exists
            ? try await open(at: location, credential: credential)
            : try await create(at: location, credential: credential)
    }

    /// Opens a store to look into it: its bytes stay as they are, and every attempt to change something ends in
    /// ``StoreError/readOnly(path:)``. It is locked like any other. It may be on a disk that cannot be written; then nothing
    /// may have been left in its log.
    @concurrent
    public static func openForReading(
        at location: StoreLocation, credential: consuming StoreCredential
    ) async throws(StoreError) -> Store {
        let location = location.resolved
        let lock = try await lock(location, isReadOnly: true)
        return try openNow(at: location, credential: credential, isReadOnly: true, lock: lock)
    }

    /// Whether a store can be opened to be written: not on a disk that can only be read.
    public static func isWritable(at location: StoreLocation) -> Bool {
        let location = location.resolved
        return StoreFile.isWritable(location.path) && StoreFile.isWritable(location.directory)
    }

    /// Makes a store that is gone when the last reference to it goes: for conversations that leave no trace, and for tests.
    /// Nothing of it is ever written to a disk. What grows with a long conversation is for ``trimHistory(with:keeping:)``.
    ///
    /// - Parameter other: whose peers are known here too, as they are now. Nothing goes back.
    public static func inMemory(knowingPeersOf other: Store) async throws(StoreError) -> Store {
        let (peers, contacts, terms) = try await other.read {
            (try $0.peers(), try $0.tables.contacts.all(in: $0), try $0.peerTerms())
        }
        let store = try inMemory()
        try await store.write { transaction in
            for peer in peers { try transaction.insert(peer) }
            for contact in contacts { try transaction.tables.contacts.insert(contact, in: transaction) }
        }
        try await store.setPeerTerms(terms)
        return store
    }

    /// Makes a store that is gone when the last reference to it goes, and knows nobody.
    public static func inMemory() throws(StoreError) -> Store {
        var random = SystemRandomSource()
        let dataKey = SecretBytes.random(count: StoreTables.dataKeySize, using: &random)
        let queue = try StoreError.wrapping { () throws -> DatabaseQueue in
            let queue = try DatabaseQueue(configuration: configuration(lock: nil))
            try Schema.migrator.migrate(queue)
            return queue
        }
        return try Store(location: nil, database: queue, lock: nil, dataKey: dataKey)
    }

    /// Which process has a store open: nil when none has, and a number that is nil when it is not known.
    public static func holder(of location: StoreLocation) -> Int32?? {
        do throws(StoreError) {
            let lock = try StoreLock(location.resolved, isReadOnly: true)
            lock.release()
            return nil
        } catch .inUse(let process) {
            return .some(process)
        } catch {
            return nil
        }
    }

    /// How long a person has to wait after so many wrong passphrases in a row: nothing for the first five, then one second,
    /// doubling up to a minute.
    public static func delay(afterFailures failures: Int) -> Duration {
        guard failures >= 5 else { return .zero }
        return .seconds(min(60, 1 << min(failures - 5, 6)))
    }

    /// How many wrong passphrases were given in a row, also by earlier processes.
    public static func passphraseFailures(at location: StoreLocation) -> Int {
        StoreLock.failures(of: location)
    }

    /// As ``create(at:credential:)``, with the cost of the key derivation.
    ///
    /// - Parameter lock: the store's, if it was taken before.
    static func create(
        at location: StoreLocation, credential: borrowing StoreCredential, derivation: KeyDerivation,
        lock: StoreLock? = nil
    ) throws(StoreError) -> Store {
        try StoreFile.makeDirectory(location.directory)
        let location = location.resolved
        try StoreFile.checkKind(location.path)
        let lock = if let lock { lock } else { try StoreLock(location) }
        StoreFile.removeUnfinished(beside: location)
        guard !location.exists else { throw .alreadyExists(path: location.path) }
        var random = SystemRandomSource()
        let dataKey = SecretBytes.random(count: StoreTables.dataKeySize, using: &random)
        let vault = try Vault.seal(dataKey: dataKey, credential: credential, derivation: derivation)
        let aside = StoreFile.Unfinished.new.path(location, random.integer(UInt32.self))
        defer {
            for suffix in StoreFile.suffixes { StoreFile.remove(aside + suffix) }
        }
        try StoreFile.create(aside)
        try StoreError.wrapping(path: location.path) {
            let queue = try DatabaseQueue(path: aside, configuration: configuration(lock: nil))
            try queue.writeWithoutTransaction { database in
                // Nobody takes up what is not finished, so there is nothing to go back to.
                try database.execute(sql: "PRAGMA journal_mode = MEMORY")
                try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
            }
            try Schema.migrator.migrate(queue)
            try queue.write { try vault.write($0) }
            try queue.close()
        }
        // A log of an earlier store must not be played into this one.
        StoreFile.remove(location.logPath)
        StoreFile.remove(location.sharedMemoryPath)
        try StoreFile.move(aside, to: location.path, replacing: false)
        try lock.lockDatabase()
        lock.failures = 0
        let pool = try openDatabase(location, lock: lock)
        return try Store(location: location, database: pool, lock: lock, dataKey: dataKey)
    }

    /// As ``open(at:credential:)``.
    ///
    /// - Parameter lock: the store's, if it was taken before.
    static func openNow(
        at location: StoreLocation, credential: borrowing StoreCredential, isReadOnly: Bool = false,
        lock: StoreLock? = nil
    ) throws(StoreError) -> Store {
        let location = location.resolved
        if lock == nil { try check(location, isReadOnly: isReadOnly) }
        let lock = if let lock { lock } else { try StoreLock(location, isReadOnly: isReadOnly) }
        if !isReadOnly { StoreFile.removeUnfinished(beside: location) }
        do throws(StoreError) {
            let pool: any DatabaseWriter =
                isReadOnly ? try openUnchanged(location, lock: lock) : try openDatabase(location, lock: lock)
            do throws(StoreError) {
                let vault = try StoreError.wrappingOpening(path: location.path) {
                    try pool.read { try Vault.read($0) }
                }
                let dataKey = try vault.open(credential)
                lock.failures = 0
                return try Store(
                    location: location, database: pool, lock: lock, dataKey: dataKey, isReadOnly: isReadOnly)
            } catch {
                try? pool.close()
                throw error
            }
        } catch {
            defer { lock.release() }
            guard case .wrongPassphrase = error else { throw error }
            lock.failures += 1
            throw .wrongPassphrase(failures: lock.failures)
        }
    }

    /// Takes the lock of a store that is to be opened, once there is nothing else against that.
    private static func lock(
        _ location: StoreLocation, isReadOnly: Bool
    ) async throws(StoreError) -> StoreLock {
        try check(location, isReadOnly: isReadOnly)
        return try await StoreLock.take(location, isReadOnly: isReadOnly)
    }

    private static func check(_ location: StoreLocation, isReadOnly: Bool) throws(StoreError) {
        try StoreFile.checkKind(location.path)
        guard location.exists else { throw .notFound(path: location.path) }
        try StoreFile.checkPermissions(location)
        try StoreFile.checkHeader(location)
        guard isReadOnly || isWritable(at: location) else { throw .readOnly(path: location.path) }
    }

    private static func openDatabase(_ location: StoreLocation, lock: StoreLock) throws(StoreError) -> DatabasePool {
        try StoreError.wrappingOpening(path: location.path) {
            let pool = try DatabasePool(path: location.path, configuration: configuration(lock: lock))
            var isReady = false
            defer { if !isReady { try? pool.close() } }
            try pool.writeWithoutTransaction { database in
                try Schema.check(database)
                // The pool lowers this; but what is acknowledged must survive a power cut.
                try database.execute(sql: "PRAGMA synchronous = FULL")
            }
            try Schema.migrator.migrate(pool)
            try pool.barrierWriteWithoutTransaction { database in
                if try Erasure.isScheduled(database) { try Erasure.perform(database) }
            }
            isReady = true
            return pool
        }
    }

    /// Opens the database without writing a byte to it. A pool would: it makes sure of its log by a write.
    private static func openUnchanged(_ location: StoreLocation, lock: StoreLock) throws(StoreError) -> DatabaseQueue {
        try StoreError.wrappingOpening(path: location.path) {
            var configuration = configuration(lock: lock)
            configuration.readonly = true
            let queue = try DatabaseQueue(path: try unchangedPath(location), configuration: configuration)
            try queue.read { try Schema.check($0) }
            if try queue.read({ try Schema.isComplete($0) }) { return queue }
            // The file stays as it is until the store is opened to be written; a copy in memory is what it will be then.
            configuration.readonly = false
            let copy = try DatabaseQueue.inMemoryCopy(
                fromPath: try unchangedPath(location), configuration: configuration)
            try queue.close()
            try Schema.migrator.migrate(copy)
            return copy
        }
    }

    /// By which SQLite finds a database that it is to read. It makes a log, and its index, for one who only reads too; where
    /// that cannot be, it is told that nobody changes the file, by a URI (SQLite: "Uniform Resource Identifiers"), which every
    /// system's library takes that we know of. Then it looks at no log.
    private static func unchangedPath(_ location: StoreLocation) throws(StoreError) -> String {
        if StoreFile.isWritable(location.directory) { return location.path }
        guard StoreFile.size(of: location.logPath) == 0 else { throw .readOnly(path: location.path) }
        let plain = location.path.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                String(UnicodeScalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return "file:\(plain.joined())?immutable=1"
    }

    private static func configuration(lock: StoreLock?) -> Configuration {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        configuration.maximumReaderCount = readerLimit
        configuration.busyMode = .timeout(5)
        configuration.label = "kamune.store"
        configuration.prepareDatabase { database in
            // The connections keep the lock: it is let go after the last of them is gone.
            withExtendedLifetime(lock) {}
            // What is deleted is overwritten, and nothing is written to other files on the side.
            try database.execute(sql: "PRAGMA secure_delete = ON")
            try database.execute(sql: "PRAGMA temp_store = MEMORY")
            try database.execute(sql: "PRAGMA cache_size = -4096")
            // A damaged file must not lead the library astray (SQLite: "Defense Against The Dark Arts").
            try database.execute(sql: "PRAGMA trusted_schema = OFF")
            try database.execute(sql: "PRAGMA cell_size_check = ON")
            // Apple's systems alone need it, and the others ignore it.
            try database.execute(sql: "PRAGMA fullfsync = ON")
            try database.execute(sql: "PRAGMA checkpoint_fullfsync = ON")
        }
        return configuration
    }
}
