import Foundation
import GRDB
import Testing

@testable import KamuneStore

/// The numbers of the rows of messages: each is given once, and the file is told of many at a time.
@Suite struct NumberingTests {
    private let folder: Folder
    private let store: Store
    private let bob: PeerID

    init() async throws {
        folder = try Folder()
        store = try folder.store()
        bob = try await store.addPeer(1)
    }

    private static func rows(_ store: Store) async throws -> [Int64] {
        try await store.read { try Int64.fetchAll($0.database, sql: "SELECT id FROM message ORDER BY id") }
    }

    private static func reserved(_ store: Store) async throws -> Int64? {
        try await store.read {
            try Int64.fetchOne($0.database, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'message'")
        }
    }

    private struct Undone: Error {}

    @Test func singleMessagesWriteFewPages() async throws {
        let frame = try await store.read { try Int.fetchOne($0.database, sql: "PRAGMA page_size") ?? 0 } + 24
        let log = folder.location().logPath
        func size() throws -> Int {
            try #require(try FileManager.default.attributesOfItem(atPath: log)[.size] as? Int)
        }
        var growths: [Int] = []
        for index in 0..<100 {
            let before = try size()
            _ = try await store.hear("\(index)", from: bob)
            growths.append((try size() - before) / frame)
        }
        // A page of the table, and one of each index that it stands in; more where one of them is full.
        #expect(growths.sorted()[50] == 3)
    }

    @Test func numbersAreGivenOnce() async throws {
        for index in 0..<3 { _ = try await store.say("\(index)", to: bob) }
        let before = try await Self.rows(store)
        #expect(before.count == 3)
        // The last ones are deleted, and the store is opened again: their numbers are not given to others.
        try await store.write { try $0.database.execute(sql: "DELETE FROM message WHERE id > 1") }
        try await store.close()
        let again = try folder.reopen()
        _ = try await again.say("after", to: bob)
        let after = try await Self.rows(again)
        #expect(after.count == 2)
        #expect(try #require(after.last) > #require(before.last))
        try await again.verify()
    }

    /// What was undone may have told the file of numbers; those that were given count nevertheless.
    @Test func undoneTransactions() async throws {
        let peer = bob
        func undo(_ count: Int) async {
            await #expect(throws: StoreError.self) {
                try await store.write { transaction in
                    for index in 0..<count {
                        _ = try transaction.append(.outgoing(to: peer, body: [UInt8(index)], at: noon))
                    }
                    throw Undone()
                }
            }
        }
        await undo(1)
        _ = try await store.say("first", to: bob)
        await undo(200)
        for index in 0..<100 { _ = try await store.say("\(index)", to: bob) }
        let rows = try await Self.rows(store)
        #expect(rows.count == 101)
        #expect(try #require(try await Self.reserved(store)) >= #require(rows.last))
        try await store.close()
        let again = try folder.reopen()
        _ = try await again.say("last", to: bob)
        #expect(try await #require(Self.rows(again).last) > #require(rows.last))
    }
}
