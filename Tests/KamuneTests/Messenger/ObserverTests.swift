import Synchronization
import Testing

@testable import Kamune

@Suite("Whoever is told of what happens in all conversations", .timeLimit(.minutes(5)))
struct ObserverTests {
    private typealias Told = (conversation: Conversation, event: ConversationEvent)

    private func observer(isOnlyOne: Bool) -> (ConversationObserver, AsyncStream<Told>) {
        let (stream, continuation) = AsyncStream.makeStream(of: Told.self)
        return (ConversationObserver(isOnlyOne: isOnlyOne) { continuation.yield(($0, $1)) }, stream)
    }

    @Test("is told of everything, in order, and what it was told of counts as taken")
    func onlyOne() async throws {
        let (observer, stream) = observer(isOnlyOne: true)
        // More than may wait untaken.
        let count = 3 * 1_024
        let two = try await TwoMessengers(bobObserver: observer)
        let (ada, bob, _) = try await two.connect()
        let writing = Task {
            for number in 0..<count {
                await ada.waitForRoom()
                try await ada.send("\(number)")
            }
            _ = await ada.waitUntilDelivered(for: .seconds(120))
            await ada.close()
        }
        var texts: [String] = []
        var first: ConversationEvent?
        var last: ConversationEvent?
        for await (conversation, event) in stream {
            #expect(conversation === bob)
            if first == nil { first = event }
            if let text = event.text { texts.append(text) }
            last = event
            if event.end != nil { break }
        }
        try await writing.value
        #expect(first?.summary?.peer.name == "Ada")
        #expect(last?.end == .closedByPeer)
        #expect(texts == (0..<count).map { "\($0)" })
        // Nothing waits for anybody else.
        var rest: [ConversationEvent] = []
        for try await event in bob.events { rest.append(event) }
        #expect(rest.count == 1 && rest.first?.end == .closedByPeer)
    }

    @Test("is told beside whoever takes the events")
    func beside() async throws {
        let (observer, stream) = observer(isOnlyOne: false)
        let two = try await TwoMessengers(bobObserver: observer)
        let (ada, bob, _) = try await two.connect()
        try await ada.send("hello")
        #expect(try await EventReader(bob).texts(1) == ["hello"])
        var iterator = stream.makeAsyncIterator()
        #expect(await iterator.next()?.event.summary != nil)
        #expect(await iterator.next()?.event.text == "hello")
        await ada.close()
        await bob.close()
    }

    @Test("a message is acknowledged when the only observer was told, where that waits for the application")
    func acknowledgesWhenTaken() async throws {
        let (observer, _) = observer(isOnlyOne: true)
        let two = try await TwoMessengers(bobObserver: observer) { $0.acknowledgesWhenTaken = true }
        let (ada, bob, _) = try await two.connect()
        try await ada.send("hello")
        #expect(await ada.waitUntilDelivered(for: .seconds(60)))
        await ada.close()
        _ = await bob.waitUntilEnded()
    }
}
