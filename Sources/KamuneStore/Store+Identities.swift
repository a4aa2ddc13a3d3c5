public import Foundation
import GRDB
public import KamuneCrypto
import KamuneSystem

extension Store {
    /// All identities, oldest first, retired ones too.
    public func identities() async throws(StoreError) -> [StoredIdentity] {
        try await read { try $0.identities() }
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
        try await write { try $0.add(identity, name: name, at: now, statement: statement) }
    }

    /// The private key of the identity in use. When there is none, one is made and kept, so that peers know us again.
    ///
    /// - Parameters:
    ///   - algorithm: of one that is made.
    ///   - name: of one that is made: the name that the person gives themselves.
    /// - Throws: ``StoreError``.
    public func identity(
        orNew algorithm: IdentityAlgorithm = .ed25519, name: String
    ) async throws(StoreError) -> Identity {
        if let current = try await currentIdentity()?.privateKey { return current }
        let new: Identity
        do throws(CryptoError) {
            new = try Identity.generate(algorithm)
        } catch {
            throw .system(operation: "generate a key", reason: "\(error)")
        }
        let now = SystemTime().date
        return try await write { transaction in
            if let current = try transaction.identities().first(where: \.isCurrent)?.privateKey { return current }
            _ = try transaction.add(new, name: name, at: now, statement: nil)
            return new
        }
    }

    /// Changes the name that the person gives themselves.
    public func rename(_ id: IdentityID, to name: String) async throws(StoreError) {
        try await write { transaction in
            let identity = try transaction.existingIdentity(id)
            try transaction.tables.identities.change(identity, in: transaction) { $0.name = name }
        }
    }

    /// Erases a retired identity's private key; its public key and statement stay, so that peers can still be shown the
    /// way from it. When it returns, the bytes are gone from the file and its log. Backups made before have it still.
    ///
    /// - Throws: ``StoreError/misuse(reason:)`` for the one in use.
    public func erasePrivateKey(of id: IdentityID) async throws(StoreError) {
        try await write { transaction in
            let identity = try transaction.existingIdentity(id)
            guard !identity.isCurrent else { throw StoreError.misuse(reason: "the identity is in use") }
            let erased = StoredIdentity(
                id: id, publicKey: identity.publicKey, privateKey: nil, name: identity.name, created: identity.created,
                retired: identity.retired, isCurrent: false, statement: identity.statement)
            try transaction.tables.identities.replace(identity, with: erased, in: transaction)
            try transaction.scheduleErasure()
        }
        try await eraseDeleted()
    }
}

extension ReadTransaction {
    /// All identities, oldest first, retired ones too.
    package func identities() throws -> [StoredIdentity] {
        try tables.identities.all(in: self).sorted { $0.created < $1.created }
    }

    /// An identity by its key; `nil` when there is none.
    package func identity(withKey key: PublicIdentity) throws -> StoredIdentity? {
        let identities = tables.identities
        return try identities.first(
            "WHERE lookup = ?", [identities.cipher.lookup(key.spki).databaseValue], in: self)
    }

    fileprivate func existingIdentity(_ id: IdentityID) throws -> StoredIdentity {
        guard let identity = try tables.identities.record(id.row, in: self) else {
            throw StoreError.noSuchRecord(what: "identity")
        }
        return identity
    }
}

extension WriteTransaction {
    fileprivate func add(
        _ identity: Identity, name: String, at now: Date, statement: [UInt8]?
    ) throws -> StoredIdentity {
        let identities = tables.identities
        let all = try self.identities()
        guard !all.contains(where: { $0.publicKey == identity.publicKey }) else {
            throw StoreError.conflict(what: "identity")
        }
        for other in all where other.isCurrent {
            try identities.change(other, in: self) { other in
                other.isCurrent = false
                other.retired = now
            }
        }
        let stored = StoredIdentity(
            id: IdentityID(row: try identities.unusedRow(in: self)), publicKey: identity.publicKey,
            privateKey: identity, name: name, created: now, retired: nil, isCurrent: true, statement: statement)
        try identities.insert(stored, in: self)
        return stored
    }
}
