import Crypto
import Foundation
import KamuneCrypto

/// Reads a backup, entry by entry, in little memory. What it returns is as it was written; that everything was there is
/// known only when ``next()`` returned `nil`.
final class BackupReader {
    private let path: String
    /// Reads so many bytes, fewer only at the end.
    private let source: (Int) throws -> [UInt8]
    private let header: [UInt8]
    private var version: Int { BackupFormat.version(of: header) }
    private let cipher: XChaCha20Poly1305
    private var buffer: [UInt8] = []
    private var position = 0
    private var chunk: UInt64 = 0
    private var ended = false
    private var summary = BackupSummary()
    private var hash = SHA256()

    /// Opens a file.
    convenience init(path: String, passphrase: borrowing SecretBytes) throws {
        guard FileManager.default.fileExists(atPath: path) else { throw StoreError.notFound(path: path) }
        guard let file = FileHandle(forReadingAtPath: path) else { throw StoreError.accessDenied(path: path) }
        // Closed when the last reference goes.
        let source = { (count: Int) in
            do {
                return [UInt8](try file.read(upToCount: count) ?? Data())
            } catch {
                throw StoreError(file: error, doing: "Reading the backup")
            }
        }
        let header = try source(BackupFormat.headerSize)
        let (derivation, salt) = try BackupFormat.parse(header, path: path)
        let cipher = try BackupFormat.cipher(derivation, salt: salt, passphrase: passphrase)
        self.init(path: path, header: header, cipher: cipher, source: source)
    }

    /// Reads what follows a header from anywhere.
    init(
        path: String, header: [UInt8], cipher: consuming XChaCha20Poly1305, source: @escaping (Int) throws -> [UInt8]
    ) {
        self.path = path
        self.header = header
        self.cipher = cipher
        self.source = source
    }

    /// The next entry; `nil` at the end, after which nothing may follow and the counts are right.
    func next() throws -> (tag: BackupFormat.Tag, entry: [UInt8])? {
        guard let rawTag = try byte() else { throw StoreError.truncated(path: path) }
        guard let tag = BackupFormat.Tag(rawValue: rawTag), tag.version <= version else { throw damaged }
        var count = 0
        var shift = 0
        while true {
            guard let byte = try byte(), shift < 35 else { throw damaged }
            count |= Int(byte & 0x7F) << shift
            if byte < 0x80 { break }
            shift += 7
        }
        guard count <= BackupFormat.entryLimit else { throw damaged }
        while buffer.count - position < count {
            guard try readChunk() else { throw damaged }
        }
        let entry = Array(buffer[position..<(position + count)])
        position += count
        var writer = RecordWriter()
        writer.append(byte: rawTag)
        writer.append(bytes: entry)
        hash.update(data: writer.bytes)
        if tag == .end {
            guard position == buffer.count, ended, entry == summary.encoded(version: version) else { throw damaged }
            return nil
        }
        summary.count(tag)
        return (tag, entry)
    }

    /// A hash over everything, after the end.
    var digest: [UInt8] { Array(hash.finalize()) }

    /// What was read so far.
    var counted: BackupSummary { summary }

    private var damaged: StoreError { .damaged(what: "the backup \(path)") }

    private func byte() throws -> UInt8? {
        if position == buffer.count, try !readChunk() { return nil }
        defer { position += 1 }
        return buffer[position]
    }

    /// Reads a chunk into the buffer; false after the last.
    private func readChunk() throws -> Bool {
        guard !ended else { return false }
        buffer.removeFirst(position)
        position = 0
        let prefix = try read(4)
        let size = prefix.reduce(0) { $0 << 8 | Int($1) }
        let limit = BackupFormat.chunkSize + XChaCha20Poly1305.overhead
        // The last chunk holds the end's entry at least, so none is empty.
        guard size > XChaCha20Poly1305.overhead, size <= limit else { throw damaged }
        let sealed = try read(size)
        // Only the last chunk may be shorter, and only a full one may be another than the last.
        var plaintext: [UInt8]?
        for isLast in [false, true] where plaintext == nil {
            let associatedData = BackupFormat.associatedData(header: header, chunk: chunk, isLast: isLast)
            plaintext = try? cipher.open(sealed, associatedData: associatedData)
            if plaintext != nil { ended = isLast }
        }
        guard let plaintext else {
            // That the first one cannot be opened has most likely a simple reason.
            throw chunk == 0 ? .wrongPassphrase(failures: 0) : damaged
        }
        if ended, try !source(1).isEmpty { throw damaged }
        chunk += 1
        buffer += plaintext
        return true
    }

    private func read(_ count: Int) throws -> [UInt8] {
        let bytes = try source(count)
        guard bytes.count == count else { throw StoreError.truncated(path: path) }
        return bytes
    }
}
