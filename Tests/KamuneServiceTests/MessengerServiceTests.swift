import Foundation
import Kamune
import KamuneService
import KamuneStore
import Logging
import Metrics
import MetricsTestKit
import ServiceLifecycle
import ServiceLifecycleTestKit
import Synchronization
import Testing

/// Keeps what is logged, and hands on where the service listens.
private struct RecordingLog: LogHandler {
    let lines: AsyncStream<(message: String, metadata: Logger.Metadata)>.Continuation
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.yield((event.message.description, event.metadata ?? [:])) }
}

@Suite("A messenger as a service", .serialized, .timeLimit(.minutes(2)))
struct MessengerServiceTests {
    private static let metrics: TestMetrics = {
        let metrics = TestMetrics()
        MetricsSystem.bootstrap(metrics)
        return metrics
    }()

    private func messenger(_ name: String, verifier: some PeerVerifier = .anyone) async throws -> Messenger {
        let store = try Store.inMemory()
        return Messenger(
            identity: try await store.identity(name: name), name: name, verifier: verifier, store: store)
    }

    private func count(_ label: String, _ dimensions: [(String, String)] = []) throws -> Int64 {
        try Self.metrics.expectCounter(label, dimensions).totalValue
    }

    @Test("listens, answers, counts, and ends in order")
    func echo() async throws {
        _ = Self.metrics
        let (lines, line) = AsyncStream.makeStream(of: (message: String, metadata: Logger.Metadata).self)
        let bob = try await messenger("Bob")
        let service = MessengerService(
            bob, listeningOn: ["127.0.0.1:0"], logger: Logger(label: "test") { _ in RecordingLog(lines: line) }
        ) { conversation, event in
            if case .message(let message) = event { try await conversation.send(message.body) }
        }
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await service.run() }
                var log = lines.makeAsyncIterator()
                let first = try #require(await log.next())
                #expect(first.message == "listening")
                let address = try #require(first.metadata["address"]?.description)
                // Somebody else, and somebody who is not talked to.
                let ada = try await messenger("Ada")
                let refused = try await messenger("Eve", verifier: .known([]))
                await #expect(throws: KamuneError.self) { try await refused.dial(address) }
                let conversation = try await ada.dial(address)
                try await conversation.send("hello")
                var texts: [String] = []
                for try await event in conversation.events {
                    if case .message(let message) = event {
                        texts.append(message.text)
                        trigger.triggerGracefulShutdown()
                    }
                }
                #expect(texts == ["hello"])
                // Bob has said goodbye.
                #expect(await conversation.waitUntilEnded() == .closedByPeer)
                try await group.waitForAll()
            }
        }
        await #expect(throws: StoreError.self) { try await bob.store.peers() }
        #expect(try count("kamune_sessions_total") == 1)
        #expect(try count("kamune_messages_received_total") == 1)
        #expect(try count("kamune_messages_delivered_total") == 1)
        #expect(try count("kamune_refusals_total", [("reason", "refusedByPeer")]) == 1)
        line.finish()
        var messages: [String] = []
        for await line in lines { messages.append(line.message) }
        #expect(messages.contains("connected") && messages.last == "ended")
    }

    @Test("an address that cannot be listened on ends it, and the store is closed")
    func taken() async throws {
        let bob = try await messenger("Bob")
        let listener = try await messenger("Ada").listen(on: "127.0.0.1:0")
        let service = MessengerService(bob, listeningOn: [listener.address]) { _, _ in }
        let error = await #expect(throws: KamuneError.self) { try await service.run() }
        #expect(error?.code == .addressUnavailable)
        await #expect(throws: StoreError.self) { try await bob.store.peers() }
        await listener.close()
    }
}
