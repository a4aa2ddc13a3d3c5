import Foundation
import KamuneStore
import KamuneTransport
import Testing

@testable import Kamune

@Suite("Conversations that outlive their connections")
struct ConversationTests {
    @Test("what is sent arrives, is stored at both ends, and is delivered", arguments: [true, false])
    func roundTrip(isAdaInitiator: Bool) async throws {
        let two = try await TwoMessengers()
        let (ada, bob, _) = try await two.connect(isAdaInitiator: isAdaInitiator)
        let (adaEvents, bobEvents) = (EventReader(ada), EventReader(bob))
        let sent = try await ada.send("hello")
        #expect(sent.state == .waiting)
        #expect(try await bobEvents.texts(1) == ["hello"])
        #expect(try await adaEvents.next { $0.state(of: sent.id) } == .inFlight)
        #expect(try await adaEvents.next { $0.state(of: sent.id) } == .delivered)
        try await bob.send("hi")
        #expect(try await adaEvents.texts(1) == ["hi"])
        await ada.close()
        #expect(await ada.waitUntilEnded() == .closedByUs)
        #expect(await bob.waitUntilEnded() == .closedByPeer)
        for (messenger, conversation) in [(two.ada, ada), (two.bob, bob)] {
            let kept = try await messenger.store.messages(with: conversation.peerID)
            #expect(kept.map(\.text) == ["hello", "hi"])
            #expect(kept.allSatisfy { $0.session != nil })
        }
        let atAda = try await two.ada.store.messages(with: ada.peerID)
        let atBob = try await two.bob.store.messages(with: bob.peerID)
        #expect(atAda.map(\.id) == atBob.map(\.id))
        #expect(atAda.map(\.state) == [.delivered, .received])
        #expect(atBob.map(\.state) == [.received, .delivered])
        #expect(abs(atAda[0].sent.timeIntervalSince(atBob[0].sent)) < 0.001)
    }

    @Test("a message written without a connection goes out when there is one, also after a restart")
    func offline() async throws {
        let (adaStore, bobStore) = (try Store.inMemory(), try Store.inMemory())
        let (adaIdentity, bobIdentity) = (try Identity.generate(.ed25519), try Identity.generate(.mldsa65))
        let before = try await TwoMessengers(
            adaStore: adaStore, bobStore: bobStore, adaIdentity: adaIdentity, bobIdentity: bobIdentity)
        let (ada, bob, sessions) = try await before.connect()
        let adaEvents = EventReader(ada)
        sessions.initiator.abandon()
        try await adaEvents.next { if case .disconnected = $0 { true } else { nil } }
        for number in 0..<3 { try await ada.send("offline \(number)") }
        #expect(await !ada.isConnected)
        #expect(try await adaStore.pendingMessages(to: ada.peerID).count == 3)
        await ada.close()
        await bob.close()

        let after = try await TwoMessengers(
            adaStore: adaStore, bobStore: bobStore, adaIdentity: adaIdentity, bobIdentity: bobIdentity)
        let (again, bobAgain, _) = try await after.connect(isAdaInitiator: false)
        #expect(try await EventReader(bobAgain).texts(3) == ["offline 0", "offline 1", "offline 2"])
        await again.close()
        #expect(try await adaStore.messages(with: again.peerID).map(\.state) == [.delivered, .delivered, .delivered])
    }

    @Test("a session that is resumed goes on with the same conversation")
    func resumption() async throws {
        let two = try await TwoMessengers()
        let (ada, bob, sessions) = try await two.connect()
        let adaEvents = EventReader(ada)
        #expect(try await adaEvents.next { $0.summary }?.isResumed == false)
        try await two.accept()
        sessions.initiator.abandon()
        let (adaAgain, bobAgain, _) = try await two.connect(isResuming: true)
        #expect(adaAgain === ada)
        #expect(bobAgain === bob)
        let summary = try #require(try await adaEvents.next { $0.summary })
        #expect(summary.isResumed && summary.isAcknowledged)
        #expect(summary.id == sessions.initiator.id)
        try await bob.send("still here")
        #expect(try await adaEvents.texts(1) == ["still here"])
        await two.ada.close()
        await two.bob.close()
    }

    @Test("when both dial at once, both keep the same session")
    func crossing() async throws {
        for _ in 0..<8 {
            let two = try await TwoMessengers()
            let (ada, bob, first) = try await two.connect(isAdaInitiator: true)
            let (_, _, second) = try await two.connect(isAdaInitiator: false)
            let isAdaFirst = two.ada.endpoint.identity.publicKey.spki.lexicographicallyPrecedes(
                two.bob.endpoint.identity.publicKey.spki)
            let kept = isAdaFirst ? first : second
            let dropped = isAdaFirst ? second : first
            _ = await dropped.initiator.waitUntilEnded()
            _ = await dropped.responder.waitUntilEnded()
            try await ada.send("one")
            #expect(try await EventReader(bob).texts(1) == ["one"])
            #expect(await ada.session === (isAdaFirst ? kept.initiator : kept.responder))
            #expect(await bob.session === (isAdaFirst ? kept.responder : kept.initiator))
            await ada.close()
            await bob.close()
        }
    }

    @Test("a later session from the same side takes the place of the earlier, and nothing is lost or doubled")
    func replacement() async throws {
        let two = try await TwoMessengers()
        let (ada, bob, first) = try await two.connect()
        let bobEvents = EventReader(bob)
        var expected: [String] = []
        for round in 0..<20 {
            for number in 0..<10 {
                let text = "\(round).\(number)"
                try await ada.send(text)
                expected.append(text)
            }
            let (again, _, _) = try await two.connect()
            #expect(again === ada)
        }
        #expect(try await bobEvents.texts(expected.count) == expected)
        _ = await first.initiator.waitUntilEnded()
        await ada.close()
        await bob.close()
        #expect(try await two.bob.store.messages(with: bob.peerID, limit: 1_000).map(\.text) == expected)
    }

    @Test("what is too large is refused, and the conversation goes on")
    func sizes() async throws {
        let two = try await TwoMessengers()
        let (ada, bob, _) = try await two.connect()
        let limit = ada.maximumBodySize
        #expect(limit == 61_409)
        let refusal = await error { () async throws(KamuneError) in
            try await ada.send([UInt8](repeating: 1, count: limit + 1))
        }
        #expect(refusal?.code == .messageTooLarge)
        let largest = [UInt8](repeating: 7, count: limit)
        try await ada.send(largest)
        try await ada.send([])
        let bobEvents = EventReader(bob)
        #expect(
            try await bobEvents.next { if case .message(let message) = $0 { message.body } else { nil } } == largest)
        #expect(try await bobEvents.texts(1) == [""])
        await ada.close()
        #expect(await error { () async throws(KamuneError) in try await ada.send("late") }?.code == .sessionEnded)
        await bob.close()
    }

    @Test(
        "a peer who breaks the rules of delivery ends the conversation",
        arguments: [
            [UInt8](), [9], [1, 2, 3], [2] + [UInt8](repeating: 0, count: 16), [0], [0, 1],
        ])
    func hostile(payload: [UInt8]) async throws {
        let two = try await TwoMessengers()
        // Bob's side is driven by hand.
        let (near, far) = MemoryTransport.pair()
        let responder = two.bob.endpoint
        async let accepted = responder.respond(over: far)
        let dialed = try await two.ada.endpoint.initiate(over: near)
        let ada = try await two.ada.adopt(dialed).conversation
        let session = try await accepted
        try await session.send([0])
        try await session.send(payload)
        let end = await ada.waitUntilEnded()
        guard case .failed(let error) = end else {
            Issue.record("it ended by \(end)")
            return
        }
        #expect(error.code == .protocolViolation)
    }

    @Test("a conversation without a connection ends when its patience does")
    func patience() async throws {
        var reconnection = Reconnection()
        reconnection.patience = .milliseconds(1)
        let two = try await TwoMessengers(reconnection: reconnection)
        let (ada, bob, sessions) = try await two.connect()
        sessions.initiator.abandon()
        for conversation in [ada, bob] {
            let end = await conversation.waitUntilEnded()
            #expect(end == .failed(KamuneError(.connectionLost, "")), "\(end)")
        }
        // The next session begins a new one.
        let (again, _, _) = try await two.connect()
        #expect(again !== ada)
        await two.ada.close()
        await two.bob.close()
    }

    @Test("what was sent right before closing is delivered first")
    func closingAtOnce() async throws {
        for _ in 0..<50 {
            let two = try await TwoMessengers()
            let (ada, bob, _) = try await two.connect()
            let sent = try await ada.send("the last word")
            await ada.close()
            #expect(await bob.waitUntilEnded() == .closedByPeer)
            let state = try await two.ada.store.message(sent.id, with: ada.peerID, .outgoing)?.state
            #expect(state == .delivered)
        }
    }

    @Test("closing does not wait for somebody to take the events")
    func closingUntaken() async throws {
        let two = try await TwoMessengers()
        let (ada, bob, _) = try await two.connect()
        for _ in 0..<4 { try await ada.send(contentsOf: (0..<250).map { Array("\($0)".utf8) }) }
        await two.bob.close()
        await two.ada.close()
        #expect(await ada.hasEnded)
        #expect(await bob.hasEnded)
    }
}
