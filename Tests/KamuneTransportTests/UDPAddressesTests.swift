import KCP
import KamuneTestKit
import Testing

@testable import KamuneTransport

/// A listener for all addresses of its machine. On Linux, all of 127.0.0.0/8 is this machine.
@Suite(.timeLimit(.minutes(5)))
struct UDPAddressesTests {
    private func listen(
        _ host: String = "", port: UInt16 = 0, _ adjust: (inout UDPOptions) -> Void = { _ in }
    ) async throws -> UDPListener {
        var options = UDPOptions()
        adjust(&options)
        let listener = try await UDPTransport.listen(
            on: Address(scheme: .udp, host: host, port: port), options: options)
        return try #require(listener as? UDPListener)
    }

    private func dial(_ host: String, _ listener: any ConnectionListener) async throws -> any Connection {
        try await UDPTransport.connect(to: Address(scheme: .udp, host: host, port: listener.localAddress.port))
    }

    private func open(
        _ host: String, _ listener: any ConnectionListener
    ) async throws -> (
        client: any Connection, server: any Connection
    ) {
        let client = try await dial(host, listener)
        let greeting = (0..<8).map { _ in UInt8.random(in: 0...255) }
        try await client.send(frame: greeting)
        // What opened an earlier conversation may have been sent again, and have opened another one.
        var server = try #require(try await listener.accept())
        while try await server.receive() != [greeting] { server = try #require(try await listener.accept()) }
        try await server.send(frame: [2])
        // The dialer's socket takes nothing from elsewhere than where it sent to.
        #expect(try await client.receive() == [[2]])
        // With this, the listener learns that it was heard.
        try await client.send(frame: [3])
        #expect(try await server.receive() == [[3]])
        return (client, server)
    }

    #if os(Linux)
    private static let hosts = ["127.0.0.1", "127.0.0.2", "127.1.2.3", "::1"]
    #else
    private static let hosts = ["127.0.0.1", "::1"]
    #endif

    @Test func eachAnswerLeavesFromTheAddressThatWasAsked() async throws {
        let listener = try await listen()
        var kept: [any Connection] = []
        for host in Self.hosts + Self.hosts {
            let (client, server) = try await open(host, listener)
            let address = Address(scheme: .udp, host: host, port: listener.localAddress.port)
            #expect(server.info.localAddress == "\(address)")
            kept += [client, server]
        }
        #expect(await listener.conversationCounts().conversations == 2 * Self.hosts.count)
        for index in stride(from: 0, to: kept.count, by: 2) {
            let frames = (0..<20).map { [UInt8](repeating: UInt8($0), count: 20_000) }
            try await kept[index].send(frames)
            var there: [[UInt8]] = []
            while there.count < frames.count, let more = try await kept[index + 1].receive() { there += more }
            #expect(there == frames)
        }
    }

    @Test func allAddressesOfIPv4AreNotThoseOfIPv6() async throws {
        let listener = try await listen("0.0.0.0")
        _ = try await open("127.0.0.1", listener)
        let client = try await dial("::1", listener)
        try await client.send(frame: [1])
        await #expect(throws: TransportError.self) { try await client.receive() }
        let both = try await listen("::")
        _ = try await open("127.0.0.1", both)
        _ = try await open("::1", both)
    }

    @Test func thePortIsKeptOnEveryAddress() async throws {
        let listener = try await listen()
        let port = listener.localAddress.port
        let (client, server) = try await open("127.0.0.1", listener)
        for host in ["", "0.0.0.0", "::", "::1", "127.0.0.1"] {
            await #expect(throws: TransportError.self, "\(host)") { try await listen(host, port: port) }
        }
        await listener.close()
        // Conversations live on, and what they need of the port is kept.
        await #expect(throws: TransportError.self) { try await listen("127.0.0.1", port: port) }
        try await client.send(frame: [4])
        #expect(try await server.receive() == [[4]])
        let other = try await listen("::1", port: port)
        await other.close()
    }

    #if os(Linux)
    @Test func oneSetOfLimitsIsForAllAddresses() async throws {
        let listener = try await listen {
            $0.conversationLimit = 8
            $0.unprovenLimit = 4
        }
        var kept: [any Connection] = []
        for number in 1...4 {
            let (client, server) = try await open("127.0.0.\(number)", listener)
            kept += [client, server]
        }
        // Forged ones, as far as anybody knows who has not been answered.
        for number in 0..<40 as Range<UInt32> {
            let stranger = try #require(RawDatagrams(to: listener.localAddress.port, at: 1 + number % 7))
            var machine = KCPConversation(conversationID: number, now: KCPInstant(microseconds: 0))
            _ = machine.write([0, 1, 6])
            let opening = machine.nextDatagram(now: KCPInstant(microseconds: 0))
            stranger.send(try #require(opening))
            // What came before has been looked at when this returns.
            try await kept[0].send(frame: [UInt8(number)])
            var there: [[UInt8]] = []
            while there.last != [UInt8(number)] { there += try await kept[1].receive() ?? [] }
        }
        let counts = await listener.conversationCounts()
        #expect(counts.unproven == 4 && counts.conversations == 8)
    }

    /// Whoever asks at ever other addresses takes no more than a few sockets, and nobody's who is talked with.
    @Test func socketsAreLimited() async throws {
        let listener = try await listen { $0.addressLimit = 3 }
        let first = try await open("127.0.0.1", listener)
        for number in 2...20 { _ = try await open("127.0.0.\(number)", listener) }
        try await first.client.send(frame: [4])
        #expect(try await first.server.receive() == [[4]])
        var kept = [first.client, first.server]
        for number in 2...3 {
            let (client, server) = try await open("127.0.1.\(number)", listener)
            kept += [client, server]
        }
        // All three are in use by people who have proven their addresses.
        let last = try await dial("127.0.1.4", listener)
        try await last.send(frame: [1])
        let again = try await open("127.0.1.2", listener)
        kept += [again.client, again.server]
        #expect(await listener.conversationCounts().conversations == 4)
        withExtendedLifetime(kept) {}
    }

    /// A program of version 0.7 sends the first frame's length alone; it is answered before there is a conversation.
    @Test func whatIsAnsweredAndForgottenIsAnsweredFromThereToo() async throws {
        let listener = try await listen { $0.firstFrameSize = 1_216 }
        for target in [1, 9, 9] as [UInt32] {
            let peer = try #require(RawDatagrams(to: listener.localAddress.port, at: target, isPicky: true))
            var machine = KCPConversation(
                conversationID: 77, configuration: .kcpGoDefaults, now: KCPInstant(microseconds: 0))
            _ = machine.write([0x04, 0xC0])
            let opening = machine.nextDatagram(now: KCPInstant(microseconds: 0))
            peer.send(try #require(opening))
            let answer = try #require(await peer.next())
            try machine.receivedDatagram(answer, now: KCPInstant(microseconds: 1_000))
            #expect(machine.unacknowledgedByteCount == 0)
        }
        #expect(await listener.conversationCounts().conversations == 0)
    }

    @Test func noiseOpensNoSocket() async throws {
        let listener = try await listen { $0.addressLimit = 1 }
        for target in 1...9 as ClosedRange<UInt32> {
            let stranger = try #require(RawDatagrams(to: listener.localAddress.port, at: target))
            stranger.send([UInt8](repeating: UInt8(target), count: 100))
        }
        let (client, server) = try await open("127.0.0.77", listener)
        #expect(server.info.localAddress == "udp://127.0.0.77:\(listener.localAddress.port)")
        withExtendedLifetime(client) {}
    }
    #endif
}
