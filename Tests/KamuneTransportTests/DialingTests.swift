import KCP
import KamuneTestKit
import NIOCore
import NIOPosix
import Testing

@testable import KamuneTransport

/// Names with several addresses, and resolvers that answer about some of them.
@Suite(.timeLimit(.minutes(5)))
struct DialingTests {
    private static let loopback = Address(scheme: .udp, host: "127.0.0.1", port: 0)
    private static let name = Address(scheme: .udp, host: "several.example", port: 9)

    /// A resolver that knows one name; it never answers about a family for which there is `nil`.
    private static func resolver(
        ipv6: [SocketAddress]? = [], ipv4: [SocketAddress]? = []
    ) -> NameResolution.Resolver {
        { _, _, family, eventLoop in
            guard let known = family == .ipv6 ? ipv6 : ipv4 else {
                let promise = eventLoop.makePromise(of: [SocketAddress].self)
                // Long after everything that waits for it is over.
                eventLoop.scheduleTask(in: .seconds(60)) { promise.succeed([]) }
                return promise.futureResult
            }
            return eventLoop.makeSucceededFuture(known)
        }
    }

    private static func socketAddress(_ port: UInt16, host: String = "127.0.0.1") throws -> SocketAddress {
        try SocketAddress(ipAddress: host, port: Int(port))
    }

    private func dial(
        by resolver: @escaping NameResolution.Resolver, timeout: Duration? = .seconds(60)
    ) async throws -> any Connection {
        var configuration = TransportConfiguration()
        configuration.dialTimeout = timeout
        return try await UDPTransport.connect(
            to: Self.name, configuration: configuration, options: UDPOptions(), resolvingBy: resolver)
    }

    private func exchange(_ client: any Connection, _ listener: any ConnectionListener) async throws {
        try await client.send(frame: [UInt8](repeating: 7, count: 5_000))
        let server = try #require(try await listener.accept())
        #expect(try await server.receive() == [[UInt8](repeating: 7, count: 5_000)])
        try await server.send(frame: [8])
        #expect(try await client.receive() == [[8]])
        #expect(client.info.remoteAddress == server.info.localAddress)
        #expect(client.info.localAddress == server.info.remoteAddress)
    }

    @Test func aDeadAddressDelaysAndNothingElse() async throws {
        let dead = try #require(RawDatagrams())
        let listener = try await UDPTransport.listen(on: Self.loopback)
        let addresses = [try Self.socketAddress(dead.port), try Self.socketAddress(listener.localAddress.port)]
        let client = try await dial(by: Self.resolver(ipv4: addresses))
        try await exchange(client, listener)
        #expect(dead.receive() != nil, "it was tried")
    }

    /// Without waiting for anything: the system says at once that nobody listens there.
    @Test func anAddressThatRefusesIsPassedOver() async throws {
        let closed = try await UDPTransport.listen(on: Self.loopback)
        await closed.close()
        let listener = try await UDPTransport.listen(on: Self.loopback)
        let client = try await dial(
            by: Self.resolver(
                ipv6: [try Self.socketAddress(listener.localAddress.port, host: "::1")],
                ipv4: [
                    try Self.socketAddress(closed.localAddress.port),
                    try Self.socketAddress(listener.localAddress.port),
                ]))
        try await exchange(client, listener)
    }

    @Test func aRefusalIsToldWhenEveryAddressHasFailed() async throws {
        let closed = try await UDPTransport.listen(on: Self.loopback)
        await closed.close()
        let client = try await dial(by: Self.resolver(ipv4: [try Self.socketAddress(closed.localAddress.port)]))
        try await client.send(frame: [1])
        await #expect(throws: TransportError.refused(address: "udp://several.example:9")) { try await client.receive() }
    }

    @Test func whoNeverAnswersIsGivenUpInTime() async throws {
        let dead = try #require(RawDatagrams())
        let client = try await dial(
            by: Self.resolver(ipv4: [try Self.socketAddress(dead.port)]), timeout: .milliseconds(300))
        try await client.send(frame: [1])
        await #expect(throws: TransportError.timedOut(.connect)) { try await client.receive() }
    }

    /// What loses the race is to leave nothing behind: but for the first, an address gets no more than a listener answers
    /// and forgets, until it has answered.
    @Test func aLaterAddressIsAskedBeforeItGetsEverything() async throws {
        let first = try #require(RawDatagrams())
        let second = try #require(RawDatagrams())
        let client = try await dial(
            by: Self.resolver(ipv4: [try Self.socketAddress(first.port), try Self.socketAddress(second.port)]))
        let frame = [UInt8](repeating: 5, count: 1_216)
        let firstFrame = UDPOpening.FirstFrame(size: frame.count)
        try await client.send(frame: frame)
        let everything = try #require(await first.next())
        guard case .conversation(_, forgotten: nil) = UDPOpening(everything, firstFrame: firstFrame, window: 32) else {
            Issue.record("the first address did not get everything")
            return
        }
        let probe = try #require(await second.next())
        guard case .answer(let answer) = UDPOpening(probe, firstFrame: firstFrame, window: 32) else {
            Issue.record("the second address got more than a question")
            return
        }
        second.send(answer)
        // Repetitions of the question may have come before.
        while true {
            let datagram = try #require(await second.next())
            if case .conversation(_, .some) = UDPOpening(datagram, firstFrame: firstFrame, window: 32) { break }
        }
        #expect(client.info.remoteAddress == "udp://127.0.0.1:\(second.port)")
    }

    /// More than there is room for on the way, before anybody has answered.
    @Test func muchMayBeSentAtOnce() async throws {
        let listener = try await UDPTransport.listen(on: Self.loopback)
        let client = try await dial(by: Self.resolver(ipv4: [try Self.socketAddress(listener.localAddress.port)]))
        let frames = (0..<150).map { [UInt8](repeating: UInt8($0), count: 60_000) }
        try client.enqueue(frames)
        try client.enqueue([[1]])
        let server = try #require(try await listener.accept())
        var received: [[UInt8]] = []
        while received.count < frames.count + 1, let more = try await server.receive() { received += more }
        #expect(received == frames + [[1]])
    }

    @Test func aResolverThatDropsQuestionsAboutIPv6Delays() async throws {
        let udp = try await UDPTransport.listen(on: Self.loopback)
        let client = try await dial(
            by: Self.resolver(ipv6: nil, ipv4: [try Self.socketAddress(udp.localAddress.port)]))
        try await exchange(client, udp)
        let tcp = try await TCPTransport.listen(on: Address(host: "127.0.0.1", port: 0))
        let dialed = try await TCPTransport.connect(
            to: Address(host: "several.example", port: 9), configuration: TransportConfiguration(),
            resolvingBy: Self.resolver(ipv6: nil, ipv4: [try Self.socketAddress(tcp.localAddress.port)]))
        let accepted = try #require(try await tcp.accept())
        #expect(dialed.info.remoteAddress == accepted.info.localAddress)
    }

    @Test func aNameWithoutAddressesIsNotResolved() async throws {
        await #expect(throws: TransportError.nameNotResolved(host: "several.example")) {
            try await dial(by: Self.resolver())
        }
        await #expect(throws: TransportError.timedOut(.connect)) {
            try await dial(by: Self.resolver(ipv6: nil), timeout: .milliseconds(100))
        }
    }

    // MARK: Listening

    private func listeningAddresses(
        _ address: Address, ipv6: [String]?, ipv4: [String]?
    ) async throws(TransportError) -> ListeningAddresses {
        var configuration = TransportConfiguration()
        configuration.dialTimeout = .milliseconds(100)
        let addresses = [ipv6, ipv4].map { $0.map { $0.compactMap { try? SocketAddress(ipAddress: $0, port: 0) } } }
        return try await ListeningAddresses(
            of: address, host: address.host, configuration: configuration,
            resolvingBy: Self.resolver(ipv6: addresses[0], ipv4: addresses[1]))
    }

    @Test func allAddressesOfANameAreListenedOn() async throws {
        for address in [Address(host: "localhost", port: 0), Address(scheme: .udp, host: "localhost", port: 0)] {
            let isTCP = address.scheme == .tcp
            let addresses = try await listeningAddresses(address, ipv6: ["::1"], ipv4: ["127.0.0.1"])
            let listener: any ConnectionListener =
                if isTCP {
                    try await TCPListener.bind(addresses, configuration: TransportConfiguration())
                } else {
                    try await UDPListener.bind(
                        addresses, configuration: TransportConfiguration(), options: UDPOptions())
                }
            #expect(listener.localAddress.host == "localhost" && listener.localAddress.port != 0)
            for host in ["::1", "127.0.0.1"] {
                let target = Address(scheme: address.scheme, host: host, port: listener.localAddress.port)
                let client =
                    isTCP ? try await TCPTransport.connect(to: target) : try await UDPTransport.connect(to: target)
                try await exchange(client, listener)
            }
            await listener.close()
        }
    }

    @Test func addressesOfOtherMachinesAreLeftOut() async throws {
        // For documentation only (RFC 5737, RFC 3849), so nobody's.
        let some = try await listeningAddresses(Self.name, ipv6: ["2001:db8::1"], ipv4: ["198.51.100.1", "127.0.0.1"])
        let listener = try await UDPListener.bind(
            some, configuration: TransportConfiguration(), options: UDPOptions())
        let client = try await UDPTransport.connect(
            to: Address(scheme: .udp, host: "127.0.0.1", port: listener.localAddress.port))
        try await exchange(client, listener)
        let none = try await listeningAddresses(Self.name, ipv6: [], ipv4: ["198.51.100.1", "198.51.100.2"])
        await #expect(throws: TransportError.addressNotAvailable(address: "udp://198.51.100.2:9")) {
            try await UDPListener.bind(none, configuration: TransportConfiguration(), options: UDPOptions())
        }
    }

    @Test func oneAddressThatIsTakenIsNamed() async throws {
        let other = try await TCPTransport.listen(on: Address(host: "127.0.0.1", port: 0))
        let port = other.localAddress.port
        let addresses = try await listeningAddresses(
            Address(host: "several.example", port: port), ipv6: ["::1"], ipv4: ["127.0.0.1"])
        await #expect(throws: TransportError.addressInUse(address: "127.0.0.1:\(port)")) {
            try await TCPListener.bind(addresses, configuration: TransportConfiguration())
        }
        // What had been bound is free again.
        let again = try await TCPTransport.listen(on: Address(host: "::1", port: port))
        await again.close()
        await other.close()
    }

    @Test func aResolverThatDropsQuestionsKeepsNobodyFromListening() async throws {
        let addresses = try await listeningAddresses(Self.name, ipv6: nil, ipv4: ["127.0.0.1"])
        #expect(addresses.targets.map(\.ipAddress) == ["127.0.0.1"])
    }
}
