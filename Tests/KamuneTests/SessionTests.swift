import KamuneTransport
import Testing

@testable import Kamune

@Suite("Session")
struct SessionTests {
    @Test("two people talk", arguments: SessionPair.Medium.allCases)
    func conversation(medium: SessionPair.Medium) async throws {
        let pair = try await SessionPair.connect(over: medium)
        #expect(pair.initiator.id == pair.responder.id)
        #expect(pair.initiator.id.count == 24)
        #expect(pair.initiator.peer.name == "Bob")
        #expect(pair.responder.peer.name == "Ada")
        #expect(pair.initiator.isInitiator)
        #expect(!pair.responder.isInitiator)

        try await pair.initiator.send("hello")
        var atResponder = pair.responder.messages.makeAsyncIterator()
        let hello = try #require(try await atResponder.next())
        #expect(hello.text == "hello")
        #expect(hello.id.count == 26)

        try await pair.responder.send("and hello to you")
        var atInitiator = pair.initiator.messages.makeAsyncIterator()
        #expect(try await atInitiator.next()?.text == "and hello to you")

        await pair.initiator.close()
        #expect(try await atResponder.next() == nil)
        #expect(await pair.responder.waitUntilEnded() == .closedByPeer)
        #expect(await pair.initiator.waitUntilEnded() == .closedByUs)
    }

    /// As when the one datagram with the goodbye was lost, and the program behind it has ended.
    @Test("a peer that has vanished without a word is a lost connection, not one that was slow to answer")
    func vanishedPeer() async throws {
        let ada = try TestEndpoints.make(name: "Ada") { $0.writeTimeout = .seconds(2) }
        let listener = try await TestEndpoints.make(name: "Bob").listen(on: "udp://127.0.0.1:0")
        async let accepted = SessionPair.first(of: listener)
        let dialed = try await ada.dial(listener.address)
        let session = try #require(try await accepted)
        session.abandon()
        _ = await session.waitUntilEnded()
        try await dialed.send("hello")
        guard case .failed(let error) = await dialed.waitUntilEnded() else {
            Issue.record("it has not failed")
            return
        }
        #expect(error.code == .connectionLost && error.message.contains("vanished"))
        await listener.close()
    }

    @Test("each pair of algorithms", arguments: IdentityAlgorithm.allCases, IdentityAlgorithm.allCases)
    func algorithms(initiator: IdentityAlgorithm, responder: IdentityAlgorithm) async throws {
        let ada = try TestEndpoints.make(initiator, name: "Ada")
        let bob = try TestEndpoints.make(responder, name: "Bob")
        let pair = try await SessionPair.connect(ada, bob, over: .memory)
        #expect(pair.initiator.peer.identity == bob.identity.publicKey)
        #expect(pair.responder.peer.identity == ada.identity.publicKey)
        #expect(pair.responder.peer.identity.algorithm == initiator)
        let largest = [UInt8](repeating: 0xa5, count: 61_435)
        try await pair.initiator.send(largest)
        try await pair.responder.send(largest)
        for session in [pair.initiator, pair.responder] {
            var messages = session.messages.makeAsyncIterator()
            #expect(try await messages.next()?.bytes == largest)
        }
        await pair.close()
    }

    @Test("the handshake tells its steps")
    func steps() async throws {
        let pair = try await SessionPair.connect()
        #expect(
            pair.initiator.handshake.map(\.kind) == [
                .tunnelEstablished, .peerIntroduced, .peerAccepted, .established,
            ])
        #expect(
            pair.responder.handshake.map(\.kind) == [
                .tunnelEstablished, .peerIntroduced, .peerAccepted, .established,
            ])
        await pair.close()
    }

    @Test("a message that is too large leaves the session as it is")
    func tooLarge() async throws {
        let pair = try await SessionPair.connect()
        let failure = await error { () async throws(KamuneError) in
            try await pair.initiator.send([UInt8](repeating: 0, count: 61_436))
        }
        #expect(failure?.code == .messageTooLarge)
        try await pair.initiator.send("still here")
        var messages = pair.responder.messages.makeAsyncIterator()
        #expect(try await messages.next()?.text == "still here")
        await pair.close()
    }

    @Test("messages sent before the goodbye arrive", arguments: SessionPair.Medium.allCases)
    func goodbyeComesLast(medium: SessionPair.Medium) async throws {
        let pair = try await SessionPair.connect(over: medium)
        let count = 100
        async let received: [String] = {
            var texts: [String] = []
            for try await message in pair.responder.messages { texts.append(message.text) }
            return texts
        }()
        for index in 0..<count { try await pair.initiator.send("\(index)") }
        await pair.initiator.close()
        #expect(try await received == (0..<count).map(String.init))
    }

    @Test("both sides may talk at once, and close at once", arguments: SessionPair.Medium.allCases)
    func fullDuplex(medium: SessionPair.Medium) async throws {
        let pair = try await SessionPair.connect(over: medium)
        let count = 300
        try await withThrowingTaskGroup(of: Void.self) { group in
            for session in [pair.initiator, pair.responder] {
                group.addTask {
                    for index in 0..<count { try await session.send("\(index)") }
                }
                group.addTask {
                    var messages = session.messages.makeAsyncIterator()
                    for index in 0..<count {
                        let message = try await messages.next()
                        #expect(message?.text == "\(index)")
                    }
                }
            }
            try await group.waitForAll()
        }
        await pair.close()
        for session in [pair.initiator, pair.responder] {
            let end = await session.waitUntilEnded()
            #expect(end == .closedByUs || end == .closedByPeer)
        }
    }

    /// Over UDP nothing but the goodbye tells of an end, and over TCP the peer's end does.
    @Test(
        "closing does not wait for its limit of time", .timeLimit(.minutes(5)), arguments: SessionPair.Medium.allCases)
    func closingIsPrompt(medium: SessionPair.Medium) async throws {
        let ada = try TestEndpoints.make(name: "Ada") { $0.closeTimeout = .seconds(3_600) }
        let bob = try TestEndpoints.make(name: "Bob") { $0.closeTimeout = .seconds(3_600) }
        let pair = try await SessionPair.connect(ada, bob, over: medium)
        try await pair.initiator.send("the last word")
        await pair.initiator.close()
        var messages = pair.responder.messages.makeAsyncIterator()
        #expect(try await messages.next()?.text == "the last word")
        #expect(try await messages.next() == nil)
        #expect(await pair.responder.waitUntilEnded() == .closedByPeer)
        await pair.responder.close()
    }

    @Test("several tasks send through one session, and every message arrives")
    func concurrentSenders() async throws {
        let pair = try await SessionPair.connect()
        let senders = 8
        let each = 50
        try await withThrowingTaskGroup(of: Void.self) { group in
            for sender in 0..<senders {
                group.addTask {
                    for index in 0..<each { try await pair.initiator.send("\(sender) \(index)") }
                }
            }
            var received: [Int: [Int]] = [:]
            var messages = pair.responder.messages.makeAsyncIterator()
            for _ in 0..<senders * each {
                let message = try #require(try await messages.next())
                let parts = message.text.split(separator: " ").compactMap { Int($0) }
                received[parts[0], default: []].append(parts[1])
            }
            for sender in 0..<senders { #expect(received[sender] == Array(0..<each)) }
            try await group.waitForAll()
        }
        await pair.close()
    }

    @Test("a peer that vanishes is told apart from one that says goodbye")
    func lostConnection() async throws {
        let (near, far) = MemoryTransport.pair()
        let responder = try TestEndpoints.make(name: "Bob")
        async let accepted = responder.respond(over: far)
        let initiator = try await TestEndpoints.make(name: "Ada").initiate(over: near)
        let session = try await accepted
        near.abort()
        let failure = await error { () async throws(KamuneError) in
            for try await _ in session.messages {}
        }
        #expect(failure?.code == .connectionLost)
        guard case .failed(let end) = await session.waitUntilEnded() else {
            Issue.record("the session did not fail")
            return
        }
        #expect(end.code == .connectionLost)
        let afterwards = await error { () async throws(KamuneError) in try await session.send("anybody there?") }
        #expect(afterwards?.code == .connectionLost)
        await initiator.close()
    }

    @Test("sending after the end says so")
    func sendAfterClose() async throws {
        let pair = try await SessionPair.connect()
        await pair.initiator.close()
        let failure = await error { () async throws(KamuneError) in try await pair.initiator.send("too late") }
        #expect(failure?.code == .sessionEnded)
        await pair.initiator.close()
    }

    @Test("a ping is answered, also while nobody takes messages")
    func ping() async throws {
        let pair = try await SessionPair.connect()
        let roundTrip = try await pair.initiator.ping()
        #expect(roundTrip > .zero)
        await pair.close()
    }

    @Test("a silent session is kept alive, and one whose peer is gone ends")
    func keepAlive() async throws {
        let ada = try TestEndpoints.make(name: "Ada") {
            $0.keepAliveInterval = .milliseconds(20)
            // However busy the machine is.
            $0.keepAliveStrikes = 500
        }
        let (near, far) = MemoryTransport.pair()
        let bob = try TestEndpoints.make(name: "Bob") { $0.keepAliveInterval = nil }
        async let accepted = bob.respond(over: far)
        let session = try await ada.initiate(over: near)
        let peer = try await accepted
        _ = try await session.ping()
        await peer.close()
        #expect(await session.waitUntilEnded() == .closedByPeer)
    }

    @Test("a slow reader makes the sender wait, and nothing is lost", arguments: SessionPair.Medium.allCases)
    func backpressure(medium: SessionPair.Medium) async throws {
        let ada = try TestEndpoints.make(name: "Ada")
        let bob = try TestEndpoints.make(name: "Bob") { $0.maximumHeldBytes = 100_000 }
        let pair = try await SessionPair.connect(ada, bob, over: medium)
        let count = 400
        let payload = [UInt8](repeating: 1, count: 20_000)
        let sending = Task {
            for _ in 0..<count { try await pair.initiator.send(payload) }
            return true
        }
        var messages = pair.responder.messages.makeAsyncIterator()
        for _ in 0..<count { #expect(try await messages.next()?.bytes.count == payload.count) }
        #expect(try await sending.value)
        await pair.close()
    }

    @Test("a cancelled reader ends, and the next one goes on where it stopped")
    func cancelledReader() async throws {
        let pair = try await SessionPair.connect()
        let reader = Task { () -> KamuneError? in
            var messages = pair.responder.messages.makeAsyncIterator()
            return await error { () async throws(KamuneError) in try await messages.next() }
        }
        reader.cancel()
        #expect(await reader.value?.code == .cancelled)
        try await pair.initiator.send("after all")
        var messages = pair.responder.messages.makeAsyncIterator()
        #expect(try await messages.next()?.text == "after all")
        await pair.close()
    }

    @Test("a session that nobody holds says goodbye by itself")
    func droppedSession() async throws {
        let (near, far) = MemoryTransport.pair()
        let responder = try TestEndpoints.make(name: "Bob")
        async let accepted = responder.respond(over: far)
        _ = try await TestEndpoints.make(name: "Ada").initiate(over: near)
        let session = try await accepted
        #expect(await session.waitUntilEnded() == .closedByPeer)
    }

    @Test("messages to a peer that announces nothing wait for its first frame or a moment")
    func holdBack() async throws {
        let ada = try TestEndpoints.make(name: "Ada")
        let old = try TestEndpoints.make(name: "Old") { $0.announcesCapabilities = false }
        let clock = ContinuousClock()
        let start = clock.now
        let pair = try await SessionPair.connect(ada, old, over: .memory)
        #expect(pair.initiator.peer.capabilities.isEmpty)
        try await pair.initiator.send("hello")
        #expect(clock.now - start >= .milliseconds(500))
        var messages = pair.responder.messages.makeAsyncIterator()
        #expect(try await messages.next()?.text == "hello")
        await pair.close()
    }
}
