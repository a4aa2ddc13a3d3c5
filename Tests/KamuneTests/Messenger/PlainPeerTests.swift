import Foundation
import KamuneStore
import KamuneTransport
import Testing

@testable import Kamune

@Suite("Conversations with programs of version 0.7")
struct PlainPeerTests {
    /// Ada's conversation with a Bob who announces nothing, and whose session is driven by hand.
    private static func connect(
        _ two: TwoMessengers, wrap: (any Connection) -> any Connection = { $0 }
    ) async throws -> (ada: Conversation, bob: Session) {
        let (near, far) = MemoryTransport.pair()
        let responder = two.bob.endpoint
        async let accepted = responder.respond(over: far)
        let dialed = try await two.ada.endpoint.initiate(over: wrap(near))
        let bob = try await accepted
        return (try await two.ada.adopt(dialed).conversation, bob)
    }

    @Test("messages go as they are, and come as far as sent")
    func plain() async throws {
        let two = try await TwoMessengers(bobAnnounces: false)
        let (ada, bob) = try await Self.connect(two)
        let adaEvents = EventReader(ada)
        #expect(try await adaEvents.next { $0.summary }?.isAcknowledged == false)
        let texts = ["hello", "", "\u{0}\u{1}", String(repeating: "x", count: ada.maximumBodySize)]
        var sent: [MessageID] = []
        for text in texts { sent.append(try await ada.send(text).id) }
        var messages = bob.messages.makeAsyncIterator()
        for text in texts { #expect(try await messages.next()?.text == text) }
        for id in sent { #expect(try await adaEvents.next { $0.state(of: id) == .sent ? true : nil } == true) }
        // What looks like a frame of delivery is a message like any other.
        let answers: [[UInt8]] = [[0], [2] + [UInt8](repeating: 0, count: 16), Array("hi".utf8)]
        for answer in answers { try await bob.send(answer) }
        for answer in answers {
            #expect(
                try await adaEvents.next { if case .message(let message) = $0 { message.body } else { nil } } == answer)
        }
        #expect(await ada.waitUntilDelivered(for: .seconds(60)))
        await ada.close()
        // Nothing came but the texts.
        #expect(try await messages.next() == nil)
        let states = try await two.ada.store.messages(with: ada.peerID).map(\.state)
        #expect(states == [.sent, .sent, .sent, .sent, .received, .received, .received])
    }

    @Test("what was under way when the connection was lost is marked, and not sent again")
    func maybeLost() async throws {
        let two = try await TwoMessengers(bobAnnounces: false)
        let hole = BlackHole()
        let (ada, bob) = try await Self.connect(two) { hole.connection($0) }
        let adaEvents = EventReader(ada)
        let first = try await ada.send("first")
        #expect(try await adaEvents.next { $0.state(of: first.id) == .sent ? true : nil } == true)
        hole.swallow()
        let second = try await ada.send("second")
        #expect(try await adaEvents.next { $0.state(of: second.id) } == .inFlight)
        await ada.session?.abandon()
        #expect(try await adaEvents.next { $0.state(of: second.id) } == .maybeLost)
        bob.abandon()
        let third = try await ada.send("third")
        let (again, bobAgain) = try await Self.connect(two)
        #expect(again === ada)
        var messages = bobAgain.messages.makeAsyncIterator()
        #expect(try await messages.next()?.text == "third")
        #expect(try await adaEvents.next { $0.state(of: third.id) == .sent ? true : nil } == true)
        await ada.close()
        let states = try await two.ada.store.messages(with: ada.peerID).map(\.state)
        #expect(states == [.sent, .maybeLost, .sent])
    }

    @Test("what an earlier program had under way is marked when there is a connection again")
    func strays() async throws {
        let two = try await TwoMessengers(bobAnnounces: false)
        let (before, _) = try await Self.connect(two)
        await before.close()
        let store = two.ada.store
        let stray = try await store.append(
            .outgoing(to: before.peerID, body: Array("stray".utf8), at: Date(), state: .inFlight))
        let (ada, bob) = try await Self.connect(two)
        #expect(try await EventReader(ada).next { $0.state(of: stray.message.id) } == .maybeLost)
        try await ada.send("next")
        var messages = bob.messages.makeAsyncIterator()
        #expect(try await messages.next()?.text == "next")
        await ada.close()
        #expect(try await store.messages(with: ada.peerID).map(\.state) == [.maybeLost, .sent])
    }

    @Test("a program that answers no pings is waited for once, and gets everything")
    func noAnswers() async throws {
        let two = try await TwoMessengers(bobAnnounces: false) {
            $0.confirmationTimeout = .milliseconds(50)
            $0.closeTimeout = .milliseconds(50)
        }
        let hole = BlackHole()
        let (near, far) = MemoryTransport.pair()
        let responder = two.bob.endpoint
        async let accepted = responder.respond(over: hole.connection(far))
        let dialed = try await two.ada.endpoint.initiate(over: near)
        let bob = try await accepted
        hole.swallow()
        let ada = try await two.ada.adopt(dialed).conversation
        let adaEvents = EventReader(ada)
        var messages = bob.messages.makeAsyncIterator()
        for text in ["one", "two", "three"] {
            let sent = try await ada.send(text)
            #expect(try await messages.next()?.text == text)
            #expect(try await adaEvents.next { $0.state(of: sent.id) == .sent ? true : nil } == true)
        }
        await ada.close()
        #expect(try await two.ada.store.messages(with: ada.peerID).map(\.state) == [.sent, .sent, .sent])
    }
}
