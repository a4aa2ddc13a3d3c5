import Foundation
public import KamuneCrypto

extension Store {
    /// Writes everything but the tokens for resuming into one encrypted file with mode 0600. It is written aside, read back
    /// and compared, and only then moved into its place. Writing goes on meanwhile; the backup holds what was there when
    /// it began.
    ///
    /// - Parameters:
    ///   - path: of the file.
    ///   - passphrase: the backup's own.
    ///   - replacing: whether a file that is there already is replaced. Nothing but a plain file is, and no part of the store.
    /// - Returns: how much it holds.
    @discardableResult
    public func backup(
        to path: String, passphrase: consuming SecretBytes, replacing: Bool = false
    ) async throws(StoreError) -> BackupSummary {
        try await backup(to: path, passphrase: passphrase, replacing: replacing, derivation: .standard)
    }

    func backup(
        to path: String, passphrase: consuming SecretBytes, replacing: Bool, derivation: KeyDerivation
    ) async throws(StoreError) -> BackupSummary {
        guard replacing || !FileManager.default.fileExists(atPath: path) else { throw .alreadyExists(path: path) }
        // Before anything is read and sealed in vain.
        let spared = location?.files ?? []
        if replacing { try StoreFile.checkReplaceable(path, sparing: spared) }
        let passphrase = SecretHolder(passphrase)
        let aside = path + ".partial-" + String(tables.messages.cipher.randomInteger(), radix: 16)
        try StoreFile.create(aside)
        defer { StoreFile.remove(aside) }
        return try await read { transaction in
            let writer = try BackupWriter(path: aside, passphrase: passphrase.secret, derivation: derivation)
            try transaction.write(to: writer)
            // What was read opened and was in order; but a page that is not where it belongs may hide others.
            try transaction.checkStructure()
            let digest = try writer.finish()
            let summary: BackupSummary
            do {
                let reader = try BackupReader(path: aside, passphrase: passphrase.secret)
                while try reader.next() != nil {}
                guard reader.digest == digest else { throw StoreError.backupNotVerified }
                summary = reader.counted
            } catch {
                throw StoreError.backupNotVerified
            }
            try StoreFile.move(aside, to: path, replacing: replacing, sparing: spared)
            return summary
        }
    }

    /// Reads a whole backup and checks it.
    ///
    /// - Returns: how much it holds.
    /// - Throws: ``StoreError``, for a passphrase that is not the backup's ``StoreError/wrongPassphrase(failures:)``.
    @concurrent
    public static func verifyBackup(
        at path: String, passphrase: consuming SecretBytes
    ) async throws(StoreError) -> BackupSummary {
        let passphrase = SecretHolder(passphrase)
        return try StoreError.wrapping(path: path) {
            let reader = try BackupReader(path: path, passphrase: passphrase.secret)
            while try reader.next() != nil {}
            return reader.counted
        }
    }
}

extension ReadTransaction {
    /// Everything that a backup holds.
    fileprivate func write(to writer: BackupWriter) throws {
        for identity in try tables.identities.all(in: self) {
            try writer.append(.identity, identity.id.row, identity.encoded())
        }
        for peer in try peers() { try writer.append(.peer, peer.id.row, peer.encoded()) }
        let contacts = try tables.contacts.cursor(in: self)
        while let contact = try contacts.next() { try writer.append(.contact, contact.peer, contact.encoded()) }
        let sessions = try tables.sessions.cursor(in: self)
        while let session = try sessions.next() {
            try writer.append(.session, session.id.row, session.peer.row, session.encoded())
        }
        for setting in try tables.settings.all(in: self) where !OutputSetting.isOne(setting.name) {
            var entry = RecordWriter()
            entry.append(text: setting.name)
            entry.append(bytes: setting.value)
            try writer.append(.setting, entry.bytes)
        }
        let messages = try tables.messages.cursor(in: self)
        var outboxes: [Int64: OutboxRecord] = [:]
        for outbox in try tables.outboxes.all(in: self) { outboxes[outbox.peer] = outbox }
        while var message = try messages.next() {
            if let turn = message.turn, turn.number <= outboxes[message.peer]?.handedOverPlainly ?? 0 {
                // It may have arrived: whoever restores this does not send it again.
                message.state = .inFlight
            }
            try writer.append(.message, message.peer, message.encodedForBackup())
        }
    }
}

extension BackupWriter {
    /// Appends an entry that begins with numbers.
    func append(_ tag: BackupFormat.Tag, _ numbers: Int64..., record: [UInt8]) throws {
        var entry = RecordWriter()
        for number in numbers { entry.append(number) }
        try append(tag, entry.bytes + record)
    }

    func append(_ tag: BackupFormat.Tag, _ number: Int64, _ record: [UInt8]) throws {
        try append(tag, number, record: record)
    }

    func append(_ tag: BackupFormat.Tag, _ first: Int64, _ second: Int64, _ record: [UInt8]) throws {
        try append(tag, first, second, record: record)
    }
}

/// Carries a secret into closures, which cannot capture a type without copies.
final class SecretHolder: Sendable {
    let secret: SecretBytes

    init(_ secret: consuming SecretBytes) {
        self.secret = secret
    }
}
