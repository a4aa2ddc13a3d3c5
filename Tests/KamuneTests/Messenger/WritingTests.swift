import Foundation
import KamuneStore
import Testing

@testable import Kamune

@Suite("Writing to somebody, there or not", .timeLimit(.minutes(5)))
struct WritingTests {
    @Test("what is written to somebody who is away goes out in the next conversation")
    func away() async throws {
        let two = try await TwoMessengers()
        let bob = try await two.ada.store.accept(two.bob.endpoint.identity.publicKey, name: "Bob", at: Date()).id
        #expect(await two.ada.conversation(with: bob) == nil)
        try await two.ada.write("one", to: bob)
        let messages = try await two.ada.write([Array("two".utf8), Array("three".utf8)], to: bob)
        #expect(messages.map(\.state) == [.waiting, .waiting])
        let (adaConversation, bobConversation, _) = try await two.connect()
        #expect(try await EventReader(bobConversation).texts(3) == ["one", "two", "three"])
        #expect(await two.ada.conversation(with: bob) === adaConversation)
        #expect(await two.ada.conversations.map(\.peerID) == [bob])
        // Now through the conversation.
        let four = try await two.ada.write("four", to: bob)
        #expect(await adaConversation.waitUntilDelivered(for: .seconds(60)))
        #expect(try await two.ada.store.message(four.id, with: bob, .outgoing)?.state == .delivered)
        await adaConversation.close()
        #expect(await two.ada.conversations.isEmpty)
        #expect(try await two.ada.write("five", to: bob).state == .waiting)
    }

    @Test(
        "what is stored beside a conversation goes out in it, before what is written later", arguments: [true, false])
    func beside(announces: Bool) async throws {
        let two = try await TwoMessengers(bobAnnounces: announces)
        let (ada, bob, _) = try await two.connect()
        let reader = EventReader(bob)
        try await ada.send("one")
        #expect(await ada.waitUntilDelivered(for: .seconds(60)))
        try await two.ada.store.append(.outgoing(to: ada.peerID, body: Array("two".utf8), at: Date()))
        await ada.storeHasMore()
        #expect(try await reader.texts(2) == ["one", "two"])
        try await two.ada.store.append(.outgoing(to: ada.peerID, body: Array("three".utf8), at: Date()))
        try await ada.send("four")
        #expect(try await reader.texts(2) == ["three", "four"])
        await ada.close()
        await bob.close()
    }

    @Test("whatever is written while conversations come and go is delivered, each once and in order")
    func race() async throws {
        let two = try await TwoMessengers()
        let bob = try await two.ada.store.accept(two.bob.endpoint.identity.publicKey, name: "Bob", at: Date()).id
        let count = 300
        let writing = Task { for number in 0..<count { try await two.ada.write("\(number)", to: bob) } }
        var texts: [String] = []
        while texts.count < count {
            let (ada, conversation, _) = try await two.connect()
            texts += try await EventReader(conversation).texts(1)
            _ = await ada.waitUntilDelivered(for: .seconds(60))
            await ada.close()
            for try await event in conversation.events {
                if let text = event.text { texts.append(text) }
            }
        }
        try await writing.value
        #expect(texts == (0..<count).map { "\($0)" })
    }

    @Test("what is too large, and whoever is not known, is refused, and nothing is stored")
    func refused() async throws {
        let two = try await TwoMessengers()
        let bob = try await two.ada.store.accept(two.bob.endpoint.identity.publicKey, name: "Bob", at: Date()).id
        let large = [UInt8](repeating: 1, count: Conversation.maximumBodySize(Configuration()) + 1)
        #expect(
            await error { () async throws(KamuneError) in try await two.ada.write([[1], large], to: bob) }?.code
                == .messageTooLarge)
        #expect(try await two.ada.store.waitingCount(to: bob) == 0)
        try await two.ada.store.forget(bob)
        #expect(
            await error { () async throws(KamuneError) in try await two.ada.write("hello", to: bob) }?.code == .misuse)
    }
}
