import KamuneTestKit
import KamuneTransport
import Testing

/// Two ends of a conversation over loopback, opened by one frame.
private func udpPair(
    _ configuration: TransportConfiguration = TransportConfiguration(), options: UDPOptions = UDPOptions()
) async throws -> (any Connection, any Connection) {
    let listener = try await UDPTransport.listen(
        on: Address(scheme: .udp, host: "127.0.0.1", port: 0), configuration: configuration, options: options)
    let first = try await UDPTransport.connect(
        to: listener.localAddress, configuration: configuration, options: options)
    try await first.send(frame: [1])
    let second = try #require(try await listener.accept())
    #expect(try await second.receive() == [[1]])
    return (first, second)
}

@Suite(.timeLimit(.minutes(5)))
struct UDPTransportTests {
    /// KCP tells the peer nothing of an end, so the checks in which one side has to learn of the other's are left out.
    static let checks: [ConnectionConformance.Check] = [
        .framesKeepTheirOrder, .framesOfAllSizes, .oversizedFramesAreRefused, .batchesStayTogether,
        .bothDirectionsAtOnce, .backPressure, .enqueueingOvershoots, .roomAtFirst,
        .waitingSenderEndsWithClose, .cancelledReceive, .cancelledSend, .oneReceiverOnly, .readTimeout,
    ]

    @Test(arguments: checks)
    func udp(check: ConnectionConformance.Check) async throws {
        try await ConnectionConformance { try await udpPair($0) }.run(check)
    }

    @Test func closingReturnsWhenEverythingHasArrived() async throws {
        let (first, second) = try await udpPair()
        let frames = (0..<40).map { [UInt8](repeating: UInt8($0), count: 10_000) }
        let receiving = Task {
            var received: [[UInt8]] = []
            while received.count < frames.count, let more = try await second.receive() { received += more }
            return received
        }
        try await first.send(frames)
        await first.close()
        #expect(try await receiving.value == frames)
    }

    @Test func oneListenerServesManyPeersOnOnePort() async throws {
        let listener = try await UDPTransport.listen(on: Address(scheme: .udp, host: "127.0.0.1", port: 0))
        var clients: [any Connection] = []
        for number in 0..<50 {
            let client = try await UDPTransport.connect(to: listener.localAddress)
            try await client.send(frame: [UInt8(number)])
            clients.append(client)
        }
        var seen: Set<UInt8> = []
        var servers: [any Connection] = []
        for _ in clients {
            let server = try #require(try await listener.accept())
            let frames = try #require(try await server.receive())
            seen.formUnion(frames.joined())
            try await server.send(frames)
            servers.append(server)
        }
        #expect(seen.count == 50)
        for (number, client) in clients.enumerated() { #expect(try await client.receive() == [[UInt8(number)]]) }
        withExtendedLifetime(servers) {}
    }

    @Test func aPeerThatTakesNothingIsGivenUp() async throws {
        var configuration = TransportConfiguration()
        configuration.writeTimeout = .milliseconds(300)
        let listener = try await UDPTransport.listen(on: Address(scheme: .udp, host: "127.0.0.1", port: 0))
        let first = try await UDPTransport.connect(to: listener.localAddress, configuration: configuration)
        try await first.send(frame: [1])
        let second = try #require(try await listener.accept())
        #expect(try await second.receive() == [[1]])
        // The port is still open, but nobody there answers any more.
        second.abort()
        try await first.send(frame: [2])
        await #expect(throws: TransportError.timedOut(.write)) { try await first.receive() }
    }

    @Test func nobodyListeningIsReportedToWhoeverWaits() async throws {
        let listener = try await UDPTransport.listen(on: Address(scheme: .udp, host: "127.0.0.1", port: 0))
        let address = listener.localAddress
        await listener.close()
        let client = try await UDPTransport.connect(to: address)
        try await client.send(frame: [1])
        await #expect(throws: TransportError.refused(address: "\(address)")) { try await client.receive() }
    }

    @Test func aListenerThatClosesLetsConversationsLive() async throws {
        let listener = try await UDPTransport.listen(on: Address(scheme: .udp, host: "127.0.0.1", port: 0))
        let client = try await UDPTransport.connect(to: listener.localAddress)
        try await client.send(frame: [1])
        let server = try #require(try await listener.accept())
        await listener.close()
        #expect(try await listener.accept() == nil)
        try await client.send(frame: [2])
        var received: [[UInt8]] = []
        while received.count < 2 { received += try await server.receive() ?? [] }
        #expect(received == [[1], [2]])
    }

    @Test(arguments: ["::1", "127.0.0.1", "localhost"])
    func allInterfacesMeansIPv6AndIPv4(host: String) async throws {
        let listener = try await UDPTransport.listen(on: Address(scheme: .udp, host: "", port: 0))
        let client = try await UDPTransport.connect(
            to: Address(scheme: .udp, host: host, port: listener.localAddress.port))
        try await client.send(frame: [7])
        let server = try #require(try await listener.accept())
        #expect(try await server.receive() == [[7]])
        try await server.send(frame: [8])
        #expect(try await client.receive() == [[8]])
        #expect(server.info.transport == "udp")
    }

    @Test(arguments: ["udp://:9000", "udp://127.0.0.1:0", "127.0.0.1:9000"])
    func unusableAddressesAreRefused(text: String) async throws {
        let address = try Address(parsing: text)
        await #expect(throws: TransportError.self) { try await UDPTransport.connect(to: address) }
    }
}
