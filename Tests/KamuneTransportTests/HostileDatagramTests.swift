import KCP
import KamuneTestKit
import Testing

@testable import KamuneTransport

/// What strangers can do to a listener over UDP, and to those who talk with it.
@Suite(.timeLimit(.minutes(5)))
struct HostileDatagramTests {
    private static let limits: UDPOptions = {
        var options = UDPOptions()
        options.unprovenLimit = 16
        options.conversationLimit = 64
        return options
    }()

    /// A listener, and a conversation with somebody whose address is proven.
    private struct Scene {
        let listener: UDPListener
        let client: any Connection
        let server: any Connection

        init() async throws {
            let address = Address(scheme: .udp, host: "127.0.0.1", port: 0)
            let made = try await UDPTransport.listen(on: address, options: limits)
            listener = try #require(made as? UDPListener)
            client = try await UDPTransport.connect(to: listener.localAddress)
            try await client.send(frame: [1])
            server = try #require(try await listener.accept())
            try await exchange()
        }

        /// Something each way. What arrived at the listener's socket before has been looked at when this returns.
        func exchange() async throws {
            let frame = (0..<100).map { _ in UInt8.random(in: 0...255) }
            try await client.send(frame: frame)
            var there: [[UInt8]] = []
            while there.last != frame { there += try await server.receive() ?? [] }
            try await server.send(frame: frame)
            var back: [[UInt8]] = []
            while back.last != frame { back += try await client.receive() ?? [] }
        }
    }

    /// The datagram that opens a conversation, as kcp-go sends it: a segment with a frame's length.
    private static func opening(_ conversationID: UInt32) -> [UInt8] {
        var machine = KCPConversation(
            conversationID: conversationID, configuration: .kcpGoDefaults, now: KCPInstant(microseconds: 0))
        _ = machine.write([0, 9])
        return machine.nextDatagram(now: KCPInstant(microseconds: 0)) ?? []
    }

    /// Many addresses, as far as the system has them.
    private static func strangers(_ count: UInt32, port: UInt16) throws -> [RawDatagrams] {
        #if os(Linux)
        try (0..<count).map { try #require(RawDatagrams(from: 0x0100 + $0, to: port)) }
        #else
        try (0..<count).map { _ in try #require(RawDatagrams(to: port)) }
        #endif
    }

    @Test func aFloodOfFirstDatagramsOpensFewConversations() async throws {
        let scene = try await Scene()
        let strangers = try Self.strangers(32, port: scene.listener.localAddress.port)
        // Whoever is let in is talked to at once, to see what gets out.
        let listener = scene.listener
        let greeting = Task {
            await withDiscardingTaskGroup { group in
                while let connection = try? await listener.accept() {
                    group.addTask {
                        try? await connection.send(frame: [UInt8](repeating: 7, count: 20_000))
                        _ = try? await connection.receive()
                    }
                }
            }
        }
        var most = (conversations: 0, unproven: 0)
        for round in 0..<40 as Range<UInt32> {
            for (number, stranger) in strangers.enumerated() {
                stranger.send(Self.opening(round << 8 | UInt32(number)))
            }
            try await scene.exchange()
            let counts = await listener.conversationCounts()
            most = (max(most.conversations, counts.conversations), max(most.unproven, counts.unproven))
        }
        #expect(most.unproven == 16 && most.conversations == 17)
        greeting.cancel()
        await greeting.value
        for stranger in strangers {
            var received = 0
            while let datagram = stranger.receive() { received += datagram.count }
            #expect(received <= 40 * Self.opening(0).count)
        }
    }

    /// Who proves an address makes room for the next, until there are as many conversations as there may be.
    @Test func provenConversationsAreLimitedToo() async throws {
        let scene = try await Scene()
        let listener = scene.listener
        var kept: [any Connection] = []
        for _ in 1..<64 {
            let client = try await UDPTransport.connect(to: listener.localAddress)
            try await client.send(frame: [2])
            let server = try #require(try await listener.accept())
            try await server.send(frame: [3])
            #expect(try await client.receive() == [[3]])
            kept += [client, server]
        }
        let stranger = try #require(RawDatagrams(to: listener.localAddress.port))
        stranger.send(Self.opening(99))
        try await scene.exchange()
        #expect(await listener.conversationCounts().conversations == 64)
        withExtendedLifetime(kept) {}
    }

    @Test func noiseOpensNothingAndDisturbsNobody() async throws {
        let scene = try await Scene()
        let stranger = try #require(RawDatagrams(to: scene.listener.localAddress.port))
        var random = SeededRandom(5)
        // A segment with its data, of which some is missing.
        let opening = Self.opening(77).prefix(KCPHeader.size + 2)
        for round in 0..<2_000 {
            var datagram: [UInt8]
            if round % 2 == 0 {
                datagram = (0..<Int.random(in: 0...1_500, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            } else {
                datagram = Array(opening.dropLast(Int.random(in: 1...opening.count, using: &random)))
            }
            stranger.send(datagram)
            if round % 100 == 0 { try await scene.exchange() }
        }
        try await scene.exchange()
        #expect(await scene.listener.conversationCounts().conversations == 1)
        #expect(stranger.receive() == nil, "noise gets no answer")
    }

    /// The number of a conversation is no secret to whoever watches. From another address it is another conversation.
    @Test func aStrangerWhoKnowsTheNumberChangesNothing() async throws {
        let scene = try await Scene()
        let port = scene.listener.localAddress.port
        let victim = try #require(RawDatagrams(to: port))
        let thief = try #require(RawDatagrams(to: port))
        var machine = KCPConversation(conversationID: 5, now: KCPInstant(microseconds: 0))
        _ = machine.write([0, 2, 8, 8])
        while let datagram = machine.nextDatagram(now: KCPInstant(microseconds: 0)) { victim.send(datagram) }
        let server = try #require(try await scene.listener.accept())
        #expect(try await server.receive() == [[8, 8]])

        var other = KCPConversation(conversationID: 5, now: KCPInstant(microseconds: 0))
        _ = other.write([0, 1, 6, 0, 1, 6])
        while let datagram = other.nextDatagram(now: KCPInstant(microseconds: 0)) { thief.send(datagram) }
        // Acknowledges everything, and shuts the window.
        var header = KCPHeader(
            conversationID: 5, command: .acknowledge, window: 0, timestamp: 0, sequenceNumber: 0, unacknowledged: 1,
            payloadSize: 0)
        for number in 0..<50 as Range<UInt32> {
            header.sequenceNumber = number
            var datagram: [UInt8] = []
            KCPSegment(header: header, payload: []).encode(into: &datagram)
            thief.send(datagram)
        }
        try await scene.exchange()
        _ = machine.write([0, 1, 9])
        while let datagram = machine.nextDatagram(now: KCPInstant(microseconds: 1_000)) { victim.send(datagram) }
        #expect(try await server.receive() == [[9]])
    }

    /// A NAT that gives us another port: the old conversation is silent, and a new one begins beside it.
    @Test func somebodyComesBackFromAnotherPortWhileTheOldConversationLives() async throws {
        let scene = try await Scene()
        let again = try await UDPTransport.connect(to: scene.listener.localAddress)
        try await again.send(frame: [4])
        let server = try #require(try await scene.listener.accept())
        #expect(try await server.receive() == [[4]])
        try await server.send(frame: [5])
        #expect(try await again.receive() == [[5]])
        #expect(await scene.listener.conversationCounts().conversations == 2)
        try await scene.exchange()
    }
}
