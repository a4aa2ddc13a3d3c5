import CryptoExtras
import Foundation
import KamuneCrypto

/// How a passphrase becomes a key: scrypt (RFC 7914) and its parameters, which stand beside what they protect.
struct KeyDerivation: Equatable, Sendable {
    /// The parameters N (a power of two), r and p.
    var cost: Int
    var blockSize: Int
    var parallelism: Int

    /// What new stores and backups use: 128 · N · r = 128 MiB, and some hundreds of milliseconds for one guess.
    static let standard = KeyDerivation(cost: 1 << 17, blockSize: 8, parallelism: 1)

    /// The size of a salt and of the key in bytes.
    static let saltSize = 32
    static let keySize = 32

    /// The most memory in bytes, and the most of it times `p`, that a file may ask us for: four and eight times what ours do.
    /// The parameters come from a file, which somebody may have altered, or sent us as a backup.
    private static let memoryLimit = 512 << 20
    private static let workLimit = 1 << 30

    /// Whether the parameters are within reason.
    var isAcceptable: Bool {
        guard cost >= 2, cost <= 1 << 24, cost & (cost - 1) == 0, (1...64).contains(blockSize),
            (1...64).contains(parallelism)
        else { return false }
        let memory = 128 * cost * blockSize
        return memory <= Self.memoryLimit && memory * parallelism <= Self.workLimit
    }

    /// Derives the key.
    func derive(passphrase: borrowing SecretBytes, salt: [UInt8]) throws(StoreError) -> SecretBytes {
        guard isAcceptable else { throw .damaged(what: "the parameters of the key derivation") }
        // Data on the passphrase's own memory: the library copies nothing of it.
        let key = passphrase.withUnsafeBytes { bytes -> SymmetricKey? in
            guard let base = bytes.baseAddress else { return nil }
            let data = Data(
                bytesNoCopy: UnsafeMutableRawPointer(mutating: base), count: bytes.count, deallocator: .none)
            return try? KDF.Scrypt.deriveKey(
                from: data, salt: salt, outputByteCount: Self.keySize, rounds: cost, blockSize: blockSize,
                parallelism: parallelism)
        }
        guard let key else {
            throw .system(operation: "Deriving the key", reason: "there is not enough memory")
        }
        let count = key.bitCount / 8
        return SecretBytes(unsafeUninitializedCapacity: count) { buffer in
            key.withUnsafeBytes { buffer.copyMemory(from: $0) }
        }
    }
}
