import Crypto
import Foundation
import KamuneCrypto

/// Writes a backup, entry by entry, in little memory.
final class BackupWriter {
    private(set) var summary = BackupSummary()

    private let file: FileHandle
    private let header: [UInt8]
    private let cipher: XChaCha20Poly1305
    private var random = SystemRandomSource()
    private var pending: [UInt8] = []
    private var chunk: UInt64 = 0
    private var hash = SHA256()

    /// - Parameter path: a file that is there and empty.
    init(path: String, passphrase: borrowing SecretBytes, derivation: KeyDerivation) throws {
        let salt = random.bytes(KeyDerivation.saltSize)
        header = BackupFormat.header(derivation, salt: salt)
        cipher = try BackupFormat.cipher(derivation, salt: salt, passphrase: passphrase)
        guard let file = FileHandle(forWritingAtPath: path) else { throw StoreError.accessDenied(path: path) }
        self.file = file
        try write(header)
    }

    func append(_ tag: BackupFormat.Tag, _ entry: [UInt8]) throws {
        summary.count(tag)
        var writer = RecordWriter()
        writer.append(byte: tag.rawValue)
        writer.append(bytes: entry)
        hash.update(data: writer.bytes)
        pending += writer.bytes
        var position = 0
        // A chunk is written only when there is more to come: the last one is marked.
        while pending.count - position > BackupFormat.chunkSize {
            try seal(pending[position..<(position + BackupFormat.chunkSize)], isLast: false)
            position += BackupFormat.chunkSize
        }
        pending.removeFirst(position)
    }

    /// Ends the file and has the disk keep it.
    ///
    /// - Returns: a hash over everything in it.
    func finish() throws -> [UInt8] {
        try append(.end, summary.encoded)
        try seal(pending[...], isLast: true)
        pending = []
        do {
            try file.synchronize()
            try file.close()
        } catch {
            throw Self.failure(error)
        }
        return Array(hash.finalize())
    }

    private func seal(_ plaintext: ArraySlice<UInt8>, isLast: Bool) throws {
        let nonce = XChaCha20Poly1305.Nonce.random(using: &random)
        let associatedData = BackupFormat.associatedData(header: header, chunk: chunk, isLast: isLast)
        chunk += 1
        let size = UInt32(truncatingIfNeeded: plaintext.count + XChaCha20Poly1305.overhead)
        var output = withUnsafeBytes(of: size.bigEndian) { Array($0) }
        plaintext.withUnsafeBytes {
            cipher.seal($0, nonce: nonce, associatedData: associatedData, appendingTo: &output)
        }
        try write(output)
    }

    private func write(_ bytes: [UInt8]) throws {
        do {
            try file.write(contentsOf: bytes)
        } catch {
            throw Self.failure(error)
        }
    }

    private static func failure(_ error: any Error) -> StoreError {
        StoreError(file: error, doing: "Writing the backup")
    }
}
