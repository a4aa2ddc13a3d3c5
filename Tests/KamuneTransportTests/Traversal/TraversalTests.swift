import KamuneBroker
import KamuneCrypto
import KamuneRelay
import KamuneTransport
import KamuneTraversal
import Testing

/// Finding each other by a broker, on the loopback: sockets, broker and conversations are real, and nothing is in the way.
struct TraversalTests {
    private static let loopback = IPAddress(127, 0, 0, 1)

    private static func startBroker() async throws -> BrokerServer {
        try await BrokerServer.start(host: "127.0.0.1", port: 0, settings: .init(secondPort: 0))
    }

    /// Says something in both directions.
    private static func converse(_ one: any Connection, _ other: any Connection) async throws {
        for (sender, receiver) in [(one, other), (other, one)] {
            for size in [1, 600, 40_000] {
                let frame = [UInt8](repeating: UInt8(truncatingIfNeeded: size), count: size)
                try await sender.send([frame])
                #expect(try await receiver.receive() == [frame])
            }
        }
    }

    @Test("Two who have a token meet as with 0.7, and the listener takes the next one too")
    func meeting() async throws {
        let server = try await Self.startBroker()
        let broker = try #require(server.endpoints.first)
        var random = SystemRandomSource()
        let listener = try await BrokerMeeting.listen(
            broker: broker, token: nil, key: .generate(using: &random), address: Self.loopback)
        for _ in 0..<2 {
            let dialed = try await BrokerMeeting.dial(
                broker: broker, token: listener.token, key: .generate(using: &random), address: Self.loopback)
            // A conversation begins with its first frame.
            try await dialed.send([[1, 2, 3]])
            let accepted = try #require(try await listener.accept())
            #expect(try await accepted.receive() == [[1, 2, 3]])
            try await Self.converse(dialed, accepted)
            await dialed.close()
        }
        await listener.close()
        #expect(try await listener.accept() == nil)
        await server.stop()
    }

    @Test("Nobody who waits with the token, or no broker: the dialer gives up in time")
    func nobody() async throws {
        let server = try await Self.startBroker()
        var random = SystemRandomSource()
        var configuration = TransportConfiguration()
        configuration.dialTimeout = .milliseconds(300)
        await #expect(throws: TransportError.timedOut(.connect)) {
            try await BrokerMeeting.dial(
                broker: #require(server.endpoints.first), token: [7], key: .generate(using: &random),
                address: Self.loopback, configuration: configuration)
        }
        await server.stop()
    }

    @Test("What two ports of a broker see says what is between")
    func discovery() async throws {
        let server = try await Self.startBroker()
        let path = try await DirectPath.prepare(brokers: server.endpoints, address: Self.loopback)
        let seen = try #require(path.offer.lastSeen)
        #expect(seen.address == Self.loopback)
        #expect(path.offer.candidates.contains(seen))
        #expect(path.offer.mapping == NATMapping.none)
        path.close()
        await server.stop()
    }

    @Test("Two of ours reach each other directly and talk; the sockets that are not needed are given back")
    func directPath() async throws {
        let server = try await Self.startBroker()
        let one = try await DirectPath.prepare(brokers: server.endpoints, address: Self.loopback)
        let other = try await DirectPath.prepare(brokers: server.endpoints, address: Self.loopback)
        let secret: [UInt8] = Array(0..<32)
        async let accepted = other.connect(
            role: .responder, key: SecretBytes(copying: secret), to: one.offer, isPeerProven: true)
        let dialed = try await one.connect(
            role: .initiator, key: SecretBytes(copying: secret), to: other.offer, isPeerProven: true)
        try await dialed.send([[1]])
        let connection = try await accepted
        #expect(try await connection.receive() == [[1]])
        try await Self.converse(dialed, connection)
        #expect(dialed.info.transport == "udp")
        #expect(dialed.info.remoteAddress == other.offer.lastSeen.map { "udp://\($0)" })
        await dialed.close()
        await server.stop()
    }

    @Test("Who does not know the secret is not reached")
    func strangers() async throws {
        let server = try await Self.startBroker()
        let one = try await DirectPath.prepare(brokers: server.endpoints, address: Self.loopback)
        let other = try await DirectPath.prepare(brokers: server.endpoints, address: Self.loopback)
        var limits = PunchLimits()
        limits.timeout = .milliseconds(400)
        let brief = limits
        let accepting = Task {
            try await other.connect(
                role: .responder, key: SecretBytes(copying: Array(1...32)), to: one.offer, isPeerProven: true,
                limits: brief)
        }
        await #expect(throws: TransportError.timedOut(.connect)) {
            try await one.connect(
                role: .initiator, key: SecretBytes(copying: Array(2...33)), to: other.offer, isPeerProven: true,
                limits: brief)
        }
        await #expect(throws: TransportError.timedOut(.connect)) { try await accepting.value }
        await server.stop()
    }

    @Test("Whoever is cancelled gets an answer at once, and may prepare again at the same port")
    func cancelling() async throws {
        let server = try await Self.startBroker()
        let path = try await DirectPath.prepare(brokers: server.endpoints, address: Self.loopback)
        let port = try #require(path.offer.lastSeen).port
        let offer = path.offer
        let task = Task {
            try await path.connect(
                role: .responder, key: SecretBytes(copying: Array(1...32)), to: offer, isPeerProven: true)
        }
        task.cancel()
        await #expect(throws: TransportError.cancelled) { try await task.value }
        var again: DirectPath?
        // The socket is given back a moment after the answer.
        while again == nil {
            again = try? await DirectPath.prepare(brokers: server.endpoints, address: Self.loopback, port: port)
            await Task.yield()
        }
        #expect(again?.offer.lastSeen?.port == port)
        await server.stop()
    }
}
