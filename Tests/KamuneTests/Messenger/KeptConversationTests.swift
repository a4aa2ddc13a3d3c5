import Foundation
import KamuneProtocol
import KamuneStore
import KamuneTransport
import Testing

@testable import Kamune

@Suite("Conversations on the disk")
struct KeptConversationTests {
    /// A directory that is gone with this object.
    private final class Place: Sendable {
        let directory = FileManager.default.temporaryDirectory.appending(path: "kamune-" + UUID().uuidString)

        func location(_ name: String) -> StoreLocation {
            StoreLocation(path: directory.appending(path: name).appending(path: "kamune.db").path)
        }

        deinit { try? FileManager.default.removeItem(at: directory) }
    }

    @Test("what was written without a connection goes out after a restart, and the session is resumed")
    func restart() async throws {
        let place = Place()
        let (adaIdentity, bobIdentity) = (try Identity.generate(.ed25519), try Identity.generate(.ed25519))
        let bobStore = try Store.inMemory()
        let id: String
        do {
            let adaStore = try await Store.create(at: place.location("ada"), credential: .unprotected)
            let two = try await TwoMessengers(
                adaStore: adaStore, bobStore: bobStore, adaIdentity: adaIdentity, bobIdentity: bobIdentity)
            let listener = try await two.bob.listen(on: "127.0.0.1:0")
            let ada = try await two.ada.dial(listener.address)
            try await two.accept()
            try await ada.send("before")
            #expect(await ada.waitUntilDelivered(for: .seconds(60)))
            await listener.close()
            let session = try #require(await ada.session)
            id = session.id
            session.abandon()
            _ = await session.waitUntilEnded()
            for number in 0..<3 { try await ada.send("offline \(number)") }
            // The program ends without a word to anybody.
            await ada.close()
            await two.bob.close()
            try await adaStore.close()
        }
        let adaStore = try await Store.open(at: place.location("ada"), credential: .unprotected)
        let two = try await TwoMessengers(
            adaStore: adaStore, bobStore: bobStore, adaIdentity: adaIdentity, bobIdentity: bobIdentity)
        let listener = try await two.bob.listen(on: "127.0.0.1:0")
        let ada = try await two.ada.dial(listener.address, expecting: bobIdentity.publicKey)
        var accepted = listener.makeAsyncIterator()
        let bob = try #require(try await accepted.next())
        let summary = try #require(try await EventReader(ada).next { $0.summary })
        #expect(summary.isResumed && summary.id == id)
        #expect(try await EventReader(bob).texts(3) == ["offline 0", "offline 1", "offline 2"])
        #expect(await ada.waitUntilDelivered(for: .seconds(60)))
        await two.ada.close()
        await two.bob.close()
        await listener.close()
        let kept = try await adaStore.messages(with: ada.peerID)
        #expect(kept.map(\.state) == [.delivered, .delivered, .delivered, .delivered])
        #expect(try await bobStore.messages(with: bob.peerID).map(\.id) == kept.map(\.id))
        try await adaStore.close()
    }

    @Test("what cannot be stored is not acknowledged: the conversation ends, and the message comes later")
    func failingStore() async throws {
        let place = Place()
        let (adaIdentity, bobIdentity) = (try Identity.generate(.ed25519), try Identity.generate(.ed25519))
        let adaStore = try Store.inMemory()
        let bobStore = try await Store.create(at: place.location("bob"), credential: .unprotected)
        let two = try await TwoMessengers(
            adaStore: adaStore, bobStore: bobStore, adaIdentity: adaIdentity, bobIdentity: bobIdentity)
        let (ada, bob, _) = try await two.connect()
        try await ada.send("one")
        #expect(await ada.waitUntilDelivered(for: .seconds(60)))
        try await bobStore.close()
        let second = try await ada.send("two")
        guard case .failed(let error) = await bob.waitUntilEnded() else {
            Issue.record("it did not fail")
            return
        }
        #expect(error.code == .system)
        #expect(error.cause is StoreError)
        #expect(try await adaStore.message(second.id, with: ada.peerID, .outgoing)?.state == .waiting)

        let reopened = try await Store.open(at: place.location("bob"), credential: .unprotected)
        let again = try await TwoMessengers(
            adaStore: adaStore, bobStore: reopened, adaIdentity: adaIdentity, bobIdentity: bobIdentity)
        await two.ada.close()
        let (adaAgain, bobAgain, _) = try await again.connect()
        #expect(try await EventReader(bobAgain).texts(1) == ["two"])
        #expect(await adaAgain.waitUntilDelivered(for: .seconds(60)))
        await again.ada.close()
        await again.bob.close()
        #expect(try await reopened.messages(with: bobAgain.peerID).map(\.text) == ["one", "two"])
        try await reopened.close()
    }

    @Test("whoever writes and closes at once has delivered", arguments: [true, false])
    func writesAndCloses(isAdaInitiator: Bool) async throws {
        for count in [1, 300] {
            let two = try await TwoMessengers()
            let (ada, bob, _) = try await two.connect(isAdaInitiator: isAdaInitiator)
            for number in 0..<count { try await ada.send("\(number)") }
            async let texts = EventReader(bob).texts(count)
            await ada.close()
            #expect(try await texts == (0..<count).map { "\($0)" })
            let waiting = try await two.ada.store.pendingMessages(to: ada.peerID)
            #expect(waiting.isEmpty)
            await two.bob.close()
        }
    }

    @Test("a peer who acknowledges nothing holds up closing for so long and no longer")
    func closingIsBounded() async throws {
        let two = try await TwoMessengers { $0.closeTimeout = .milliseconds(50) }
        let (near, far) = MemoryTransport.pair()
        let responder = two.bob.endpoint
        async let accepted = responder.respond(over: far)
        let ada = try await two.ada.adopt(try await two.ada.endpoint.initiate(over: near)).conversation
        let bob = try await accepted
        try await bob.send([0])
        let message = try await ada.send("lost on you")
        await ada.close()
        #expect(await ada.waitUntilEnded() == .closedByUs)
        #expect(await bob.waitUntilEnded() == .closedByPeer)
        #expect(try await two.ada.store.message(message.id, with: ada.peerID, .outgoing)?.state == .waiting)
    }

    @Test("when nobody takes the events, the author is made to wait")
    func backpressure() async throws {
        let two = try await TwoMessengers()
        let (ada, bob, _) = try await two.connect()
        let count = 3_000
        let writing = Task {
            for number in 0..<count {
                await ada.waitForRoom()
                try await ada.send("\(number)")
            }
        }
        let reader = EventReader(bob)
        // Until the author cannot go on: its limit is reached, and the reader's events are full.
        let limits = ConversationLimits()
        while await ada.undeliveredCount < limits.outstandingMessages || bob.events.queue.count < limits.waitingMessages
        {
            await Task.yield()
        }
        // By no more than a batch.
        #expect(bob.events.queue.count <= limits.waitingMessages + 256)
        #expect(try await two.bob.store.messages(with: bob.peerID, limit: count).count < count)
        #expect(try await reader.texts(count) == (0..<count).map { "\($0)" })
        try await writing.value
        await ada.close()
        await bob.close()
    }
}
