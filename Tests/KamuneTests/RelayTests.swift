import KamuneRelayProtocol
import KamuneTestKit
import KamuneTransport
import Testing

@testable import Kamune

/// Sessions through a relay.
@Suite("Sessions through a relay", .timeLimit(.minutes(5)))
struct RelayTests {
    /// Both sides of a session, of which one or both may announce nothing, as 0.7 does.
    private func connect(
        _ relay: TestRelay, _ algorithm: IdentityAlgorithm = .ed25519, announcing: (Bool, Bool) = (true, true)
    ) async throws -> SessionPair {
        let ada = try TestEndpoints.make(algorithm, name: "Ada") { $0.announcesCapabilities = announcing.0 }
        let bob = try TestEndpoints.make(algorithm, name: "Bob") { $0.announcesCapabilities = announcing.1 }
        let listener = try await bob.listen(on: "\(relay.address)")
        async let accepted = SessionPair.first(of: listener)
        let dialed = try await ada.dial(listener.address)
        let session = try #require(try await accepted)
        await listener.close()
        return SessionPair(initiator: dialed, responder: session)
    }

    @Test(
        "messages of every size pass, in order, both ways",
        arguments: IdentityAlgorithm.allCases, [[true, true], [true, false], [false, false]])
    func sizes(algorithm: IdentityAlgorithm, announcing: [Bool]) async throws {
        let relay = try await TestRelay.start()
        let pair = try await connect(relay, algorithm, announcing: (announcing[0], announcing[1]))
        // Some before and after the edge of each bucket, whatever signature and metadata add, and the largest.
        let edges = [512, 1_024, 4_096, 16_384, 32_704, 32_768, 61_435]
        let sizes = edges.flatMap { edge in stride(from: edge - 3_500, through: edge, by: 250).filter { $0 >= 0 } }
        func send(_ session: Session) async throws {
            for size in sizes {
                try await session.send([UInt8](repeating: UInt8(truncatingIfNeeded: size), count: size))
            }
        }
        func receive(_ session: Session) async throws {
            var messages = session.messages.makeAsyncIterator()
            for size in sizes {
                let message = try #require(try await messages.next())
                #expect(message.bytes.count == size)
                #expect(message.bytes.allSatisfy { $0 == UInt8(truncatingIfNeeded: size) })
            }
        }
        async let there: Void = send(pair.initiator)
        async let back: Void = send(pair.responder)
        async let atResponder: Void = receive(pair.responder)
        try await receive(pair.initiator)
        _ = try await (there, back, atResponder)
        await pair.initiator.close()
        #expect(await pair.responder.waitUntilEnded() == .closedByPeer)
        await relay.stop()
    }

    @Test("a relay that drops everybody ends the session as a lost connection")
    func dropped() async throws {
        let relay = try await TestRelay.start()
        let pair = try await connect(relay)
        relay.dropAll()
        for session in [pair.initiator, pair.responder] {
            guard case .failed(let error) = await session.waitUntilEnded() else {
                Issue.record("it has not failed")
                continue
            }
            #expect(error.code == .connectionLost)
        }
        await relay.stop()
    }

    @Test("a relay's refusal reaches the person in one sentence")
    func refusal() async throws {
        let relay = try await TestRelay.start()
        let ada = try TestEndpoints.make(name: "Ada")
        let refused = await error { () async throws(KamuneError) in
            try await ada.dial("\(relay.address)#0102")
        }
        #expect(refused?.code == .unreachable)
        #expect(refused?.message.contains("Nobody waits under this token") == true)
        // The token itself is nobody's business.
        #expect(refused?.message.contains("0102") == false)
        await relay.stop()
    }

    @Test("a key goes with an address, and is never printed")
    func key() async throws {
        var character = TestRelay.Character()
        character.key = PreSharedKey(copying: Array("correct horse".utf8))
        let relay = try await TestRelay.start(character)
        let keyed = RelayAddressText.keyed("\(relay.address)", "correct horse".utf8)
        let bob = try TestEndpoints.make(name: "Bob")
        let listener = try await bob.listen(on: keyed)
        #expect(!listener.address.contains("correct"))
        async let accepted = SessionPair.first(of: listener)
        let ada = try TestEndpoints.make(name: "Ada")
        let refused = await error { () async throws(KamuneError) in try await ada.dial(listener.address) }
        #expect(refused?.message.contains("--relay-key") == true)
        let dialed = try await ada.dial(RelayAddressText.keyed(listener.address, "correct horse".utf8))
        let session = try #require(try await accepted)
        try await dialed.send("hello")
        var messages = session.messages.makeAsyncIterator()
        #expect(try await messages.next()?.text == "hello")
        await dialed.close()
        await listener.close()
        await relay.stop()
    }

    @Test("texts that are a relay's address are told from others")
    func texts() {
        #expect(RelayAddressText.isOne("relay+tcp://h:1"))
        #expect(RelayAddressText.isOne("RELAY+WSS://h"))
        #expect(RelayAddressText.isOne("relay://h:1?token=01"))
        #expect(!RelayAddressText.isOne("tcp://h:1"))
        #expect(!RelayAddressText.isOne("h:1"))
        #expect(RelayAddressText.keyed("tcp://h:1", "k".utf8) == "tcp://h:1")
        #expect(RelayAddressText.keyed("relay+ws://:x@h:1", "k".utf8) == "relay+ws://:x@h:1")
        #expect(RelayAddressText.keyed("relay+ws://h:1#01", "a/b".utf8) == "relay+ws://:a%2fb@h:1#01")
    }
}
