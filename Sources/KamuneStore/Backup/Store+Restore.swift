import Foundation
import GRDB
public import KamuneCrypto

extension Store {
    /// Makes a new store from a backup. It appears at its place whole or not at all.
    ///
    /// What was waiting to be sent when the backup was made is waiting again; a peer of ours recognizes what they have.
    ///
    /// - Parameters:
    ///   - path: the backup's.
    ///   - passphrase: the backup's.
    ///   - location: where the store is to be.
    ///   - credential: the new store's.
    @concurrent
    public static func restore(
        backup path: String, passphrase: consuming SecretBytes, to location: StoreLocation,
        credential: consuming StoreCredential
    ) async throws(StoreError) -> Store {
        try await restore(
            backup: path, passphrase: passphrase, to: location, credential: credential, derivation: .standard)
    }

    static func restore(
        backup path: String, passphrase: consuming SecretBytes, to location: StoreLocation,
        credential: consuming StoreCredential, derivation: KeyDerivation
    ) async throws(StoreError) -> Store {
        guard !location.exists else { throw .alreadyExists(path: location.path) }
        try StoreFile.makeDirectory(location.directory)
        let location = location.resolved
        try StoreFile.checkKind(location.path)
        let lock = try await StoreLock.take(location)
        StoreFile.removeUnfinished(beside: location)
        var random = SystemRandomSource()
        let aside = StoreLocation(path: StoreFile.Unfinished.restored.path(location, random.integer(UInt32.self)))
        defer {
            for path in [aside.path, aside.logPath, aside.sharedMemoryPath, aside.lockPath] { StoreFile.remove(path) }
        }
        let store = try create(at: aside, credential: credential, derivation: derivation)
        try await store.merge(backup: path, passphrase: passphrase)
        try await store.close()
        StoreFile.remove(location.logPath)
        StoreFile.remove(location.sharedMemoryPath)
        try StoreFile.move(aside.path, to: location.path, replacing: false)
        lock.release()
        let reopened = try await StoreLock.take(location)
        return try openNow(at: location, credential: credential, lock: reopened)
    }

    /// Takes over from a backup what is not here yet, all of it or, if anything goes wrong, nothing. Messages come to stand
    /// where they belong by their times. Where both know something, this store is right: its current identity, its
    /// settings, its names for peers. What was deleted here since comes back.
    ///
    /// - Returns: how much was new.
    @discardableResult
    public func merge(backup path: String, passphrase: consuming SecretBytes) async throws(StoreError) -> BackupSummary
    {
        let passphrase = SecretHolder(passphrase)
        return try await write { transaction in
            let reader: BackupReader
            do {
                reader = try BackupReader(path: path, passphrase: passphrase.secret)
            } catch let error as StoreError {
                throw error
            } catch {
                throw StoreError(file: error, doing: "Reading the backup")
            }
            let streams = transaction.tables.streams
            streams.forgetNextRow()
            var merger = try BackupMerger(transaction, path: path)
            while let (tag, entry) = try reader.next() {
                try merger.merge(tag, entry)
            }
            try merger.finish()
            streams.forgetNextRow()
            return merger.summary
        }
    }
}
