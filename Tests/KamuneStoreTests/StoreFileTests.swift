import Foundation
import GRDB
import Testing

@testable import KamuneStore

@Suite struct StoreLocationTests {
    @Test func rule() {
        let home = "/home/ada"
        func path(_ argument: String?, _ environment: [String: String]) -> String {
            StoreLocation.resolve(argument: argument, environment: environment, home: home).path
        }
        #expect(path("/x.db", ["KAMUNE_DB_PATH": "/y.db"]) == "/x.db")
        #expect(path(nil, ["KAMUNE_DB_PATH": "/y.db", "XDG_DATA_HOME": "/data"]) == "/y.db")
        #expect(path("", ["KAMUNE_DB_PATH": ""]) == path(nil, [:]))
        #if !canImport(Darwin)
        #expect(path(nil, [:]) == "/home/ada/.local/share/kamune/kamune.db")
        #expect(path(nil, ["XDG_DATA_HOME": "/data/"]) == "/data/kamune/kamune.db")
        #expect(path(nil, ["XDG_DATA_HOME": "relative"]) == "/home/ada/.local/share/kamune/kamune.db")
        #endif
    }

    @Test(arguments: [("/a/b.db", "/a"), ("/b.db", "/"), ("b.db", "."), ("a/b.db", "a")])
    func directory(path: String, directory: String) {
        #expect(StoreLocation(path: path).directory == directory)
    }
}

@Suite struct StoreFileTests {
    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? Int)
    }

    @Test func createdForTheOwnerAlone() async throws {
        let folder = try Folder()
        let location = StoreLocation(path: folder.path + "/deep/er/kamune.db")
        let store = try Store.create(at: location, credential: .passphrase(passphrase), derivation: cheap)
        _ = try await store.addPeer(1)
        for path in [location.path, location.logPath, location.sharedMemoryPath, location.lockPath] {
            #expect(try mode(path) == 0o600, "\(path)")
        }
        #expect(try mode(location.directory) == 0o700)
        #expect(throws: StoreError.self) {
            _ = try Store.create(at: location, credential: .passphrase(passphrase), derivation: cheap)
        }
    }

    @Test(arguments: [0o640, 0o604, 0o660, 0o620])
    func refusedWhenOthersCanGetAtIt(mode: Int) throws {
        let folder = try Folder()
        _ = try folder.store()
        let path = folder.location().path
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        #expect(throws: StoreError.readableByOthers(path: path, mode: UInt32(mode))) { _ = try folder.reopen() }
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        _ = try folder.reopen()
    }

    @Test func notThere() throws {
        let folder = try Folder()
        #expect(throws: StoreError.notFound(path: folder.location().path)) { _ = try folder.reopen() }
        #expect(try folder.contents().isEmpty)
    }

    @Test func nothingStaysOfACreationThatFails() throws {
        let folder = try Folder()
        #expect(throws: StoreError.emptyPassphrase) {
            _ = try Store.create(at: folder.location(), credential: .passphrase(""), derivation: cheap)
        }
        #expect(Set(try folder.contents().keys) == ["kamune.db.lock"])
    }

    @Test func oneHandleAtATime() async throws {
        let folder = try Folder()
        var store: Store? = try folder.store()
        #expect(throws: StoreError.inUse(process: getpid())) { _ = try folder.reopen() }
        try await store?.close()
        let second = try folder.reopen()
        await #expect(throws: StoreError.closed) { _ = try await store?.peers() }
        store = nil
        try await second.close()
        // Without an end of its own, the last reference ends it.
        store = try folder.reopen()
        store = nil
        _ = try folder.reopen()
    }

    /// The lock belongs to the file, by whichever name it is opened.
    @Test func oneHandleByAnyName() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let manager = FileManager.default
        let path = folder.location().path
        try manager.createSymbolicLink(atPath: folder.path + "/soft.db", withDestinationPath: path)
        try manager.linkItem(atPath: path, toPath: folder.path + "/hard.db")
        #expect(throws: StoreError.inUse(process: getpid())) { _ = try folder.reopen("soft.db") }
        // The process is noted beside the other name.
        #expect(throws: StoreError.inUse(process: nil)) { _ = try folder.reopen("hard.db") }
        #expect(folder.location("soft.db").resolved == folder.location().resolved)
        try await store.close()
        let soft = try folder.reopen("soft.db")
        #expect(throws: StoreError.inUse(process: getpid())) { _ = try folder.reopen() }
        try await soft.close()
        _ = try folder.reopen()
    }

    @Test func resolvedPaths() throws {
        let folder = try Folder()
        let real = folder.location().resolved.directory
        #expect(
            StoreLocation(path: "file:x?mode=memory").resolved.path == manager.currentDirectoryPath
                + "/file:x?mode=memory")
        #expect(StoreLocation(path: folder.path + "/./new.db").resolved.path == real + "/new.db")
        #expect(StoreLocation(path: "/new.db").resolved.path == "/new.db")
        #expect(StoreLocation(path: "/no/such/folder/x").resolved.path == "/no/such/folder/x")
    }

    private let manager = FileManager.default

    @Test func otherFiles() throws {
        let folder = try Folder()
        let path = folder.location().path
        func write(_ bytes: [UInt8]) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        }
        try write(
            Array("It is a text, and a long one, as texts go, with more than a hundred bytes. ".utf8)
                + [UInt8](repeating: 65, count: 100))
        #expect(throws: StoreError.notAStore(path: path)) { _ = try folder.reopen() }
        try write([])
        #expect(throws: StoreError.truncated(path: path)) { _ = try folder.reopen() }
        try write(Array("SQLite format 3".utf8) + [UInt8](repeating: 0, count: 200))
        #expect(throws: StoreError.notAStore(path: path)) { _ = try folder.reopen() }
    }

    @Test(arguments: [50, 100, 511, 4_096, 8_192, 20_000])
    func truncated(size: Int) async throws {
        let folder = try Folder()
        let store = try folder.store()
        try await store.close()
        let path = folder.location().path
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: UInt64(size))
        try handle.close()
        #expect(throws: StoreError.truncated(path: path)) { _ = try folder.reopen() }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == whole.prefix(size))
    }

    @Test func newerVersion() async throws {
        let folder = try Folder()
        let store = try folder.store()
        _ = try await store.addPeer(1)
        try await store.database.write { try $0.execute(sql: "PRAGMA user_version = 7") }
        let copy = try folder.copy()
        let expected = StoreError.newerVersion(found: 7, supported: Schema.version)
        // The copy has the version in its log only.
        #expect(throws: expected) { _ = try copy.reopen() }
        try await store.close()
        let before = try folder.contents()["kamune.db"]
        #expect(throws: expected) { _ = try folder.reopen() }
        #expect(try folder.contents()["kamune.db"] == before)
    }

    /// Every page in turn is destroyed. Each time there is one typed error, or the damage is not met: never a crash, never
    /// anything wrong that is taken for right.
    @Test func corruptPages() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let peer = try await store.addPeer(1)
        for index in 0..<60 {
            _ = try await store.say("message \(index) " + String(repeating: "x", count: 300), to: peer)
        }
        let texts = try await store.texts(with: peer)
        try await store.close()
        let whole = try #require(try folder.contents()["kamune.db"])
        var detected = 0
        let pages = whole.count / 4_096
        #expect(pages > 10)
        for page in 0..<pages {
            var damaged = whole
            for index in (page * 4_096 + (page == 0 ? 100 : 0))..<((page + 1) * 4_096) { damaged[index] ^= 0x5A }
            let other = try Folder()
            try other.write(damaged, to: "kamune.db")
            do {
                let opened = try other.reopen()
                #expect(try await opened.texts(with: peer) == texts || page > 0)
                _ = try await opened.peers()
                try await opened.verify()
            } catch let error as StoreError {
                detected += 1
                switch error {
                case .damaged, .notAStore, .system: break
                default: Issue.record("\(error)")
                }
            }
        }
        #expect(detected == pages)
    }

    @Test func readOnly() async throws {
        let folder = try Folder()
        let store = try folder.store()
        try await store.close()
        let path = folder.location().path
        try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: path)
        // The superuser may write anything.
        if geteuid() != 0 {
            #expect(throws: StoreError.readOnly(path: path)) { _ = try folder.reopen() }
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        let again = try folder.reopen()
        try await again.database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA query_only = ON") }
        await #expect(throws: StoreError.readOnly(path: path)) { _ = try await again.addPeer(1) }
    }

    @Test func diskFull() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let peer = try await store.addPeer(1)
        let pages = try await store.database.writeWithoutTransaction { database in
            let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            try database.execute(sql: "PRAGMA max_page_count = \(pages + 20)")
            return pages
        }
        #expect(pages > 0)
        var stored: [String] = []
        await #expect(throws: StoreError.diskFull) {
            for index in 0..<10_000 {
                let text = "\(index) " + String(repeating: "y", count: 500)
                _ = try await store.say(text, to: peer)
                stored.append(text)
            }
        }
        #expect(stored.count > 20)
        #expect(try await store.texts(with: peer) == stored)
        try await store.database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = 1000000") }
        _ = try await store.say("room again", to: peer)
        try await store.close()
        #expect(try await folder.reopen().texts(with: peer) == stored + ["room again"])
    }

    @Test func sentencesForPeople() {
        let errors: [StoreError] = [
            .notFound(path: "p"), .alreadyExists(path: "p"), .wrongPassphrase(failures: 1), .passphraseRequired,
            .notProtected, .emptyPassphrase, .notAStore(path: "p"), .truncated(path: "p"), .damaged(what: "w"),
            .newerVersion(found: 2, supported: 1), .diskFull, .readOnly(path: "p"), .accessDenied(path: "p"),
            .inUse(process: 7), .inUse(process: nil), .readableByOthers(path: "p", mode: 0o644),
            .noSuchRecord(what: "peer"), .conflict(what: "identity"), .misuse(reason: "r"), .closed, .cancelled,
            .system(operation: "O", reason: "r"), .backupNotVerified, .notABackup(path: "p"),
            .notReplaceable(path: "p"), .notAFile(path: "p", kind: .device),
        ]
        for error in errors {
            #expect(error.description.hasSuffix(".") || error.description.hasSuffix("'."), "\(error.description)")
            #expect(!error.description.contains("\n"))
        }
        #expect(Set(errors.map(\.description)).count == errors.count)
    }

    @Test func openingForReadingChangesNothing() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let bob = try await store.addPeer(1)
        _ = try await store.say("hello", to: bob)
        try await store.close()
        let before = try folder.contents()
        let reading = try await Store.openForReading(at: folder.location(), credential: .passphrase(passphrase))
        #expect(try await reading.texts(with: bob) == ["hello"])
        #expect(throws: StoreError.inUse(process: getpid())) { try folder.reopen() }
        await #expect(throws: StoreError.readOnly(path: folder.location().path)) {
            _ = try await reading.say("again", to: bob)
        }
        try await reading.close()
        let after = try folder.contents()
        for name in ["kamune.db", "kamune.db-wal"] { #expect(after[name] == before[name]) }
        #expect(try await folder.reopen().texts(with: bob) == ["hello"])
    }
}
