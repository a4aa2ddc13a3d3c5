import Crypto
import KamuneCrypto
import Synchronization

/// Seals the records of one table with XChaCha20-Poly1305, and makes the keyed hashes by which they are found.
///
/// The associated data names table, column, row and owner, so that a record opens only where it was written: one that was
/// moved to another row, table or peer is as good as altered.
final class RecordCipher: Sendable {
    /// The table's name.
    let table: String

    private let cipher: XChaCha20Poly1305
    private let lookupKey: SymmetricKey
    private let prefix: [UInt8]
    private let random = Mutex(SystemRandomSource())

    /// How many bytes a sealed record is longer than its plaintext.
    static let overhead = XChaCha20Poly1305.overhead

    /// The size of a lookup value in bytes: enough that no two things have the same, and nobody without the key can tell
    /// what one stands for.
    static let lookupSize = 16

    /// - Parameters:
    ///   - table: also keeps the keys of different tables apart.
    ///   - root: the extracted data key.
    init(table: String, root: borrowing SecretBytes) throws(StoreError) {
        self.table = table
        let sealingKey = HKDFSHA512.expand(
            key: root, info: Array("kamune/store/v1/seal/\(table)".utf8), count: XChaCha20Poly1305.keySize)
        do {
            cipher = try XChaCha20Poly1305(key: sealingKey)
        } catch {
            throw .misuse(reason: "a key of the wrong size")
        }
        lookupKey = HKDFSHA512.expand(key: root, info: Array("kamune/store/v1/find/\(table)".utf8), count: 64)
            .withUnsafeBytes { SymmetricKey(data: $0) }
        var prefix: [UInt8] = []
        for name in [table, Schema.sealed] {
            prefix.append(UInt8(truncatingIfNeeded: name.utf8.count))
            prefix += name.utf8
        }
        self.prefix = prefix
    }

    /// The place of a record, as associated data. One of these serves many records, without new memory for each.
    struct Place {
        fileprivate(set) var bytes: [UInt8]
        private let start: Int

        fileprivate init(prefix: [UInt8]) {
            bytes = prefix + [UInt8](repeating: 0, count: 16)
            start = prefix.count
        }

        /// - Parameters:
        ///   - row: the record's row.
        ///   - owner: the row in another table that it belongs to, or 0.
        mutating func move(row: Int64, owner: Int64) {
            let start = start
            bytes.withUnsafeMutableBytes { bytes in
                bytes.storeBytes(of: row.bigEndian, toByteOffset: start, as: Int64.self)
                bytes.storeBytes(of: owner.bigEndian, toByteOffset: start + 8, as: Int64.self)
            }
        }
    }

    /// A place, not yet set.
    func place() -> Place { Place(prefix: prefix) }

    private func place(row: Int64, owner: Int64) -> Place {
        var place = place()
        place.move(row: row, owner: owner)
        return place
    }

    /// Seals a record for its place, under a nonce of its own.
    func seal(_ plaintext: [UInt8], row: Int64, owner: Int64 = 0) -> [UInt8] {
        let nonce = random.withLock { XChaCha20Poly1305.Nonce.random(using: &$0) }
        return cipher.seal(plaintext, nonce: nonce, associatedData: place(row: row, owner: owner).bytes)
    }

    /// Opens a record at its place.
    func open(_ sealed: [UInt8], row: Int64, owner: Int64 = 0) throws(StoreError) -> [UInt8] {
        do {
            return try cipher.open(sealed, associatedData: place(row: row, owner: owner).bytes)
        } catch {
            throw damaged
        }
    }

    /// Opens a record at its place, for those who read many.
    func open(_ sealed: UnsafeRawBufferPointer, at place: borrowing Place) throws(StoreError) -> [UInt8] {
        do {
            return try cipher.open(sealed, associatedData: place.bytes)
        } catch {
            throw damaged
        }
    }

    /// Opens a record at its place and lends it, for those who read very many and keep few.
    func withOpened<Result>(
        _ sealed: UnsafeRawBufferPointer, at place: borrowing Place, _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(StoreError) -> Result {
        do {
            return try cipher.withOpened(sealed, associatedData: place.bytes, body)
        } catch {
            throw damaged
        }
    }

    /// Turns an error about the contents into one about the record.
    func decoding<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as StoreError {
            throw error
        } catch {
            throw damaged
        }
    }

    /// The error for a record that is not as it was written.
    var damaged: StoreError { .damaged(what: "a record of the table \(table)") }

    /// The lookup value of something: HMAC-SHA-512, its first 16 bytes.
    func lookup(_ bytes: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA512>.authenticationCode(for: bytes, using: lookupKey).prefix(Self.lookupSize))
    }

    /// A random row identifier of 48 bits that says nothing about order, never 0.
    func randomRow() -> Int64 {
        random.withLock { random in
            var row: Int64 = 0
            while row == 0 {
                row = Int64(random.integer(UInt64.self) >> 16)
            }
            return row
        }
    }

    /// Random bytes for other purposes.
    func randomInteger() -> UInt64 {
        random.withLock { $0.integer(UInt64.self) }
    }
}
