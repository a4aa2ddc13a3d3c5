import Foundation
import GRDB
import KamuneCrypto
import Testing

@testable import KamuneStore

/// A disk that writes a page in the wrong place leaves a file in which every record is genuine: each opens where it says that
/// it belongs. Whoever reads it all gives all of it, each once and in order, or says that the file is damaged; who reads a
/// part gives nothing twice, nothing in the wrong order, and comes to an end.
@Suite struct MisplacedPageTests {
    private static let pageSize = 4_096

    /// A store with some hundred messages of two peers, closed, and what it holds.
    struct Original: Sendable {
        let file: [UInt8]
        let peers: [PeerID]
        let all: [String]
        let first: [String]

        var pages: Int { file.count / MisplacedPageTests.pageSize }

        init() async throws {
            let folder = try Folder()
            let store = try folder.store()
            peers = [try await store.addPeer(1), try await store.addPeer(2)]
            var all: [String] = []
            var first: [String] = []
            for index in 0..<240 {
                let text = "message \(index) " + String(repeating: "x", count: 200)
                all.append(text)
                if index % 3 != 0 { first.append(text) }
                _ = try await store.say(text, to: peers[index % 3 == 0 ? 1 : 0])
            }
            (self.all, self.first) = (all, first)
            try await store.close()
            file = try #require(try folder.contents()["kamune.db"])
        }

        func page(_ index: Int) -> ArraySlice<UInt8> { file[(index * pageSize)..<((index + 1) * pageSize)] }

        /// The file with these pages in these places.
        func with(_ pages: [(Int, ArraySlice<UInt8>)]) -> [UInt8] {
            var file = file
            for (index, page) in pages {
                file.replaceSubrange((index * pageSize)..<((index + 1) * pageSize), with: page)
            }
            return file
        }
    }

    /// Whether something says that the file is damaged.
    private func isNoticed(_ body: () async throws -> Void) async throws -> Bool {
        do {
            try await body()
            return false
        } catch let error as StoreError {
            guard case .damaged = error else {
                Issue.record("\(error)")
                return true
            }
            return true
        }
    }

    private func expectPart(_ part: [String], of all: [String]) {
        var rest = all[...]
        for text in part {
            guard let index = rest.firstIndex(of: text) else {
                Issue.record("not in order: \(text.prefix(12))")
                return
            }
            rest = rest[(index + 1)...]
        }
    }

    private func check(_ file: [UInt8], _ original: Original) async throws -> Bool {
        let folder = try Folder()
        try folder.write(file, to: "kamune.db")
        var opened: Store?
        let isRefused = try await isNoticed { opened = try folder.reopen() }
        guard let store = opened else { return isRefused }
        let isFound = try await isNoticed { try await store.verify() }
        let peer = original.peers[0]
        _ = try await isNoticed {
            let texts = try await store.texts(with: peer)
            #expect(texts == original.first)
        }
        _ = try await isNoticed {
            var texts: [String] = []
            for try await message in store.history() { texts.append(message.text) }
            #expect(texts == original.all)
        }
        let path = folder.path + "/backup"
        let backUpFails = try await isNoticed {
            let summary = try await store.backup(
                to: path, passphrase: SecretBytes(copying: [1]), replacing: false, derivation: cheap)
            #expect(summary.messages == original.all.count)
        }
        #expect(FileManager.default.fileExists(atPath: path) != backUpFails)
        _ = try await isNoticed {
            expectPart(try await store.found(MessageSearch("message")), of: original.all.reversed())
        }
        _ = try await isNoticed {
            expectPart(try await store.found(MessageSearch("message", peer: peer)), of: original.first.reversed())
        }
        _ = try await isNoticed {
            var position: MessagePosition?
            var texts: [String] = []
            repeat {
                let page = try await store.messages(with: peer, before: position, limit: 40)
                texts.append(contentsOf: page.reversed().map(\.text))
                position = page.first?.position
            } while position != nil
            expectPart(texts, of: original.first.reversed())
        }
        _ = try await isNoticed {
            let transferred = try await store.write {
                try $0.handOver(to: peer, .acknowledged, after: nil, limit: .max, bytes: .max, at: noon).messages
            }
            expectPart(transferred.map(\.message.text), of: original.first)
        }
        return isFound
    }

    @Test(arguments: [1, 2, 7])
    func isNoticed(distance: Int) async throws {
        let original = try await Original()
        #expect(original.pages > 30)
        var (noticed, count) = (0, 0)
        for page in 1..<(original.pages - distance) {
            let (a, b) = (original.page(page), original.page(page + distance))
            for file in [original.with([(page, b)]), original.with([(page, b), (page + distance, a)])] {
                // Pages without contents are all the same.
                if file == original.file { continue }
                count += 1
                if try await check(file, original) { noticed += 1 }
            }
        }
        // All but what no record and no index belongs to: the tables of SQLite itself.
        #expect(noticed * 10 >= count * 9)
    }

    @Test func wholeOneIsNotRefused() async throws {
        let original = try await Original()
        let isNoticed = try await check(original.file, original)
        #expect(!isNoticed)
    }
}
