import Foundation
import KamuneProtocol
import KamuneStore
import KamuneTransport
import Testing

@testable import Kamune

@Suite("Peers who are not honest about delivery")
struct HostileDeliveryTests {
    /// Ada's conversation with a Bob whose frames are made by hand.
    private static func connect(_ two: TwoMessengers) async throws -> (ada: Conversation, bob: Session) {
        let (near, far) = MemoryTransport.pair()
        let responder = two.bob.endpoint
        async let accepted = responder.respond(over: far)
        let dialed = try await two.ada.endpoint.initiate(over: near)
        let bob = try await accepted
        return (try await two.ada.adopt(dialed).conversation, bob)
    }

    private static func name(_ number: UInt64) -> MessageID { MessageID(stream: 7, number: number) }

    private static func frame(
        _ id: MessageID, _ text: String, kind: UInt8 = 0, written: Int64 = 1_760_000_000_000
    ) -> [UInt8] {
        [1] + id.bytes + [kind] + withUnsafeBytes(of: written.bigEndian, Array.init) + Array(text.utf8)
    }

    @Test("a name that was used before is the message of before, whatever comes with it")
    func usedName() async throws {
        let two = try await TwoMessengers()
        let (ada, bob) = try await Self.connect(two)
        try await bob.send([0])
        for text in ["first", "second"] { try await bob.send(Self.frame(Self.name(1), text)) }
        try await bob.send(Self.frame(Self.name(2), "third"))
        #expect(try await EventReader(ada).texts(2) == ["first", "third"])
        // Both are acknowledged: the last one stands for all.
        var messages = bob.messages.makeAsyncIterator()
        #expect(try await messages.next()?.bytes == [0])
        var last: [UInt8]?
        while last != [2] + Self.name(2).bytes { last = try await messages.next()?.bytes }
        await ada.close()
    }

    @Test("a peer's names are its own: neither ours nor another peer's messages are touched")
    func strangeNames() async throws {
        let two = try await TwoMessengers()
        let other = try await TwoMessengers(adaStore: two.ada.store, adaIdentity: two.ada.endpoint.identity)
        let (ada, bob) = try await Self.connect(two)
        let (adaWithOther, eve) = try await Self.connect(other)
        let ours = try await ada.send("ours")
        try await bob.send([0])
        try await bob.send(Self.frame(ours.id, "Bob uses Ada's name"))
        #expect(try await EventReader(ada).texts(1) == ["Bob uses Ada's name"])
        try await eve.send([0])
        try await eve.send(Self.frame(ours.id, "and so does Eve"))
        #expect(try await EventReader(adaWithOther).texts(1) == ["and so does Eve"])
        let kept = try await two.ada.store.messages(with: ada.peerID)
        #expect(kept.map(\.text) == ["ours", "Bob uses Ada's name"])
        #expect(kept[0].state == .waiting)
        bob.abandon()
        // Eve claims to have Ada's message to Bob.
        eve.abandon()
        let (adaAgain, eveAgain) = try await Self.connect(other)
        try await eveAgain.send([0] + ours.id.bytes)
        try await eveAgain.send(Self.frame(Self.name(1), "seen"))
        #expect(try await EventReader(adaAgain).texts(1) == ["seen"])
        #expect(try await two.ada.store.message(ours.id, with: ada.peerID, .outgoing)?.state == .waiting)
        await two.ada.close()
        await other.ada.close()
    }

    @Test("any time and any kind is taken, and times are brought within the calendar's years")
    func strangeValues() async throws {
        let two = try await TwoMessengers()
        let (ada, bob) = try await Self.connect(two)
        try await bob.send([0])
        let times: [Int64] = [.min, .min + 1, -1, 0, .max]
        for (index, time) in times.enumerated() {
            try await bob.send(
                Self.frame(Self.name(UInt64(index)), "\(index)", kind: UInt8(255 - index), written: time))
        }
        let reader = EventReader(ada)
        let calendar = Calendar(identifier: .gregorian)
        for index in times.indices {
            let message = try #require(
                try await reader.next { if case .message(let message) = $0 { message } else { nil } })
            #expect(message.kind.rawValue == UInt8(255 - index))
            #expect((1...9_999).contains(calendar.component(.year, from: message.sent)), "\(message.sent)")
            #expect(!message.sent.formatted(.iso8601).isEmpty)
            let kept = try await two.ada.store.message(message.id, with: ada.peerID, .incoming)
            #expect(kept?.sent == message.sent)
        }
        await ada.close()
    }

    @Test("a peer who claims to have what it was not sent is sent it; what it was sent it may claim")
    func liar() async throws {
        let two = try await TwoMessengers()
        let (before, bob) = try await Self.connect(two)
        bob.abandon()
        var sent: [StoredMessage] = []
        for number in 0..<3 { sent.append(try await before.send("\(number)")) }
        func claimTheSecond() async throws -> (ada: Conversation, bob: Session, next: [UInt8]) {
            let (ada, bob) = try await Self.connect(two)
            try await bob.send([0] + sent[1].id.bytes)
            var messages = bob.messages.makeAsyncIterator()
            #expect(try await messages.next()?.bytes == [0])
            return (ada, bob, try #require(try await messages.next()?.bytes))
        }
        let first = try await claimTheSecond()
        #expect(Array(first.next.dropFirst(26)) == Array("0".utf8))
        #expect(Array(first.next[1..<17]) == sent[0].id.bytes)
        first.bob.abandon()
        let second = try await claimTheSecond()
        #expect(Array(second.next.dropFirst(26)) == Array("2".utf8))
        second.bob.abandon()
        _ = await second.bob.waitUntilEnded()
        let states = try await two.ada.store.messages(with: second.ada.peerID).map(\.state)
        #expect(states == [.delivered, .delivered, .waiting])
        await second.ada.close()
    }

    @Test("a peer restored from an old copy, and an author restored from one, lose nothing new")
    func restored() async throws {
        let two = try await TwoMessengers()
        let (ada, bob, sessions) = try await two.connect()
        let bobEvents = EventReader(bob)
        try await ada.send("one")
        #expect(try await bobEvents.texts(1) == ["one"])
        #expect(await ada.waitUntilDelivered(for: .seconds(60)))
        sessions.initiator.abandon()
        // Bob's store has never heard of Ada.
        let forgetful = try await TwoMessengers(
            adaStore: two.ada.store, adaIdentity: two.ada.endpoint.identity,
            bobIdentity: two.bob.endpoint.identity)
        let (adaAgain, bobAgain, _) = try await forgetful.connect()
        try await adaAgain.send("two")
        #expect(try await EventReader(bobAgain).texts(1) == ["two"])
        await forgetful.ada.close()
        await forgetful.bob.close()
        // Ada's store has never heard of what she wrote.
        let copied = try await TwoMessengers(
            bobStore: two.bob.store, adaIdentity: two.ada.endpoint.identity,
            bobIdentity: two.bob.endpoint.identity)
        let (adaOfOld, bobThen, _) = try await copied.connect()
        try await adaOfOld.send("three")
        #expect(try await EventReader(bobThen).texts(1) == ["three"])
        #expect(await adaOfOld.waitUntilDelivered(for: .seconds(60)))
        await copied.ada.close()
        await two.ada.close()
        await two.bob.close()
    }

    @Test("who does not take its acknowledgements away is sent no more than may be on its way")
    func silentReceiver() async throws {
        let two = try await TwoMessengers()
        let (ada, bob) = try await Self.connect(two)
        try await ada.send(contentsOf: (0..<1_100).map { Array("\($0)".utf8) })
        try await bob.send([0])
        var messages = bob.messages.makeAsyncIterator()
        #expect(try await messages.next()?.bytes == [0])
        var last: [UInt8] = []
        for _ in 0..<1_024 { last = try #require(try await messages.next()?.bytes) }
        // The answer to a ping comes after everything that was sent before.
        _ = try await bob.ping()
        #expect(bob.core.inbox.count == 0)
        try await bob.send([2] + last[1..<17])
        for _ in 0..<76 { last = try #require(try await messages.next()?.bytes) }
        #expect(last.dropFirst(26) == Array("1099".utf8)[...])
        bob.abandon()
        await ada.close()
    }
}
