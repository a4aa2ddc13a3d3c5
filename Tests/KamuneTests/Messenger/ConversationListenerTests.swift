import Foundation
import KamuneStore
import KamuneTransport
import Testing

@testable import Kamune

@Suite("Listening for conversations", .timeLimit(.minutes(5)))
struct ConversationListenerTests {
    @Test("a conversation that is being closed holds up its own peer, and nobody else")
    func slowClosing() async throws {
        let two = try await TwoMessengers()
        let carol = try await TwoMessengers().ada
        let listener = try await two.bob.listen(on: "127.0.0.1:0")
        var conversations = listener.makeAsyncIterator()
        let hole = BlackHole()
        let connection = try await TCPTransport.connect(to: try Address(parsing: listener.address))
        let first = try await two.ada.endpoint.initiate(over: hole.connection(connection))
        _ = try await two.ada.adopt(first)
        let bob = try #require(try await conversations.next())
        // What Ada does not confirm, Bob waits for before the goodbye.
        hole.swallow()
        try await bob.send("unconfirmed")
        let closing = Task { await bob.close() }
        while await bob.machine.isOpen { await Task.yield() }
        let second = try await two.ada.endpoint.dial(listener.address)
        let third = try await two.ada.endpoint.dial(listener.address)
        // Only the latest of a peer waits.
        _ = await second.waitUntilEnded()

        let atCarol = try await carol.dial(listener.address)
        let withCarol = try #require(try await conversations.next())
        #expect(withCarol.peer.identity == carol.endpoint.identity.publicKey)
        try await atCarol.send("hello")
        #expect(try await EventReader(withCarol).texts(1) == ["hello"])
        #expect(await !bob.hasEnded)

        first.abandon()
        await closing.value
        let again = try #require(try await conversations.next())
        #expect(again.peerID == bob.peerID && again !== bob)
        #expect(await again.session?.id == third.id)
        await carol.close()
        third.abandon()
        await two.bob.close()
        await listener.close()
    }
}
