import Foundation
import Testing

@testable import KamuneStore

/// The figures of docs/PERFORMANCE.md, at KAMUNE_STORE_BENCH messages. Only on request: it takes minutes.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["KAMUNE_STORE_BENCH"] != nil))
struct StoreBenchmarks {
    private let count = Int(ProcessInfo.processInfo.environment["KAMUNE_STORE_BENCH"] ?? "") ?? 1_000_000

    private func report(_ name: String, _ duration: Duration) {
        print(
            "\(name): \(Double(duration.components.attoseconds) / 1e15 + Double(duration.components.seconds) * 1e3) ms")
    }

    private func memory() -> String {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        return status.split(separator: "\n").filter { $0.hasPrefix("VmRSS") || $0.hasPrefix("VmHWM") }
            .joined(separator: " ")
    }

    @Test func figures() async throws {
        let clock = ContinuousClock()
        let folder = try Folder()
        var store = try folder.store()
        var peers: [PeerID] = []
        for seed in 0..<20 { peers.append(try await store.addPeer(UInt64(seed), "peer \(seed)")) }
        let words = [
            "lorem", "ipsum", "dolor", "sit", "amet", "consetetur", "sadipscing", "elitr", "Straße", "наконец",
        ]
        var random = SeededSource(7)
        func text() -> [UInt8] {
            Array((0..<10).map { _ in words[Int(random.next() % 8)] }.joined(separator: " ").utf8)
        }
        func single() async throws -> Duration {
            let messages = (0..<200).map { _ in
                NewMessage.incoming(from: peers[3], body: text(), sent: noon, received: noon)
            }
            return try await clock.measure {
                for message in messages { try await store.append(message) }
            } / 200
        }
        func burst() async throws -> Duration {
            let messages = (0..<10_000).map { _ in
                NewMessage.incoming(from: peers[3], body: text(), sent: noon, received: noon)
            }
            return try await clock.measure { [store] in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for message in messages { group.addTask { try await store.append(message) } }
                    try await group.waitForAll()
                }
            }
        }
        _ = try await single()
        report("append single, empty store", try await single())
        report("append 10,000 in a burst, empty store", try await burst())
        report(
            "fill",
            try await clock.measure {
                for start in stride(from: 0, to: count, by: 2_000) {
                    let messages = (start..<min(count, start + 2_000)).map { index in
                        NewMessage.incoming(
                            from: peers[index % peers.count], body: text(), sent: noon.plus(seconds: Double(index)),
                            received: noon.plus(seconds: Double(index)))
                    }
                    try await store.append(contentsOf: messages)
                }
            })
        report("append single, full store", try await single())
        report("append 10,000 in a burst, full store", try await burst())
        _ = try await store.say("The needle in the HAYSTACK", to: peers[5])
        print(
            "file: \(StoreFile.size(of: folder.location().path) >> 20) MiB, log: \(StoreFile.size(of: folder.location().logPath) >> 10) KiB"
        )
        try await store.close()
        print(memory())
        for _ in 0..<3 {
            var opened: Store?
            report("open", try clock.measure { opened = try folder.reopen() })
            if let opened {
                store = opened
                report("latest 100", try await clock.measure { _ = try await opened.messages(with: peers[7]) })
                report("latest 100 again", try await clock.measure { _ = try await opened.messages(with: peers[7]) })
                try await opened.close()
            }
        }
        store = try folder.reopen()
        for search in [
            MessageSearch("haystack needle"), MessageSearch("nowhere"), MessageSearch("НИГДЕ"),
            MessageSearch("lorem", peer: peers[2]), MessageSearch("amet"),
        ] {
            var hits = 0
            var first: Duration?
            let begin = clock.now
            for try await _ in store.search(search) {
                if hits == 0 { first = clock.now - begin }
                hits += 1
            }
            report(
                "search \(search.text): \(hits) hits, first after \(first.map { "\($0)" } ?? "-")", clock.now - begin)
            print(memory())
        }
        var exported = 0
        report(
            "export",
            try await clock.measure {
                for try await message in store.history() { exported += message.body.count }
            })
        print("exported \(exported)", memory())
        report("verify", try await clock.measure { try await store.verify() })
        let some = try await store.messages(with: peers[1], limit: 10).map(\.position)
        report("delete 10", try await clock.measure { try await store.deleteMessages(at: some) })
        print(memory())
    }

    @Test func guessing() async throws {
        let folder = try Folder()
        let clock = ContinuousClock()
        let store = try await Store.create(at: folder.location(), credential: .passphrase(passphrase))
        try await store.close()
        let opening = await clock.measure {
            _ = try? await Store.open(at: folder.location(), credential: .passphrase("x"))
        }
        report("one guess", opening)
        print(memory())
    }
}
