import Crypto
import KamuneCrypto

/// The keys of one store, all derived from its data key: for every table one that seals and one that makes lookup values.
final class StoreKeys: Sendable {
    let identities: RecordCipher
    let peers: RecordCipher
    let sessions: RecordCipher
    let messages: RecordCipher
    let tokens: RecordCipher
    let settings: RecordCipher

    /// The size of a data key in bytes.
    static let dataKeySize = 32

    init(dataKey: borrowing SecretBytes) throws(StoreError) {
        let root = HKDFSHA512.extract(secret: dataKey, salt: Array("kamune/store/v1".utf8))
        identities = try RecordCipher(table: Schema.identity, root: root)
        peers = try RecordCipher(table: Schema.peer, root: root)
        sessions = try RecordCipher(table: Schema.session, root: root)
        messages = try RecordCipher(table: Schema.message, root: root)
        tokens = try RecordCipher(table: Schema.token, root: root)
        settings = try RecordCipher(table: Schema.setting, root: root)
    }
}
