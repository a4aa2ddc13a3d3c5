import Crypto
import KamuneCrypto

/// The format of a backup, version 3. In version 1 the records of peers and sessions had fewer fields; up to version 2 there
/// were no addresses of peers.
///
/// ```
/// "KAMUNE BACKUP" 0 | version u16 = 3 | log₂ N u8 | r u8 | p u8 | salt, 32 bytes        the header
/// (size u32 | nonce, 24 bytes | ciphertext | tag, 16 bytes) …                            chunks
/// ```
///
/// The key is scrypt of the passphrase, with the header's parameters. A chunk is sealed with XChaCha20-Poly1305; its
/// associated data is the header, the chunk's number from 0 as u64, and a byte that is 1 for the last one: so chunks cannot
/// be exchanged, repeated or left out, also not at the end. Integers are most significant byte first.
///
/// The chunks' plaintexts, 64 KiB but for the last, joined, are the entries: a tag, the count of bytes, and the bytes. The
/// last entry says how many there are of each kind. Tokens for resuming are left out: one that was used since would be
/// there again.
enum BackupFormat {
    static let magic = Array("KAMUNE BACKUP".utf8) + [0]
    static let version = 3
    static let headerSize = magic.count + 2 + 3 + KeyDerivation.saltSize
    static let chunkSize = 64 * 1_024

    /// The most bytes of an entry: the largest message and what surrounds it.
    static let entryLimit = SizeClass.size(for: NewMessage.maximumSize + 65_536) + 65_536

    enum Tag: UInt8 {
        case identity = 1
        case peer = 2
        case session = 3
        case setting = 4
        case message = 5
        case end = 6
        case contact = 7

        /// The version that brought it.
        var version: Int { self == .contact ? 3 : 1 }
    }

    /// The version that a header names, if it is one.
    static func version(of header: [UInt8]) -> Int {
        header.count < headerSize ? version : Int(header[magic.count]) << 8 | Int(header[magic.count + 1])
    }

    static func header(_ derivation: KeyDerivation, salt: [UInt8]) -> [UInt8] {
        magic + [0, UInt8(version)] + [
            UInt8(truncatingIfNeeded: derivation.cost.trailingZeroBitCount),
            UInt8(truncatingIfNeeded: derivation.blockSize), UInt8(truncatingIfNeeded: derivation.parallelism),
        ] + salt
    }

    static func parse(_ header: [UInt8], path: String) throws(StoreError) -> (KeyDerivation, salt: [UInt8]) {
        guard header.starts(with: magic.prefix(header.count)), !header.isEmpty else { throw .notABackup(path: path) }
        guard header.count == headerSize else { throw .truncated(path: path) }
        let found = version(of: header)
        guard found <= version else { throw .newerVersion(found: found, supported: version) }
        let parameters = header[(magic.count + 2)...].prefix(3).map { Int($0) }
        guard found > 0, parameters[0] < 30 else { throw .damaged(what: "the header of the backup") }
        let derivation = KeyDerivation(
            cost: 1 << parameters[0], blockSize: parameters[1], parallelism: parameters[2])
        return (derivation, Array(header.suffix(KeyDerivation.saltSize)))
    }

    static func associatedData(header: [UInt8], chunk: UInt64, isLast: Bool) -> [UInt8] {
        var writer = RecordWriter()
        writer.append(chunk)
        writer.append(flag: isLast)
        return header + writer.bytes
    }

    static func cipher(
        _ derivation: KeyDerivation, salt: [UInt8], passphrase: borrowing SecretBytes
    ) throws(StoreError) -> XChaCha20Poly1305 {
        guard passphrase.count > 0 else { throw .emptyPassphrase }
        let key = HKDFSHA512.derive(
            secret: try derivation.derive(passphrase: passphrase, salt: salt), salt: [],
            info: Array("kamune/backup/v1".utf8), count: XChaCha20Poly1305.keySize)
        do {
            return try XChaCha20Poly1305(key: key)
        } catch {
            throw .misuse(reason: "a key of the wrong size")
        }
    }
}

/// How much a backup holds, or how much of it was new.
public struct BackupSummary: Sendable, Equatable {
    /// Identities.
    public var identities = 0
    /// Peers.
    public var peers = 0
    /// Sessions.
    public var sessions = 0
    /// Settings.
    public var settings = 0
    /// Messages.
    public var messages = 0
    /// Peers of whom an address is known.
    public var contacts = 0

    var encoded: [UInt8] { encoded(version: BackupFormat.version) }

    /// The entry that ends a backup.
    func encoded(version: Int) -> [UInt8] {
        var writer = RecordWriter()
        for count in [identities, peers, sessions, settings, messages] { writer.append(count: count) }
        if version >= BackupFormat.Tag.contact.version { writer.append(count: contacts) }
        return writer.bytes
    }

    mutating func count(_ tag: BackupFormat.Tag) {
        switch tag {
        case .identity: identities += 1
        case .peer: peers += 1
        case .session: sessions += 1
        case .setting: settings += 1
        case .message: messages += 1
        case .contact: contacts += 1
        case .end: break
        }
    }
}
