import KamuneCrypto
import KamuneTestSupport

@testable import KamuneStore

/// The input is what a backup says within its chunks: the target seals it, since a fuzzer guesses no key, and cuts it as the
/// input wants. Reading it ends in a typed error, or in what the end says that there is.
func fuzzBackup(_ input: [UInt8]) throws {
    var choices = Choices(input)
    let size = 1 + choices.below(256) * (1 + choices.below(16))
    let (marksEnd, isAltered) = (choices.below(8) != 0, choices.below(8) == 1)
    var key = SeededRandom(1)
    let secret = SecretBytes.random(count: XChaCha20Poly1305.keySize, using: &key)
    let sealer = try XChaCha20Poly1305(key: secret)
    let opener = try XChaCha20Poly1305(key: secret)
    let header = BackupFormat.magic
    // What is to be altered comes before the entries, which take all the rest.
    var changes = Choices(isAltered ? choices.bytes() : [])
    var plaintext = choices.remaining()[...]
    var chunk: UInt64 = 0
    var file: [UInt8] = []
    repeat {
        let part = Array(plaintext.prefix(size))
        plaintext = plaintext.dropFirst(size)
        let frame = sealer.seal(
            part, nonce: .random(using: &key),
            associatedData: BackupFormat.associatedData(
                header: header, chunk: chunk, isLast: marksEnd && plaintext.isEmpty))
        file += [0, 0, UInt8(frame.count >> 8), UInt8(frame.count & 0xff)] + frame
        chunk += 1
    } while !plaintext.isEmpty
    if isAltered { file = changes.mutated(file) }

    var rest = file[...]
    let reader = BackupReader(path: "backup", header: header, cipher: opener) { count in
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }
    var entries = 0
    do {
        while let (tag, entry) = try reader.next() {
            entries += 1
            try expect(entry.count <= file.count, "an entry is larger than the backup")
            _ = try? BackupEntry.decode(tag, entry)
        }
    } catch let error as StoreError {
        switch error {
        case .damaged, .truncated: return
        case .wrongPassphrase: return try expect(entries == 0, "a passphrase that was right is wrong")
        default: throw Finding(description: "\(error) of a backup")
        }
    }
    try expect(marksEnd && rest.isEmpty, "a backup without its end was taken for whole")
    let summary = reader.counted
    let counted =
        summary.identities + summary.peers + summary.sessions + summary.settings + summary.messages + summary.contacts
    try expect(counted == entries, "a backup counts wrong")
}

/// Records are sealed, but a backup brings them from elsewhere. What is read can be written, and is read as the same again.
func fuzzRecords(_ input: [UInt8]) throws {
    var choices = Choices(input)
    let kind = choices.below(5)
    let bytes = choices.remaining()
    switch kind {
    case 0:
        guard let record = try? MessageRecord(row: 1, peer: 2, decoding: bytes) else { return }
        let encoded = record.encoded()
        let again = try MessageRecord(row: 1, peer: 2, decoding: encoded)
        try expect(again.encoded() == encoded && again.body == record.body, "a message changes when it is stored")
        try expect(encoded.count == SizeClass.size(for: encoded.count), "a size tells more than its class")
    case 1:
        guard let peer = try? StoredPeer(id: PeerID(row: 1), decoding: bytes) else { return }
        let again = try StoredPeer(id: PeerID(row: 1), decoding: peer.encoded())
        try expect(again.key == peer.key && again.formerKeys.map(\.key) == peer.formerKeys.map(\.key), "a key changes")
        try expect(again.givenName == peer.givenName && again.ownName == peer.ownName, "a name changes")
        try expect(again.isBlocked == peer.isBlocked, "a peer is let in by being stored")
    case 2:
        guard let identity = try? StoredIdentity(id: IdentityID(row: 1), decoding: bytes) else { return }
        let again = try StoredIdentity(id: IdentityID(row: 1), decoding: identity.encoded())
        try expect(again.publicKey == identity.publicKey, "an identity changes")
        try expect(again.statement == identity.statement, "a statement changes")
        try expect(again.privateKey?.publicKey ?? identity.publicKey == identity.publicKey, "a key of somebody else")
    case 3:
        let (id, peer) = (SessionID(row: 1), PeerID(row: 2))
        guard let session = try? StoredSession(id: id, peer: peer, decoding: bytes) else { return }
        let again = try StoredSession(id: id, peer: peer, decoding: session.encoded())
        try expect(again.identifier == session.identifier && again.name == session.name, "a session changes")
    default:
        guard let (derivation, _) = try? BackupFormat.parse(bytes, path: "backup"), derivation.isAcceptable else {
            return
        }
        try expect(128 * derivation.cost * derivation.blockSize <= 512 << 20, "a backup may ask for all memory")
    }
}

/// Whatever the words and the text are, the quick way through a text of ASCII alone finds what the way through any text
/// does.
func fuzzSearch(_ input: [UInt8]) throws {
    var choices = Choices(input)
    let wholeWords = choices.below(2) == 1
    let words = String(decoding: Array(choices.bytes().prefix(64)), as: UTF8.self)
    let text = choices.remaining()
    let matcher = MessageMatcher(words, wholeWords: wholeWords)
    let found = text.withUnsafeBytes { matcher.matches($0) }
    try expect(found || !matcher.matchesEverything, "without words, not everything is found")
    guard text.allSatisfy({ $0 < 0x80 }) else { return }
    // With a word of its own in front, which is no ASCII, the text takes the other way.
    let longer = Array("\u{4E2D} ".utf8) + text
    let foundLonger = longer.withUnsafeBytes { matcher.matches($0) }
    let needsIt = words.unicodeScalars.contains("\u{4E2D}")
    try expect(found == foundLonger || needsIt, "“\(words)” is found in one way and not in the other")
}
