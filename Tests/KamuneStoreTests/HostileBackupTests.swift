import Foundation
import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneStore

/// A backup may come from anywhere, with its passphrase. Whatever it holds ends in one typed error; it takes no more memory
/// than a good one, and changes nothing in the store that it was to be merged into.
@Suite struct HostileBackupTests {
    private let word = "backup passphrase"
    private let salt = [UInt8](repeating: 7, count: KeyDerivation.saltSize)

    private func secret() -> SecretBytes { SecretBytes(copying: Array(word.utf8)) }

    /// A backup of these plaintexts, each a chunk of its own. What its author seals, opens.
    private func sealed(_ chunks: [[UInt8]], endsMarked: Bool = true) throws -> [UInt8] {
        let header = BackupFormat.header(cheap, salt: salt)
        let cipher = try BackupFormat.cipher(cheap, salt: salt, passphrase: secret())
        var random = SeededRandom(3)
        var file = header
        for (index, chunk) in chunks.enumerated() {
            let isLast = endsMarked && index == chunks.count - 1
            let frame = cipher.seal(
                chunk, nonce: .random(using: &random),
                associatedData: BackupFormat.associatedData(header: header, chunk: UInt64(index), isLast: isLast))
            file += withUnsafeBytes(of: UInt32(frame.count).bigEndian) { Array($0) } + frame
        }
        return file
    }

    private func entry(_ tag: BackupFormat.Tag, _ bytes: [UInt8], count: Int? = nil) -> [UInt8] {
        RecordWriter.bytes { writer in
            writer.append(byte: tag.rawValue)
            writer.append(count: count ?? bytes.count)
        } + bytes
    }

    private func end(_ change: (inout BackupSummary) -> Void = { _ in }) -> [UInt8] {
        var summary = BackupSummary()
        change(&summary)
        return entry(.end, summary.encoded)
    }

    private func peer(_ seed: UInt64, row: Int64) throws -> [UInt8] {
        let peer = StoredPeer(
            id: PeerID(row: row), key: try key(seed), givenName: "bob", ownName: nil, version: "", capabilities: [],
            firstSeen: noon, lastSeen: noon, accepted: noon, verified: nil, isBlocked: false, formerKeys: [])
        return RecordWriter.bytes { $0.append(row) } + peer.encoded()
    }

    private func message(peer: Int64, number: UInt64 = 1) -> [UInt8] {
        let message = NewMessage.incoming(from: PeerID(row: 0), body: Array("hello".utf8), sent: noon, received: noon)
        let record = MessageRecord(message, id: MessageID(stream: 1, number: number), row: 0)
        return RecordWriter.bytes { $0.append(peer) } + record.encoded()
    }

    @Test func contents() async throws {
        let folder = try Folder()
        let store = try Store.inMemory()
        _ = try await store.hear("here before", from: try await store.addPeer(9))
        func attempt(_ file: [UInt8]) async throws -> StoreError? {
            try folder.write(file, to: "backup")
            do {
                try await store.merge(backup: folder.path + "/backup", passphrase: secret())
                return nil
            } catch {
                return error
            }
        }
        let damaged = StoreError.damaged(what: "the backup \(folder.path)/backup")
        let truncated = StoreError.truncated(path: folder.path + "/backup")
        let good = entry(.peer, try peer(1, row: 5)) + entry(.message, message(peer: 5))
        let counted = { (summary: inout BackupSummary) in (summary.peers, summary.messages) = (1, 1) }
        let huge = RecordWriter.bytes { $0.append(count: 1 << 55) }
        let cases: [(String, [UInt8], StoreError)] = [
            ("an entry beyond every limit", try sealed([entry(.message, [1], count: 1 << 34)]), damaged),
            ("a count of endless groups", try sealed([[5] + [UInt8](repeating: 0x80, count: 60_000)]), damaged),
            ("the largest entry, not there", try sealed([entry(.message, [1], count: 1 << 24)]), damaged),
            ("no end", try sealed([good]), truncated),
            ("no last chunk", try sealed([good + end(counted)], endsMarked: false), damaged),
            ("an end that counts wrong", try sealed([good + end()]), damaged),
            ("something after the end", try sealed([good + end(counted) + [0]]), damaged),
            ("two ends", try sealed([end() + end()]), damaged),
            ("an unknown tag", try sealed([[0] + end()]), damaged),
            ("a message of nobody", try sealed([entry(.message, message(peer: 6)) + end { $0.messages = 1 }]), damaged),
            ("an empty message", try sealed([entry(.message, []) + end { $0.messages = 1 }]), damaged),
            ("a session of nobody", try sealed([entry(.session, [UInt8](repeating: 1, count: 64))]), damaged),
            ("a peer without a key", try sealed([entry(.peer, [UInt8](repeating: 1, count: 64))]), damaged),
            ("a key of endless length", try sealed([entry(.peer, [0, 0, 0, 0, 0, 0, 0, 1, 1] + huge)]), damaged),
            ("an identity of nothing", try sealed([entry(.identity, [])]), damaged),
            ("a setting of endless length", try sealed([entry(.setting, huge)]), damaged),
            ("an empty chunk", try sealed([[], end()]), damaged),
            ("a chunk beyond every limit", try sealed([[UInt8](repeating: 0, count: 70_000)]), damaged),
            ("nothing but the header", try sealed([]), truncated),
            ("a chunk of four gigabytes", try sealed([]) + [255, 255, 255, 255], damaged),
        ]
        for (name, file, expected) in cases {
            #expect(try await attempt(file) == expected, "\(name)")
            #expect(try await store.peers().count == 1, "\(name)")
            #expect(try await store.messageCount() == 1, "\(name)")
        }
        // What is good about all these is taken, however it is cut into chunks, and once.
        let whole = good + end(counted)
        #expect(try await attempt(try sealed(whole.map { [$0] })) == nil)
        #expect(try await attempt(try sealed([whole])) == nil)
        #expect(try await store.peers().count == 2)
        #expect(try await store.messageCount() == 2)
        try await store.verify()
    }

    /// One person's messages twice in one backup, and one peer twice: each is there once.
    @Test func doubles() async throws {
        let folder = try Folder()
        let store = try Store.inMemory()
        let file = try sealed([
            entry(.peer, try peer(1, row: 5)) + entry(.peer, try peer(1, row: 6))
                + entry(.message, message(peer: 5)) + entry(.message, message(peer: 6))
                + entry(.message, message(peer: 5, number: 2))
                + end { ($0.peers, $0.messages) = (2, 3) }
        ])
        try folder.write(file, to: "backup")
        for expected in [(1, 2), (0, 0)] {
            let summary = try await store.merge(backup: folder.path + "/backup", passphrase: secret())
            #expect((summary.peers, summary.messages) == expected)
        }
        #expect(try await store.peers().count == 1)
        #expect(try await store.messageCount() == 2)
    }

    @Test func cutAtEveryByte() async throws {
        let folder = try Folder()
        let store = try folder.store()
        _ = try await store.say("hello", to: try await store.addPeer(1))
        _ = try await store.backup(
            to: folder.path + "/backup", passphrase: secret(), replacing: false, derivation: cheap)
        let whole = try #require(try folder.contents()["backup"])
        let empty = try Store.inMemory()
        for size in 0..<whole.count {
            try folder.write(Array(whole.prefix(size)), to: "cut")
            let expected: StoreError =
                size == 0 ? .notABackup(path: folder.path + "/cut") : .truncated(path: folder.path + "/cut")
            await #expect(throws: expected, "\(size)") {
                try await empty.merge(backup: folder.path + "/cut", passphrase: secret())
            }
        }
        #expect(try await empty.peers().isEmpty)
        #expect(try await empty.merge(backup: folder.path + "/backup", passphrase: secret()).messages == 1)
    }

    /// The header says what the derivation of the key costs. Whatever it says, it is refused before any of it is spent, or
    /// costs no more than four times the memory of ours.
    @Test func costOfTheDerivation() throws {
        var accepted = 0
        for exponent in UInt8.min...UInt8.max {
            for blockSize: UInt8 in [0, 1, 2, 8, 64, 65, 255] {
                for parallelism: UInt8 in [0, 1, 2, 8, 64, 255] {
                    let header = BackupFormat.magic + [0, 1, exponent, blockSize, parallelism] + salt
                    guard let (derivation, _) = try? BackupFormat.parse(header, path: "p"), derivation.isAcceptable
                    else { continue }
                    accepted += 1
                    #expect(128 * derivation.cost * derivation.blockSize <= 512 << 20)
                    #expect(128 * derivation.cost * derivation.blockSize * derivation.parallelism <= 1 << 30)
                }
            }
        }
        #expect(accepted > 50)
        #expect(KeyDerivation.standard.isAcceptable)
    }

    /// The largest message that can be stored is in the backup too.
    @Test func largestMessage() async throws {
        let folder = try Folder()
        let store = try Store.inMemory()
        let bob = try await store.addPeer(1)
        let body = [UInt8](repeating: 65, count: NewMessage.maximumSize)
        try await store.append(.outgoing(to: bob, body: body, at: noon))
        _ = try await store.backup(
            to: folder.path + "/backup", passphrase: secret(), replacing: false, derivation: cheap)
        let other = try Store.inMemory()
        #expect(try await other.merge(backup: folder.path + "/backup", passphrase: secret()).messages == 1)
        let peer = try #require(try await other.peers().first)
        #expect(try await other.messages(with: peer.id).first?.body == body)
    }
}
