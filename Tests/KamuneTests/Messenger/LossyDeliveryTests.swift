import Foundation
import KamuneStore
import KamuneTestKit
import KamuneTransport
import Synchronization
import Testing

@testable import Kamune

@Suite("Delivery over connections that are lost again and again")
struct LossyDeliveryTests {
    /// How many messages go each way.
    private static let count = 10_000

    /// Sends numbered messages, no more than may be under way at once.
    private static func write(_ count: Int, to conversation: Conversation, _ name: String) async throws {
        var next = 0
        while next < count {
            await conversation.waitForRoom()
            let batch = (next..<min(next + 100, count)).map { Array("\(name) \($0)".utf8) }
            try await conversation.send(contentsOf: batch)
            next += batch.count
        }
    }

    @Test("messages arrive once each and in order, over connections that are cut after every frame")
    func everyBoundary() async throws {
        let count = Self.count
        let two = try await TwoMessengers()
        let (ada, bob, first) = try await two.connect()
        try await two.accept()
        let network = Task { () throws -> Int in
            var session: Session? = first.initiator
            var cut = 0
            while !Task.isCancelled {
                cut += 1
                session?.abandon()
                _ = await session?.waitUntilEnded()
                session = nil
                let direction = CutConnection.Direction.allCases[cut % 2]
                // The first ones do not get through the handshake. Far behind it one boundary is like another, so that
                // the steps may grow.
                let limit = cut <= 40 ? cut : 40 + (cut - 40) * 40
                do {
                    // Ada anew, Bob anew, and Ada again, resuming if she can.
                    let connected = try await two.connect(isAdaInitiator: cut % 3 != 1, isResuming: cut % 3 == 2) {
                        CutConnection($0, after: limit, direction)
                    }
                    _ = await connected.sessions.initiator.waitUntilEnded()
                } catch {
                    continue
                }
            }
            return cut
        }
        let (adaEvents, bobEvents) = (EventReader(ada), EventReader(bob))
        async let writtenByAda: Void = Self.write(count, to: ada, "Ada")
        async let writtenByBob: Void = Self.write(count, to: bob, "Bob")
        async let atAda = adaEvents.texts(count)
        async let atBob = bobEvents.texts(count)
        #expect(try await atBob == (0..<count).map { "Ada \($0)" })
        #expect(try await atAda == (0..<count).map { "Bob \($0)" })
        _ = try await (writtenByAda, writtenByBob)
        network.cancel()
        await two.ada.close()
        await two.bob.close()
        let cuts = try await network.value
        #expect(cuts > 40)
        try await expectHistories(two, ada, bob)
    }

    @Test("messages arrive once each and in order, over TCP connections that are cut in the middle of frames")
    func middleOfFrames() async throws {
        let count = Self.count
        var reconnection = Reconnection()
        reconnection.initialDelay = .milliseconds(1)
        reconnection.maximumDelay = .milliseconds(4)
        let two = try await TwoMessengers(reconnection: reconnection)
        let listener = try await two.bob.listen(on: "127.0.0.1:0")
        let random = Mutex(SeededRandom(20_251))
        let connections = Mutex(0)
        let proxy = try await CuttingProxy.start(to: listener.address) { number in
            connections.withLock { $0 = number + 1 }
            return random.withLock { random in
                // The first ones do not get through the handshake.
                CuttingProxy.Fate(
                    bytes: .random(in: 1...(4_000 + number * 12_000), using: &random),
                    ending: [.finished, .reset].randomElement(using: &random) ?? .reset)
            }
        }
        var dialed: Conversation?
        while dialed == nil { dialed = try? await two.ada.dial(proxy.address) }
        let ada = try #require(dialed)
        try await two.accept()
        var accepted = listener.makeAsyncIterator()
        let bob = try #require(try await accepted.next())
        let (adaEvents, bobEvents) = (EventReader(ada), EventReader(bob))
        async let writtenByAda: Void = Self.write(count, to: ada, "Ada")
        async let writtenByBob: Void = Self.write(count, to: bob, "Bob")
        async let atAda = adaEvents.texts(count)
        async let atBob = bobEvents.texts(count)
        #expect(try await atBob == (0..<count).map { "Ada \($0)" })
        #expect(try await atAda == (0..<count).map { "Bob \($0)" })
        _ = try await (writtenByAda, writtenByBob)
        await two.ada.close()
        await two.bob.close()
        await listener.close()
        await proxy.close()
        #expect(connections.withLock { $0 } > 20)
        #expect(await adaEvents.seen.contains { $0.summary?.isResumed == true })
        try await expectHistories(two, ada, bob)
    }

    private func expectHistories(_ two: TwoMessengers, _ ada: Conversation, _ bob: Conversation) async throws {
        for (messenger, conversation) in [(two.ada, ada), (two.bob, bob)] {
            var stored = 0
            for try await _ in messenger.store.history(with: conversation.peerID) { stored += 1 }
            #expect(stored == 2 * Self.count)
        }
    }
}
