import Foundation
import GRDB
import KamuneSystem
import Testing

@testable import KamuneStore

/// What may stand where a store is looked for, and beside it.
@Suite struct StorePlaceTests {
    private func expectNoFile(_ path: String, _ kind: StoreError.FileKind) async {
        let location = StoreLocation(path: path)
        let expected = StoreError.notAFile(path: location.resolved.path, kind: kind)
        await #expect(throws: expected) { _ = try await Store.open(at: location, credential: .unprotected) }
        await #expect(throws: expected) { _ = try await Store.openForReading(at: location, credential: .unprotected) }
        await #expect(throws: expected) { _ = try await Store.create(at: location, credential: .unprotected) }
        await #expect(throws: expected) { _ = try await Store.openOrCreate(at: location, credential: .unprotected) }
        #expect(!expected.description.contains("chmod"))
    }

    @Test func whatIsNoFile() async throws {
        let folder = try Folder()
        for device in ["/dev/null", "/dev/zero"] { await expectNoFile(device, .device) }
        await expectNoFile(folder.path, .folder)
        let pipe = folder.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        await expectNoFile(pipe, .pipe)
        let link = folder.path + "/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: folder.path + "/nothing")
        await expectNoFile(link, .linkToNothing)
        #expect(Set(try FileManager.default.contentsOfDirectory(atPath: folder.path)) == ["pipe", "link"])
    }

    private static let unfinished = [
        "kamune.db.new-1f", "kamune.db.new-1f-journal", "kamune.db.new-ffffffff-wal", "kamune.db.new-0-shm",
        "kamune.db.restore-a.new-b", "kamune.db.restore-a.lock", "kamune.db.restore-a-wal",
    ]
    private static let others = [
        "kamune.db.new-1F", "kamune.db.new-01f", "kamune.db.new-100000000", "kamune.db.new-xyz", "kamune.db.new-",
        "other.db.new-1f", "kamune.db.new-1f.txt",
        "kamune.db.new-1f.new-", "kamune.db.restore-a.new-b.new",
    ]

    @Test func whatWasNotFinishedGoes() async throws {
        let folder = try Folder()
        func litter() throws {
            for name in Self.unfinished + Self.others { try folder.write([1, 2, 3], to: name) }
        }
        func names() throws -> Set<String> {
            Set(try folder.contents().keys.filter { $0.contains(".new-") || $0.contains(".restore-") })
        }
        try litter()
        let store = try folder.store()
        #expect(try names() == Set(Self.others))
        try litter()
        // Somebody else has the store, and may be the one who makes it.
        #expect(throws: StoreError.self) { _ = try folder.reopen() }
        #expect(try names() == Set(Self.unfinished + Self.others))
        try await store.close()
        _ = try folder.reopen()
        #expect(try names() == Set(Self.others))
    }

    /// The first bytes of the version's number belong to no version that will ever be.
    @Test(arguments: [60, 61])
    func impossibleVersion(offset: Int) async throws {
        let folder = try Folder()
        try await folder.store().close()
        var file = try #require(try folder.contents()["kamune.db"])
        for bit in 0..<8 {
            file[offset] ^= 1 << bit
            try folder.write(file, to: "kamune.db")
            #expect(throws: StoreError.damaged(what: "the version of the file")) { _ = try folder.reopen() }
            file[offset] ^= 1 << bit
        }
    }

    /// Whatever is set to zero: the sentence is for people, and tells of damage.
    @Test func zeros() async throws {
        let folder = try Folder()
        try await folder.store().close()
        let file = try #require(try folder.contents()["kamune.db"])
        for start in stride(from: 4_096, to: min(file.count, 5 * 4_096), by: 32) {
            var damaged = file
            for index in start..<(start + 32) { damaged[index] = 0 }
            if damaged == file { continue }
            let other = try Folder()
            try other.write(damaged, to: "kamune.db")
            do {
                let store = try other.reopen()
                _ = try await store.identities()
            } catch let error as StoreError {
                switch error {
                case .damaged: break
                // The record of the key: there, a wrong passphrase looks the same.
                case .wrongPassphrase: continue
                default: Issue.record("\(start): \(error)")
                }
                for word in ["SELECT", "column", "sql", "already exists"] { #expect(!error.description.contains(word)) }
            }
        }
    }

    /// The migrations that are noted as made are not those of the version: nothing is migrated on top of them.
    @Test(arguments: ["DELETE FROM grdb_migrations", "DELETE FROM grdb_migrations WHERE identifier = '2'"])
    func otherMigrations(sql: String) async throws {
        let folder = try Folder()
        let store = try folder.store()
        try await store.database.write { try $0.execute(sql: sql) }
        try await store.close()
        #expect(throws: StoreError.damaged(what: "the structure of the file")) { _ = try folder.reopen() }
    }
}
