import KamuneSystem
import KamuneTestKit
import KamuneTransport
import Testing

@testable import Kamune

@Suite("Listener", .serialized, .timeLimit(.minutes(5)))
struct ListenerTests {
    @Test("it serves many peers side by side")
    func manyPeers() async throws {
        let listener = try await TestEndpoints.make(name: "Bob").listen(on: "127.0.0.1:0")
        let serving = Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for try await session in listener {
                    group.addTask {
                        for try await message in session.messages { try await session.send(message.bytes) }
                    }
                }
                try await group.waitForAll()
            }
        }
        let count = 10
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<count {
                group.addTask {
                    let session = try await TestEndpoints.make(name: "peer \(index)").dial(listener.address)
                    try await session.send("\(index)")
                    var messages = session.messages.makeAsyncIterator()
                    #expect(try await messages.next()?.text == "\(index)")
                    await session.close()
                }
            }
            try await group.waitForAll()
        }
        await listener.close()
        try await serving.value
    }

    @Test("it survives whatever connects to it, and tells of it")
    func hostilePeers() async throws {
        let bob = try TestEndpoints.make(name: "Bob")
        let listener = try await bob.listen(on: "127.0.0.1:0")
        let address = try Address(parsing: listener.address)
        let garbage: [[[UInt8]]] = [
            [[]], [[1, 2, 3]], [Array("GET / HTTP/1.1".utf8)], [[UInt8](repeating: 0, count: 1_216)],
            [[UInt8](repeating: 0xff, count: 65_535)],
        ]
        var failures = listener.failures.makeAsyncIterator()
        for frames in garbage {
            let connection = try await TCPTransport.connect(to: address, configuration: .init())
            try await connection.send(frames)
            let failure = try #require(await failures.next())
            #expect(failure.error.code == .protocolViolation)
            connection.abort()
        }
        async let accepted = SessionPair.first(of: listener)
        let session = try await TestEndpoints.make(name: "Ada").dial(listener.address)
        #expect(try await accepted?.id == session.id)
        await session.close()
        await listener.close()
    }

    @Test("a flood of silent connections does not lock out an honest peer")
    func flood() async throws {
        let bob = try TestEndpoints.make(name: "Bob") {
            $0.maximumPendingHandshakes = 8
            $0.handshakeTimeout = .seconds(60)
        }
        let listener = try await bob.listen(on: "127.0.0.1:0")
        let address = try Address(parsing: listener.address)
        var silent: [any Connection] = []
        for _ in 0..<40 { silent.append(try await TCPTransport.connect(to: address, configuration: .init())) }
        // Four of the eight places are for who is silent. One who is let in after Ada may take hers as well as another's, so
        // all of them have to be in first.
        await Self.waitForEnds(of: silent, count: 36)
        async let accepted = SessionPair.first(of: listener)
        let session = try await TestEndpoints.make(name: "Ada").dial(listener.address)
        #expect(try await accepted?.id == session.id)
        for connection in silent { connection.abort() }
        await session.close()
        await listener.close()
    }

    /// Waits until the other side has ended so many of the connections.
    private static func waitForEnds(of connections: [any Connection], count: Int) async {
        await withTaskGroup(of: Void.self) { group in
            for connection in connections {
                group.addTask { while (try? await connection.receive()) != nil {} }
            }
            for _ in 0..<count { await group.next() }
            group.cancelAll()
        }
    }

    /// Never says whether it accepts a peer.
    private struct Undecided: PeerVerifier {
        func verify(_ peer: Peer) async -> Verdict {
            for await _ in AsyncStream<Never>.makeStream().stream {}
            return .refuse(reason: "It was asked no more.")
        }
    }

    @Test(
        "whoever shows an introduction again and again, and then nothing more, keeps neither its owner out nor others")
    func replayedIntroductions() async throws {
        let bob = try TestEndpoints.make(name: "Bob")
        let listener = try await bob.listen(on: "127.0.0.1:0")
        let ada = try TestEndpoints.make(name: "Ada")
        // It has Ada's introduction, and stops where her key would be needed.
        let thief = Endpoint(
            identity: ada.identity, name: "Ada", verifier: Undecided(), configuration: ada.configuration)
        let count = 40
        let (dropped, continuation) = AsyncStream<Void>.makeStream()
        let stalled = (0..<count).map { _ in
            Task {
                _ = try? await thief.dial(listener.address)
                continuation.yield()
            }
        }
        // There are eight places for one identity.
        var drops = dropped.makeAsyncIterator()
        for _ in 0..<count - 8 { await drops.next() }

        var sessions = listener.makeAsyncIterator()
        for endpoint in [try TestEndpoints.make(name: "Carol"), ada] {
            let session = try await endpoint.dial(listener.address)
            #expect(try await sessions.next()?.id == session.id)
            await session.close()
        }
        for task in stalled { task.cancel() }
        await listener.close()
    }

    #if os(Linux)
    @Test("100 KB a second of small datagrams from hundreds of addresses keep nobody out")
    func datagramFlood() async throws {
        let bob = try TestEndpoints.make(name: "Bob")
        let listener = try await bob.listen(on: "udp://127.0.0.1:0")
        let port = try Address(parsing: listener.address).port
        let strangers = try (0..<50).map { try #require(RawDatagrams(from: 0x0200 + $0, to: port)) }
        let flood = Task {
            var number: UInt32 = 0
            while !Task.isCancelled {
                // 4,000 a second, each another conversation.
                for stranger in strangers.shuffled().prefix(20) {
                    number += 1
                    stranger.send(Self.smallOpening(number))
                }
                try await SystemTime().sleep(for: .milliseconds(5))
            }
        }
        var sessions = listener.makeAsyncIterator()
        let ada = try TestEndpoints.make(name: "Ada")
        for _ in 0..<20 {
            let session = try await ada.dial(listener.address)
            #expect(try await sessions.next()?.id == session.id)
            await session.close()
        }
        flood.cancel()
        await listener.close()
    }

    /// 25 bytes that begin a conversation: a header of KCP and a byte.
    private static func smallOpening(_ conversation: UInt32) -> [UInt8] {
        var datagram = [UInt8](repeating: 0, count: 25)
        for byte in 0..<4 { datagram[byte] = UInt8(truncatingIfNeeded: conversation >> (8 * byte)) }
        datagram[4] = 81
        datagram[6] = 32
        datagram[20] = 1
        datagram[24] = 4
        return datagram
    }
    #endif

    @Test("a port in use, a bad address and an unknown name each have their error")
    func badAddresses() async throws {
        let bob = try TestEndpoints.make(name: "Bob")
        let listener = try await bob.listen(on: "127.0.0.1:0")
        let inUse = await error { () async throws(KamuneError) in try await bob.listen(on: listener.address) }
        #expect(inUse?.code == .addressUnavailable)
        let bad = await error { () async throws(KamuneError) in try await bob.listen(on: "nonsense:port") }
        #expect(bad?.code == .invalidAddress)
        let unknown = await error { () async throws(KamuneError) in try await bob.dial("no-such-host.invalid:9000") }
        #expect(unknown?.code == .nameNotResolved)
        await listener.close()
        // A port of the system's choice may belong to another test by now; nobody serves TCP's port multiplexer.
        let gone = await error { () async throws(KamuneError) in try await bob.dial("127.0.0.1:1") }
        #expect(gone?.code == .unreachable)
    }

    @Test("closing ends the sequence, and sessions go on")
    func close() async throws {
        let listener = try await TestEndpoints.make(name: "Bob").listen(on: "127.0.0.1:0")
        async let accepted = SessionPair.first(of: listener)
        let session = try await TestEndpoints.make(name: "Ada").dial(listener.address)
        let theirs = try #require(try await accepted)
        await listener.close()
        #expect(try await SessionPair.first(of: listener) == nil)
        try await session.send("still here")
        var messages = theirs.messages.makeAsyncIterator()
        #expect(try await messages.next()?.text == "still here")
        await session.close()
    }
}
