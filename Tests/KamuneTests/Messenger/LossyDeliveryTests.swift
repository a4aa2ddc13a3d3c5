import Foundation
import KamuneStore
import KamuneTransport
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

    @Test(
        "messages arrive once each and in order, over connections that are cut after every frame",
        arguments: [true, false])
    func everyBoundary(isResuming: Bool) async throws {
        let count = Self.count
        let two = try await TwoMessengers()
        let (ada, bob, first) = try await two.connect()
        _ = try await two.ada.store.accept(two.bob.endpoint.identity.publicKey, name: "Bob", at: Date())
        _ = try await two.bob.store.accept(two.ada.endpoint.identity.publicKey, name: "Ada", at: Date())
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
                    let connected = try await two.connect(
                        isAdaInitiator: isResuming || cut % 4 < 2, isResuming: isResuming && cut % 3 > 0
                    ) { CutConnection($0, after: limit, direction) }
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
        for (messenger, conversation) in [(two.ada, ada), (two.bob, bob)] {
            var stored = 0
            for try await _ in messenger.store.history(with: conversation.peerID) { stored += 1 }
            #expect(stored == 2 * count)
        }
    }
}
