import GRDB
import KamuneCrypto

// What each table keeps, and by what it is found there.

extension StoredIdentity: SealedRecord {
    static let table = "identity"
    static let ownerColumn: String? = nil

    var place: RecordPlace { RecordPlace(row: id.row) }

    init(at place: RecordPlace, decoding bytes: [UInt8]) throws {
        try self.init(id: IdentityID(row: place.row), decoding: bytes)
    }

    func index(_ cipher: RecordCipher) -> LookupIndex { LookupIndex(cipher.lookup(publicKey.spki)) }
}

extension StoredPeer: SealedRecord {
    static let table = "peer"
    static let ownerColumn: String? = nil

    var place: RecordPlace { RecordPlace(row: id.row) }

    init(at place: RecordPlace, decoding bytes: [UInt8]) throws {
        try self.init(id: PeerID(row: place.row), decoding: bytes)
    }

    func index(_ cipher: RecordCipher) -> LookupIndex { LookupIndex(cipher.lookup(key.spki)) }
}

extension StoredSession: SealedRecord {
    static let table = "session"
    static let ownerColumn: String? = "peer"

    var place: RecordPlace { RecordPlace(row: id.row, owner: peer.row) }

    init(at place: RecordPlace, decoding bytes: [UInt8]) throws {
        try self.init(id: SessionID(row: place.row), peer: PeerID(row: place.owner), decoding: bytes)
    }

    func index(_ cipher: RecordCipher) -> LookupIndex { LookupIndex(cipher.lookup(Array(identifier.utf8))) }
}

extension MessageRecord: SealedRecord {
    static let table = "message"
    static let ownerColumn: String? = "peer"

    var place: RecordPlace { RecordPlace(row: row, owner: peer) }

    init(at place: RecordPlace, decoding bytes: [UInt8]) throws {
        try self.init(row: place.row, peer: place.owner, decoding: bytes)
    }

    func index(_ streams: MessageStreams) -> MessageIndex {
        MessageIndex(mark: streams.mark(id, peer: peer, direction: direction), turn: turn?.number)
    }
}

/// The columns by which a message is found: its name, hidden, and its turn while it is still to be delivered.
struct MessageIndex: RecordIndex {
    var mark: MessageStreams.Mark
    var turn: Int64?

    static let columns = ["stream", "number", "turn"]
    static let uniqueColumns = ["stream", "number"]

    var values: [DatabaseValue] {
        [mark.stream.databaseValue, mark.number.databaseValue, turn?.databaseValue ?? .null]
    }

    init(mark: MessageStreams.Mark, turn: Int64?) {
        self.mark = mark
        self.turn = turn
    }

    init?(_ row: RowColumns, from column: Int) {
        guard let stream = row.integer(column), let number = row.integer(column + 1) else { return nil }
        mark = MessageStreams.Mark(stream: stream, number: number)
        turn = row.integer(column + 2)
        guard turn != nil || row.isNull(column + 2) else { return nil }
    }
}

extension OutboxRecord: SealedRecord {
    static let table = "outbox"
    static let ownerColumn: String? = nil

    var place: RecordPlace { RecordPlace(row: peer) }

    init(at place: RecordPlace, decoding bytes: [UInt8]) throws {
        try self.init(peer: place.row, decoding: bytes)
    }

    func index(_ cipher: RecordCipher) -> NoIndex { NoIndex() }
}

extension ContactRecord: SealedRecord {
    static let table = "contact"
    static let ownerColumn: String? = nil

    var place: RecordPlace { RecordPlace(row: peer) }

    init(at place: RecordPlace, decoding bytes: [UInt8]) throws {
        try self.init(peer: place.row, decoding: bytes)
    }

    func index(_ cipher: RecordCipher) -> NoIndex { NoIndex() }
}

extension StoredRequest: SealedRecord {
    static let table = "request"
    static let ownerColumn: String? = nil

    var place: RecordPlace { RecordPlace(row: id.row) }

    init(at place: RecordPlace, decoding bytes: [UInt8]) throws {
        try self.init(id: RequestID(row: place.row), decoding: bytes)
    }

    func index(_ cipher: RecordCipher) -> LookupIndex { LookupIndex(cipher.lookup(key.spki)) }
}

/// A token that resumes a session once.
struct TokenRecord {
    let row: Int64
    let session: SessionID
    let token: [UInt8]
}

extension TokenRecord: SealedRecord {
    static let table = "token"
    static let ownerColumn: String? = "session"

    var place: RecordPlace { RecordPlace(row: row, owner: session.row) }

    init(at place: RecordPlace, decoding bytes: [UInt8]) throws {
        var reader = RecordReader(bytes)
        self.init(row: place.row, session: SessionID(row: place.owner), token: try reader.byteString())
    }

    func encoded() -> [UInt8] {
        var writer = RecordWriter()
        writer.append(bytes: token)
        writer.pad()
        return writer.bytes
    }

    func index(_ cipher: RecordCipher) -> LookupIndex { Self.index(token, of: session, cipher) }

    /// What a token is found by: with its session, so that one session's tokens are nothing to another.
    static func index(_ token: [UInt8], of session: SessionID, _ cipher: RecordCipher) -> LookupIndex {
        var writer = RecordWriter()
        writer.append(session.row)
        writer.append(bytes: token)
        return LookupIndex(cipher.lookup(writer.bytes))
    }
}

/// A setting.
struct SettingRecord {
    let row: Int64
    let name: String
    var value: [UInt8]
}

extension SettingRecord: SealedRecord {
    static let table = "setting"
    static let ownerColumn: String? = nil

    private static let layout: UInt8 = 1

    var place: RecordPlace { RecordPlace(row: row) }

    init(at place: RecordPlace, decoding bytes: [UInt8]) throws {
        var reader = RecordReader(bytes)
        guard try reader.byte() == Self.layout else { throw RecordReader.Malformed() }
        self.init(row: place.row, name: try reader.text(), value: try reader.byteString())
    }

    func encoded() -> [UInt8] {
        var writer = RecordWriter(layout: Self.layout)
        writer.append(text: name)
        writer.append(bytes: value)
        writer.pad()
        return writer.bytes
    }

    func index(_ cipher: RecordCipher) -> LookupIndex { Self.index(name, cipher) }

    /// What a setting is found by.
    static func index(_ name: String, _ cipher: RecordCipher) -> LookupIndex {
        LookupIndex(cipher.lookup(Array(name.utf8)))
    }
}
