public import Foundation
import GRDB
public import KamuneCrypto

extension Store {
    /// All identities, oldest first, retired ones too.
    public func identities() async throws(StoreError) -> [StoredIdentity] {
        let cipher = keys.identities
        return try await read { try Self.identities($0, cipher) }.sorted { $0.created < $1.created }
    }

    /// The identity in use; `nil` before there is one.
    public func currentIdentity() async throws(StoreError) -> StoredIdentity? {
        try await identities().first { $0.isCurrent }
    }

    /// Stores an identity and makes it the one in use; the one before is retired.
    ///
    /// - Parameters:
    ///   - name: the name that the person gives themselves.
    ///   - now: by this machine's clock.
    ///   - statement: by which the identity before names it, if it does.
    /// - Throws: ``StoreError/conflict(what:)`` when it is there already.
    @discardableResult
    public func add(
        _ identity: Identity, name: String, at now: Date, statement: [UInt8]? = nil
    ) async throws(StoreError) -> StoredIdentity {
        let cipher = keys.identities
        return try await writes.submit { database in
            let all = try Self.identities(database, cipher)
            guard !all.contains(where: { $0.publicKey == identity.publicKey }) else {
                throw StoreError.conflict(what: "identity")
            }
            for var other in all where other.isCurrent {
                other.isCurrent = false
                other.retired = now
                try Self.update(database, cipher, other)
            }
            let stored = StoredIdentity(
                id: IdentityID(row: try Self.unusedRow(database, cipher)), publicKey: identity.publicKey,
                privateKey: identity, name: name, created: now, retired: nil, isCurrent: true, statement: statement)
            try Self.insert(database, cipher, stored)
            return stored
        }
    }

    /// Changes the name that the person gives themselves.
    public func rename(_ id: IdentityID, to name: String) async throws(StoreError) {
        let cipher = keys.identities
        try await writes.submit { database in
            var identity = try Self.identity(database, cipher, id)
            identity.name = name
            try Self.update(database, cipher, identity)
        }
    }

    /// Erases a retired identity's private key; its public key and statement stay, so that peers can still be shown the
    /// way from it. When it returns, the bytes are gone from the file and its log. Backups made before have it still.
    ///
    /// - Throws: ``StoreError/misuse(reason:)`` for the one in use.
    public func erasePrivateKey(of id: IdentityID) async throws(StoreError) {
        let cipher = keys.identities
        try await writes.submit { database in
            let identity = try Self.identity(database, cipher, id)
            guard !identity.isCurrent else { throw StoreError.misuse(reason: "the identity is in use") }
            let erased = StoredIdentity(
                id: id, publicKey: identity.publicKey, privateKey: nil, name: identity.name, created: identity.created,
                retired: identity.retired, isCurrent: false, statement: identity.statement)
            try Self.update(database, cipher, erased)
            try Self.scheduleErasure(database)
        }
        try await eraseDeleted()
    }

    // MARK: In the database

    static func identities(_ database: Database, _ cipher: RecordCipher) throws -> [StoredIdentity] {
        var place = cipher.place()
        let rows = try Row.fetchCursor(database, sql: "SELECT id, 0, sealed, lookup FROM identity")
        var identities: [StoredIdentity] = []
        while let row = try rows.next() {
            var bytes = try cipher.open(row, at: &place)
            defer { bytes.withUnsafeMutableBytes { erase($0) } }
            let identity = try cipher.decoding { try StoredIdentity(id: IdentityID(row: row[0]), decoding: bytes) }
            guard [UInt8].read(row, 3) == cipher.lookup(identity.publicKey.spki) else { throw cipher.damaged }
            identities.append(identity)
        }
        return identities
    }

    private static func identity(
        _ database: Database, _ cipher: RecordCipher, _ id: IdentityID
    ) throws -> StoredIdentity {
        guard let identity = try identities(database, cipher).first(where: { $0.id == id }) else {
            throw StoreError.noSuchRecord(what: "identity")
        }
        return identity
    }

    static func insert(_ database: Database, _ cipher: RecordCipher, _ identity: StoredIdentity) throws {
        var bytes = identity.encoded()
        defer { bytes.withUnsafeMutableBytes { erase($0) } }
        try database.execute(
            sql: "INSERT INTO identity (id, lookup, sealed) VALUES (?, ?, ?)",
            arguments: [
                identity.id.row, cipher.lookup(identity.publicKey.spki).databaseData,
                cipher.seal(bytes, row: identity.id.row).databaseData,
            ])
    }

    private static func update(_ database: Database, _ cipher: RecordCipher, _ identity: StoredIdentity) throws {
        var bytes = identity.encoded()
        defer { bytes.withUnsafeMutableBytes { erase($0) } }
        try database.execute(
            sql: "UPDATE identity SET sealed = ? WHERE id = ?",
            arguments: [cipher.seal(bytes, row: identity.id.row).databaseData, identity.id.row])
    }
}
