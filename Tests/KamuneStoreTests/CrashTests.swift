import Foundation
import GRDB
import KamuneCrypto
import KamuneTestSupport
import Synchronization
import Testing

@testable import KamuneStore

/// What a kill leaves: a copy of the file and its log at any instant while the store is written to. The operating system
/// keeps what a killed process wrote, so nothing that was acknowledged before the copy may be missing from it.
@Suite struct CrashTests {
    @Test func copiesWhileWriting() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let bob = try await store.addPeer(1)
        let tokens = (0..<60).map { index in [UInt8](repeating: UInt8(index), count: 32) }
        let session = try await store.store(
            NewSession(peer: bob, identifier: "S", established: noon, transport: "tcp", isInitiator: true),
            tokens: tokens)
        // A checkpoint in the midst of a copy would make the two files of different times, which a kill cannot.
        try await store.database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_autocheckpoint = 0") }
        let progress = Progress()
        let writer = Task {
            var random = SeededRandom(1)
            for round in 0..<60 {
                let batch = 1 + Int(random.integer(below: 20))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for index in 0..<batch {
                        group.addTask {
                            let id = MessageID(stream: 1, number: UInt64(round * 100 + index))
                            _ = try await store.hear("\(round) \(index)", from: bob, id: id)
                            progress.stored(id)
                        }
                    }
                    group.addTask {
                        if try await store.consumeToken(tokens[round], of: session.id, at: noon) {
                            progress.consumed(tokens[round])
                        }
                    }
                    try await group.waitForAll()
                }
            }
            progress.end()
        }
        var copies = 0
        while !progress.hasEnded || copies == 0 {
            let before = progress.now
            let copy = try folder.copy()
            let reopened = try copy.reopen()
            let missing = try await before.messages.subtracting(
                reopened.storedIDs(among: Array(before.messages), with: bob, .incoming))
            #expect(missing.isEmpty)
            for token in before.tokens {
                #expect(try await !reopened.consumeToken(token, of: session.id, at: noon))
            }
            let texts = try await reopened.texts(with: bob)
            #expect(Set(texts).count == texts.count)
            try await reopened.verify()
            try await reopened.close()
            copies += 1
        }
        try await writer.value
        #expect(progress.now.tokens.count == 60)
        #expect(try await store.messageCount() == progress.now.messages.count)
    }

    /// The log is cut at any byte, as a power cut would leave it: the store opens, and holds a beginning of what was
    /// written, whole messages only.
    @Test func cutLog() async throws {
        let folder = try Folder()
        let store = try folder.store()
        let bob = try await store.addPeer(1)
        try await store.purge()
        for index in 0..<20 { _ = try await store.say("\(index)", to: bob) }
        let copy = try folder.copy()
        let log = try #require(try copy.contents()["kamune.db-wal"])
        let file = try #require(try copy.contents()["kamune.db"])
        var lengths: Set<Int> = []
        var random = SeededRandom(2)
        for size in [0, 1, 31, 32, log.count] + (0..<40).map({ _ in Int(random.integer(below: UInt32(log.count))) }) {
            let cut = try Folder()
            try cut.write(file, to: "kamune.db")
            try cut.write(Array(log.prefix(size)), to: "kamune.db-wal")
            let reopened = try cut.reopen()
            let texts = try await reopened.texts(with: bob)
            #expect(texts == (0..<texts.count).map(String.init))
            lengths.insert(texts.count)
            _ = try await reopened.say("after", to: bob)
            try await reopened.verify()
        }
        #expect(lengths.contains(0) && lengths.contains(20) && lengths.count > 5)
    }

    private final class Progress: Sendable {
        struct State {
            var messages: Set<MessageID> = []
            var tokens: [[UInt8]] = []
            var hasEnded = false
        }

        private let state = Mutex(State())

        var now: State { state.withLock { $0 } }
        var hasEnded: Bool { now.hasEnded }
        func stored(_ id: MessageID) { state.withLock { _ = $0.messages.insert(id) } }
        func consumed(_ token: [UInt8]) { state.withLock { $0.tokens.append(token) } }
        func end() { state.withLock { $0.hasEnded = true } }
    }
}
