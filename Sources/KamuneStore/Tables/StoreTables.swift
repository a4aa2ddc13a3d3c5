import Crypto
import KamuneCrypto

/// The tables of one store, each with its own keys, all of which derive from the data key.
final class StoreTables: Sendable {
    let identities: SealedTable<StoredIdentity>
    let peers: SealedTable<StoredPeer>
    let aliases: SealedTable<AliasRecord>
    let sessions: SealedTable<StoredSession>
    let messages: SealedTable<MessageRecord>
    let outboxes: SealedTable<OutboxRecord>
    let tokens: SealedTable<TokenRecord>
    let settings: SealedTable<SettingRecord>
    let contacts: SealedTable<ContactRecord>
    let requests: SealedTable<StoredRequest>

    /// The size of a data key in bytes.
    static let dataKeySize = 32

    init(dataKey: borrowing SecretBytes) throws(StoreError) {
        let root = HKDFSHA512.extract(secret: dataKey, salt: Array("kamune/store/v1".utf8))
        identities = try Self.table(root)
        peers = try Self.table(root)
        aliases = try Self.table(root)
        sessions = try Self.table(root)
        outboxes = try Self.table(root)
        tokens = try Self.table(root)
        settings = try Self.table(root)
        contacts = try Self.table(root)
        requests = try Self.table(root)
        let messageCipher = try RecordCipher(table: MessageRecord.table, root: root)
        messages = SealedTable(messageCipher, MessageStreams(cipher: messageCipher))
    }

    private static func table<Record: SealedRecord>(
        _ root: borrowing SecretBytes
    ) throws(StoreError) -> SealedTable<Record> where Record.Indexer == RecordCipher {
        let cipher = try RecordCipher(table: Record.table, root: root)
        return SealedTable(cipher, cipher)
    }

    /// The names of messages.
    var streams: MessageStreams { messages.indexer }

    /// Opens every record, and finds that each stands where it was written, with what belongs beside it.
    func verify(in transaction: ReadTransaction) throws {
        try Self.readThrough(identities, transaction)
        try transaction.verifyAliases()
        try Self.readThrough(sessions, transaction)
        try Self.readThrough(messages, transaction)
        try Self.readThrough(outboxes, transaction)
        try Self.readThrough(tokens, transaction)
        try Self.readThrough(settings, transaction)
        try Self.readThrough(contacts, transaction)
        try Self.readThrough(requests, transaction)
    }

    private static func readThrough<Record>(_ table: SealedTable<Record>, _ transaction: ReadTransaction) throws {
        let cursor = try table.cursor(in: transaction)
        while try cursor.next() != nil {}
    }
}
