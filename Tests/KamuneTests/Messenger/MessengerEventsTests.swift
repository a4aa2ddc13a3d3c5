import Foundation
import KamuneStore
import Testing

@testable import Kamune

@Suite("The events of all conversations", .timeLimit(.minutes(5)))
struct MessengerEventsTests {
    @Test("come from every conversation, each in order, and end when the messenger has shut down")
    func all() async throws {
        let bob = try Identity.generate(.ed25519)
        let store = try Store.inMemory()
        var pairs: [TwoMessengers] = []
        // One Bob, whom three people talk to; the first before anybody asks for the events.
        let first = try await TwoMessengers(bobStore: store, bobIdentity: bob)
        let (ada, _, _) = try await first.connect()
        try await ada.send("0.0")
        let events = await first.bob.events
        var conversations = [ada]
        for _ in 1..<3 {
            let other = try await TwoMessengers()
            let joined = TwoMessengers(ada: other.ada, bob: first.bob)
            conversations.append(try await joined.connect().ada)
            pairs.append(joined)
        }
        let count = 200
        for (index, conversation) in conversations.enumerated() {
            for number in (index == 0 ? 1 : 0)..<count { try await conversation.send("\(index).\(number)") }
        }
        let reading = Task {
            var texts: [PeerID: [String]] = [:]
            var ends = 0
            for try await event in events {
                if let text = event.event.text { texts[event.conversation.peerID, default: []].append(text) }
                if event.event.end != nil { ends += 1 }
            }
            return (texts, ends)
        }
        for conversation in conversations {
            #expect(await conversation.waitUntilDelivered(for: .seconds(60)))
        }
        await first.bob.shutDown()
        let (texts, ends) = try await reading.value
        #expect(ends == 3)
        #expect(
            texts.values.map { $0.first?.first ?? " " }.sorted() == ["0", "1", "2"])
        for lines in texts.values {
            let index = lines.first?.prefix(1) ?? ""
            #expect(lines == (0..<count).map { "\(index).\($0)" })
        }
        withExtendedLifetime(pairs) {}
    }

    @Test("whoever does not take them makes the peers wait, and taking goes on where it was")
    func bounds() async throws {
        let two = try await TwoMessengers { $0.acknowledgesWhenTaken = true }
        let events = await two.bob.events
        let (ada, _, _) = try await two.connect()
        try await ada.send("one")
        var iterator = events.makeAsyncIterator()
        while try await iterator.next()?.event.text == nil {}
        // It was given, and is taken only when the next is asked for.
        #expect(await !ada.waitUntilDelivered(for: .milliseconds(100)))
        let next = Task { [iterator] in
            var iterator = iterator
            return try await iterator.next()?.event.end
        }
        #expect(await ada.waitUntilDelivered(for: .seconds(60)))
        await two.ada.close()
        #expect(try await next.value == .closedByPeer)
    }
}
