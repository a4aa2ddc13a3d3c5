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
        .budgetCountsWhatWaits, .fullBudgetHoldsNobodyForEver,
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

    /// All sessions of a listener have one socket, and its acknowledgements must not wait for what tasks do with frames.
    @Test func noTasksRunWhereDatagramsArrive() async throws {
        let (first, second) = try await udpPair()
        #expect(first.preferredExecutor == nil)
        #expect(second.preferredExecutor == nil)
        await first.close()
        await second.close()
    }

    /// What the peer says meanwhile is still received.
    @Test func whoFinishesGetsTheEndWhenEverythingHasArrived() async throws {
        let (first, second) = try await udpPair()
        let frames = (0..<40).map { [UInt8](repeating: UInt8($0), count: 10_000) }
        try await second.send(frame: [5])
        #expect(try await first.receive() == [[5]])
        let receiving = Task {
            var received: [[UInt8]] = []
            while received.count < frames.count, let more = try await second.receive() { received += more }
            return received
        }
        try await first.send(frames)
        first.finishSending()
        #expect(try await first.receive() == nil)
        #expect(try await receiving.value == frames)
        await #expect(throws: TransportError.closedLocally) { try await first.send(frame: [1]) }
        await first.close()
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
        // Until the answer, what opened the conversation might be sent again, and would open another one.
        try await second.send(frame: [3])
        #expect(try await first.receive() == [[3]])
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

    @Test(arguments: CongestionControl.allCases, ["", "&turbo"])
    func whateverIsChosenEverythingArrives(congestion: CongestionControl, turbo: String) async throws {
        let choice = "congestion=\(congestion.rawValue)\(turbo)"
        let listener = try await UDPTransport.listen(on: try Address(parsing: "udp://127.0.0.1:0?\(choice)"))
        let address = try Address(parsing: "\(listener.localAddress)?\(choice)")
        let client = try await UDPTransport.connect(to: address)
        let frames = (0..<20).map { [UInt8](repeating: UInt8($0), count: 20_000) }
        try await client.send(frames)
        let server = try #require(try await listener.accept())
        var there: [[UInt8]] = []
        while there.count < frames.count, let more = try await server.receive() { there += more }
        try await server.send(there)
        var back: [[UInt8]] = []
        while back.count < frames.count, let more = try await client.receive() { back += more }
        #expect(there == frames && back == frames)
    }

    /// A socket that dials has little room for what it reads, at first.
    @Test(arguments: [1_500, 9_000, 60_000])
    func largeDatagramsReachWhoeverDials(size: Int) async throws {
        var options = UDPOptions()
        options.maximumDatagramSize = size
        let (first, second) = try await udpPair(options: options)
        let frames = (0..<20).map { [UInt8](repeating: UInt8($0), count: 60_000) }
        let sending = Task { try await second.send(frames) }
        var received: [[UInt8]] = []
        while received.count < frames.count, let more = try await first.receive() { received += more }
        #expect(received == frames)
        try await sending.value
    }

    @Test(arguments: ["udp://:9000", "udp://127.0.0.1:0", "127.0.0.1:9000"])
    func unusableAddressesAreRefused(text: String) async throws {
        let address = try Address(parsing: text)
        await #expect(throws: TransportError.self) { try await UDPTransport.connect(to: address) }
    }
}
