import GRDB
import KamuneCrypto

/// The one row that holds the data key, sealed with the key that the passphrase yields. Changing the passphrase rewrites
/// this row and nothing else.
struct Vault: Equatable, Sendable {
    /// Whether a passphrase is needed.
    var isProtected: Bool
    var derivation: KeyDerivation
    var salt: [UInt8]
    /// The data key, sealed; the associated data covers the fields above.
    var sealedKey: [UInt8]

    /// Seals a data key.
    static func seal(
        dataKey: borrowing SecretBytes, credential: borrowing StoreCredential, derivation: KeyDerivation
    ) throws(StoreError) -> Vault {
        var random = SystemRandomSource()
        var vault = Vault(
            isProtected: false, derivation: derivation, salt: random.bytes(KeyDerivation.saltSize), sealedKey: [])
        switch credential {
        case .passphrase: vault.isProtected = true
        case .unprotected: vault.isProtected = false
        }
        let cipher = try vault.cipher(credential)
        let nonce = XChaCha20Poly1305.Nonce.random(using: &random)
        let header = vault.header
        vault.sealedKey = dataKey.withUnsafeBytes { key in
            var output: [UInt8] = []
            cipher.seal(key, nonce: nonce, associatedData: header, appendingTo: &output)
            return output
        }
        return vault
    }

    /// Opens the data key. A wrong passphrase is reported with `failures` 0: counting them is the caller's.
    func open(_ credential: borrowing StoreCredential) throws(StoreError) -> SecretBytes {
        switch credential {
        case .passphrase: guard isProtected else { throw .notProtected }
        case .unprotected: guard !isProtected else { throw .passphraseRequired }
        }
        guard salt.count == KeyDerivation.saltSize,
            sealedKey.count == StoreTables.dataKeySize + XChaCha20Poly1305.overhead
        else { throw .damaged(what: "the record of the key") }
        let cipher = try cipher(credential)
        do {
            var key = try cipher.open(sealedKey, associatedData: header)
            defer { key.withUnsafeMutableBytes { erase($0) } }
            return SecretBytes(copying: key)
        } catch {
            // An altered record looks the same as a wrong passphrase; without one, only the former is left.
            throw isProtected ? .wrongPassphrase(failures: 0) : .damaged(what: "the record of the key")
        }
    }

    private func cipher(_ credential: borrowing StoreCredential) throws(StoreError) -> XChaCha20Poly1305 {
        let key: SecretBytes
        switch credential {
        case .passphrase(let passphrase):
            guard passphrase.count > 0 else { throw .emptyPassphrase }
            key = try derivation.derive(passphrase: passphrase, salt: salt)
        case .unprotected:
            // Public, and so no secret: it lets an unprotected store have the same shape as any other.
            key = HKDFSHA512.derive(
                secret: SecretBytes(copying: Array("kamune/store/v1/unprotected".utf8)), salt: salt, info: [],
                count: KeyDerivation.keySize)
        }
        do {
            return try XChaCha20Poly1305(key: key)
        } catch {
            throw .misuse(reason: "a key of the wrong size")
        }
    }

    private var header: [UInt8] {
        var writer = RecordWriter()
        writer.append(text: "kamune/store/v1/vault")
        writer.append(flag: isProtected)
        writer.append(Int64(derivation.cost))
        writer.append(Int64(derivation.blockSize))
        writer.append(Int64(derivation.parallelism))
        writer.append(bytes: salt)
        return writer.bytes
    }

    // MARK: In the database

    /// Reads it.
    static func read(_ database: Database) throws -> Vault {
        let row = try Row.fetchOne(
            database, sql: "SELECT protected, cost, block, parallelism, salt, sealed FROM vault WHERE id = 1")
        guard let row, let isProtected = Int.fromDatabaseValue(row[0]), let cost = Int.fromDatabaseValue(row[1]),
            let block = Int.fromDatabaseValue(row[2]), let parallelism = Int.fromDatabaseValue(row[3]),
            let salt = [UInt8].read(row, 4), let sealed = [UInt8].read(row, 5)
        else { throw StoreError.damaged(what: "the record of the key") }
        return Vault(
            isProtected: isProtected != 0,
            derivation: KeyDerivation(cost: cost, blockSize: block, parallelism: parallelism),
            salt: salt, sealedKey: sealed)
    }

    /// Writes it, in place of the one before.
    func write(_ database: Database) throws {
        try database.execute(
            sql: """
                INSERT OR REPLACE INTO vault (id, protected, cost, block, parallelism, salt, sealed)
                VALUES (1, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                isProtected ? 1 : 0, derivation.cost, derivation.blockSize, derivation.parallelism, salt.databaseData,
                sealedKey.databaseData,
            ])
    }
}
