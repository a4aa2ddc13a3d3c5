/// What an entry of a backup holds. The numbers in it are those of the store that it was made from.
enum BackupEntry {
    case identity(StoredIdentity)
    case peer(StoredPeer)
    case contact(ContactRecord)
    case session(StoredSession)
    case setting(name: String, value: [UInt8])
    case message(MessageRecord)

    /// Reads an entry. Total: whatever the bytes are, it ends in a value or an error.
    ///
    /// - Returns: `nil` for the entry that ends a backup.
    static func decode(_ tag: BackupFormat.Tag, _ bytes: [UInt8]) throws(RecordReader.Malformed) -> BackupEntry? {
        do {
            var reader = RecordReader(bytes)
            switch tag {
            case .identity:
                let id = IdentityID(row: try reader.integer())
                return .identity(try StoredIdentity(id: id, decoding: Array(bytes.dropFirst(8))))
            case .peer:
                let id = PeerID(row: try reader.integer())
                return .peer(try StoredPeer(id: id, decoding: Array(bytes.dropFirst(8))))
            case .contact:
                let peer = try reader.integer()
                return .contact(try ContactRecord(peer: peer, decoding: Array(bytes.dropFirst(8))))
            case .session:
                let id = SessionID(row: try reader.integer())
                let peer = PeerID(row: try reader.integer())
                return .session(try StoredSession(id: id, peer: peer, decoding: Array(bytes.dropFirst(16))))
            case .setting:
                return .setting(name: try reader.text(), value: try reader.byteString())
            case .message:
                let peer = try reader.integer()
                return .message(try MessageRecord(row: 0, peer: peer, decoding: Array(bytes.dropFirst(8))))
            case .end:
                return nil
            }
        } catch {
            // Or a key in it is none.
            throw RecordReader.Malformed()
        }
    }
}
