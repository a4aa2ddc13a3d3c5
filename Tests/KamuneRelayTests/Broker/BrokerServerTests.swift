import KamuneBroker
import KamuneCrypto
import KamuneRelay
import Testing

/// The broker on sockets of the loopback.
struct BrokerServerTests {
    @Test(
        "It tells where a datagram comes from, at both of its ports and over both families",
        arguments: ["127.0.0.1", "::1"])
    func echo(_ host: String) async throws {
        let server = try await BrokerServer.start(host: host, port: 0, settings: .init(secondPort: 0))
        #expect(server.endpoints.count == 2)
        let client = try await DatagramClient(host: host)
        for endpoint in server.endpoints {
            try await client.send(BrokerRequest.echo.encoded(isPadded: true), to: endpoint)
            let (answer, source) = try await client.receive()
            #expect(source == endpoint)
            #expect(BrokerEcho.source(in: answer) == client.endpoint)
        }
        #expect(await server.counters().echoes == 2)
        await server.stop()
        await client.close()
    }

    @Test("Two clients meet, over each family", arguments: ["127.0.0.1", "::1"])
    func meeting(_ host: String) async throws {
        let server = try await BrokerServer.start(host: host, port: 0)
        let broker = try #require(server.endpoints.first)
        var random = SystemRandomSource()
        let token = random.bytes(BrokerWire.tokenSize)
        var waiting = BrokerClient(key: try .generate(using: &random), purpose: .wait(token: token), random: &random)
        var meeting = BrokerClient(key: try .generate(using: &random), purpose: .meet(token: token), random: &random)
        let sockets = [try await DatagramClient(host: host), try await DatagramClient(host: host)]

        func perform(_ actions: [BrokerClient.Action], _ socket: DatagramClient) async throws -> [BrokerClient.Action] {
            for case .send(let datagram) in actions { try await socket.send(datagram, to: broker) }
            return actions
        }
        _ = try await perform(waiting.start(now: .zero), sockets[0])
        _ = try await perform(waiting.receive(sockets[0].receive().bytes, now: .zero), sockets[0])
        // Datagrams of two sockets need not arrive in the order in which they were sent: so that one is asked for.
        while await server.counters().waiting == 0 { await Task.yield() }
        _ = try await perform(meeting.start(now: .zero), sockets[1])
        _ = try await perform(meeting.receive(sockets[1].receive().bytes, now: .zero), sockets[1])
        let met = try await meeting.receive(sockets[1].receive().bytes, now: .zero)
        let heard = try await waiting.receive(sockets[0].receive().bytes, now: .zero)
        #expect(
            met.contains { if case .matched(let match) = $0 { match.endpoint == sockets[0].endpoint } else { false } })
        #expect(
            heard.contains { if case .matched(let match) = $0 { match.endpoint == sockets[1].endpoint } else { false } }
        )
        #expect(await server.counters().matches == 1)
        await server.stop()
        for socket in sockets { await socket.close() }
    }

    @Test("Who asks too often is not answered, and noise takes nothing from anybody")
    func limits() async throws {
        let server = try await BrokerServer.start(
            host: "127.0.0.1", port: 0, settings: .init(limits: .init(rate: 0.001, burst: 3)))
        let broker = try #require(server.endpoints.first)
        let client = try await DatagramClient(host: "127.0.0.1")
        let echo = BrokerRequest.echo.encoded(isPadded: false)
        for _ in 0..<100 { try await client.send([UInt8](repeating: 0, count: 100), to: broker) }
        for _ in 0..<5 { try await client.send(echo, to: broker) }
        while await server.counters().limited < 2 { await Task.yield() }
        for _ in 0..<3 { #expect(BrokerEcho.source(in: try await client.receive().bytes) == client.endpoint) }
        let counters = await server.counters()
        #expect(counters.echoes == 3)
        #expect(counters.ignored == 100)
        await server.stop()
        await client.close()
    }

    @Test("Without a host it is there for IPv6 and IPv4 at one port, which is free again when it stops")
    func wildcard() async throws {
        let server = try await BrokerServer.start(host: "", port: 0)
        let port = try #require(server.endpoints.first).port
        #expect(server.endpoints.allSatisfy { $0.port == port })
        for host in server.endpoints.map({ $0.address.isIPv6 ? "::1" : "127.0.0.1" }) {
            let client = try await DatagramClient(host: host)
            try await client.send(
                BrokerRequest.echo.encoded(isPadded: true), to: IPEndpoint(#require(IPAddress(parsing: host)), port))
            #expect(BrokerEcho.source(in: try await client.receive().bytes) == client.endpoint)
            await client.close()
        }
        await #expect(throws: BrokerServerError.self) {
            try await BrokerServer.start(host: "127.0.0.1", port: port)
        }
        await server.stop()
        let next = try await BrokerServer.start(host: "127.0.0.1", port: port)
        await next.stop()
    }

    @Test("A name is no address to listen at")
    func names() async {
        await #expect(throws: BrokerServerError.notAnAddress("localhost")) {
            try await BrokerServer.start(host: "localhost", port: 0)
        }
    }
}
