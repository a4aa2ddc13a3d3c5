import Foundation
import Testing

@testable import Kamune
@testable import KamuneStore

@Suite("Acknowledging what is taken")
struct TakenTests {
    private func two() async throws -> TwoMessengers {
        try await TwoMessengers {
            $0.acknowledgesWhenTaken = true
            $0.closeTimeout = .milliseconds(50)
        }
    }

    @Test("a message is delivered when the application asks for the next event, and not before")
    func taken() async throws {
        let two = try await two()
        let (ada, bob, _) = try await two.connect()
        let message = try await ada.send("one")
        let reader = EventReader(bob)
        #expect(try await reader.texts(1) == ["one"])
        // It is stored, and shown to nobody yet.
        #expect(await !ada.waitUntilDelivered(for: .milliseconds(100)))
        let next = Task { try await reader.texts(1) }
        #expect(await ada.waitUntilDelivered(for: .seconds(60)))
        #expect(try await two.ada.store.message(message.id, with: ada.peerID, .outgoing)?.state == .delivered)
        await ada.close()
        #expect(try await next.value == [])
    }

    /// What comes again in the next conversation is known by its name. But as long as nobody has taken it from the earlier
    /// one, it is not acknowledged there either.
    @Test("what an earlier conversation has brought, and nobody has taken, is not acknowledged by the next one")
    func takenLater() async throws {
        let two = try await two()
        let (first, bob, _) = try await two.connect()
        let one = try await first.send("one")
        let reader = EventReader(bob)
        #expect(try await reader.texts(1) == ["one"])
        await first.close()
        _ = await bob.waitUntilEnded()

        let (second, bobAgain, _) = try await two.connect()
        #expect(second !== first && bobAgain !== bob)
        _ = try await second.send("two")
        let later = EventReader(bobAgain)
        // The first one came again before it, and is in the store once.
        #expect(try await later.texts(1) == ["two"])
        let rest = Task { try await later.texts(1) }
        #expect(await !second.waitUntilDelivered(for: .milliseconds(100)))
        #expect(try await two.ada.store.message(one.id, with: second.peerID, .outgoing)?.state != .delivered)

        #expect(try await reader.texts(1) == [])
        #expect(await second.waitUntilDelivered(for: .seconds(60)))
        #expect(try await two.ada.store.message(one.id, with: second.peerID, .outgoing)?.state == .delivered)
        #expect(try await two.bob.store.messages(with: bobAgain.peerID).map(\.text) == ["one", "two"])
        await second.close()
        _ = try await rest.value
    }
}
