import KamuneCrypto
import KamuneRelayProtocol
import KamuneTestKit
import Synchronization
import Testing

@testable import KamuneTransport

/// Two clients of a relay over TCP.
@Suite(.timeLimit(.minutes(5)))
struct RelayTransportTests {
    private let token: RelayToken

    init() throws {
        token = try RelayToken(Array(0..<32))
    }

    /// Two ends of a connection through a relay, which lives as long as the test.
    private func pair(
        _ relay: TestRelay, _ configuration: TransportConfiguration = TransportConfiguration()
    ) async throws -> (any Connection, any Connection) {
        let listener = try await RelayTransport.listen(at: relay.address, configuration: configuration)
        async let accepted = listener.accept()
        let dialed = try await RelayTransport.connect(to: listener.localAddress, configuration: configuration)
        // Who waits learns of the other by the first frame.
        try await dialed.send(frame: [42])
        let other = try #require(await accepted)
        #expect(try await other.receive() == [[42]])
        await listener.close()
        return (dialed, other)
    }

    /// What a connection through somebody else cannot promise: a relay ends both directions at once; whether it passes on that
    /// one was broken rather than ended, and how much it takes before it reads no more, is the relay's.
    private static let relays: Set<ConnectionConformance.Check> = [
        .halfClose, .waitingEndsWithPeersAbort, .writeTimeout,
    ]

    @Test(arguments: ConnectionConformance.Check.allCases.filter { !relays.contains($0) })
    func conformance(check: ConnectionConformance.Check) async throws {
        let relay = try await TestRelay.start()
        try await ConnectionConformance { configuration in try await pair(relay, configuration) }.run(check)
        await relay.stop()
    }

    @Test("a connection says what it is and what it carries, and refuses more")
    func description() async throws {
        let relay = try await TestRelay.start()
        let (a, b) = try await pair(relay)
        for connection in [a, b] {
            #expect(connection.info.transport == "relay+tcp")
            #expect(connection.info.remoteAddress == "\(relay.address)")
            #expect(connection.info.remoteNetwork == nil)
            #expect(connection.info.maximumFrameSize == 65_511)
        }
        await #expect(throws: TransportError.frameTooLarge(size: 65_512, limit: 65_511)) {
            try await a.send(frame: [UInt8](repeating: 0, count: 65_512))
        }
        // Every other transport carries all that a length can say.
        let (direct, _) = MemoryTransport.pair()
        #expect(direct.info.maximumFrameSize == 65_535)
        await relay.stop()
    }

    @Test("who listens is there again after each one who came, under the same token")
    func several() async throws {
        let relay = try await TestRelay.start()
        let listener = try await RelayTransport.listen(at: relay.address(token))
        #expect(listener.localAddress.relay.token == token)
        var ends: [(any Connection, any Connection)] = []
        for number in 1...3 {
            await relay.registered(number)
            let dialed = try await RelayTransport.connect(to: listener.localAddress)
            try await dialed.send(frame: [UInt8(number)])
            let accepted = try #require(try await listener.accept())
            #expect(try await accepted.receive() == [[UInt8(number)]])
            ends.append((dialed, accepted))
        }
        // All of them live on beside each other, and when nobody listens any more.
        await listener.close()
        for (dialed, accepted) in ends {
            try await accepted.send(frame: [9])
            #expect(try await dialed.receive() == [[9]])
        }
        await relay.stop()
    }

    @Test("without a token one is made, which only the listener's address says")
    func ownToken() async throws {
        let relay = try await TestRelay.start()
        let first = try await RelayTransport.listen(at: relay.address)
        let second = try await RelayTransport.listen(at: relay.address)
        let tokens = [first, second].compactMap(\.localAddress.relay.token)
        #expect(Set(tokens).count == 2)
        #expect(tokens.allSatisfy { RelayToken.isAcceptable($0.bytes) })
        await #expect(throws: TransportError.self) { try await RelayTransport.connect(to: relay.address) }
        await relay.stop()
    }

    @Test("who listens registers anew when the relay forgets it, and when its patience is over")
    func renewal() async throws {
        var character = TestRelay.Character()
        character.tokenLifetime = 1
        let relay = try await TestRelay.start(character)
        let listener = try await RelayTransport.listen(at: relay.address(token))
        await relay.registered(2)
        relay.dropAll()
        await relay.registered(3)
        let dialed = try await RelayTransport.connect(to: relay.address(token))
        try await dialed.send(frame: [1])
        let accepted = try #require(try await listener.accept())
        #expect(try await accepted.receive() == [[1]])
        await relay.stop()
    }

    @Test("a closed listener gives up its place, and whoever accepts gets nothing more")
    func closing() async throws {
        let relay = try await TestRelay.start()
        let listener = try await RelayTransport.listen(at: relay.address(token))
        async let accepted = listener.accept()
        await listener.close()
        #expect(try await accepted == nil)
        await listener.close()
        await #expect(throws: TransportError.self) {
            // The relay may notice a moment later than we.
            while true {
                let connection = try await RelayTransport.connect(to: relay.address(token))
                _ = try await connection.receive()
            }
        }
        await relay.stop()
    }

    // MARK: Refusals

    private func failure(_ operation: () async throws -> Void) async -> TransportError? {
        do {
            try await operation()
            return nil
        } catch {
            return error as? TransportError
        }
    }

    @Test("a refusal says why, and a relay of 0.7 only that it closed")
    func refusals() async throws {
        let relay = try await TestRelay.start()
        let name = "\(relay.address)"
        #expect(
            await failure { _ = try await RelayTransport.connect(to: relay.address(token)) }
                == .relayRefused(address: name, .unknownToken))
        let listener = try await RelayTransport.listen(at: relay.address(token))
        #expect(
            await failure { _ = try await RelayTransport.listen(at: relay.address(token)) }
                == .relayRefused(address: name, .tokenInUse))
        #expect(
            await failure { _ = try await RelayTransport.listen(at: relay.address(try RelayToken([1]))) }
                == .relayRefused(address: name, .unacceptableToken))
        await listener.close()
        await relay.stop()

        var character = TestRelay.Character()
        character.isSilent = true
        let silent = try await TestRelay.start(character)
        #expect(
            await failure { _ = try await RelayTransport.connect(to: silent.address(token)) }
                == .relayClosed(address: "\(silent.address)", hasKey: false))
        await silent.stop()
    }

    @Test("a relay's key opens it, and another one does not")
    func key() async throws {
        var character = TestRelay.Character()
        character.key = PreSharedKey(copying: Array("correct horse".utf8))
        let relay = try await TestRelay.start(character)
        let name = "\(relay.address)"
        var configuration = TransportConfiguration()
        configuration.relayKey = character.key
        let (a, b) = try await pair(relay, configuration)
        try await b.send(frame: [7])
        #expect(try await a.receive() == [[7]])
        for key in [nil, PreSharedKey(copying: Array("battery staple".utf8))] {
            configuration.relayKey = key
            let configuration = configuration
            #expect(
                await failure {
                    _ = try await RelayTransport.connect(to: relay.address(token), configuration: configuration)
                } == .relayRefused(address: name, .unauthenticated))
        }
        await relay.stop()
    }

    @Test("what is no relay is said to be none, whatever it answers", arguments: [0, 2, 3_000])
    func notARelay(size: Int) async throws {
        let listener = try await TCPTransport.listen(on: Address(host: "127.0.0.1", port: 0))
        let address = Address(scheme: .relayTCP, host: "127.0.0.1", port: listener.localAddress.port)
        var dialed = address
        dialed.relay.token = token
        let serving = Task {
            guard let connection = try await listener.accept() else { return }
            _ = try await connection.receive()
            try await connection.send(frame: [UInt8](repeating: 0xff, count: size))
            _ = try await connection.receive()
        }
        let target = dialed
        let error = await failure { _ = try await RelayTransport.connect(to: target) }
        guard case .notARelay("\(address)", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        await listener.close()
        _ = await serving.result
    }

    @Test("who answers nothing is given up in time")
    func silence() async throws {
        let listener = try await TCPTransport.listen(on: Address(host: "127.0.0.1", port: 0))
        var address = Address(scheme: .relayTCP, host: "127.0.0.1", port: listener.localAddress.port)
        address.relay.token = token
        var configuration = TransportConfiguration()
        configuration.dialTimeout = .milliseconds(50)
        let (target, limits) = (address, configuration)
        #expect(
            await failure { _ = try await RelayTransport.connect(to: target, configuration: limits) }
                == .timedOut(.connect))
        await listener.close()
    }

    @Test(
        "a web server that has no WebSocket for us is no relay, and one that is asked too often says so",
        arguments: [
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false),
            ("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", true),
            ("SSH-2.0-OpenSSH_9.7\r\n", false), ("", false),
        ])
    func upgradeRefused(answer: String, isLimit: Bool) async throws {
        let server = try await OneAnswer.start(answer)
        var address = Address(scheme: .relayWebSocket, host: "127.0.0.1", port: server.port)
        address.relay.token = token
        let target = address
        let error = await failure { _ = try await RelayTransport.connect(to: target) }
        let name = "relay+ws://127.0.0.1:\(server.port)"
        if isLimit {
            #expect(error == .relayRefused(address: name, .rateLimited))
        } else {
            guard case .notARelay(name, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        server.stop()
    }
}
