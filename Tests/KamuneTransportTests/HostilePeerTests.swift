import KamuneTestSupport
import KamuneTransport
import Testing

/// What a peer can do over a plain socket.
@Suite(.timeLimit(.minutes(5)))
struct HostilePeerTests {
    private func meet(
        _ adjust: (inout TransportConfiguration) -> Void = { _ in }
    ) async throws -> (any Connection, RawPeer) {
        var configuration = TransportConfiguration()
        configuration.readTimeout = .seconds(20)
        adjust(&configuration)
        let listener = try await TCPTransport.listen(
            on: Address(host: "127.0.0.1", port: 0), configuration: configuration)
        let peer = try #require(RawPeer(port: listener.localAddress.port))
        let connection = try #require(try await listener.accept())
        await listener.close()
        return (connection, peer)
    }

    /// Receives frames until the connection ends.
    private func receiveAll(_ connection: any Connection) async -> (frames: [[UInt8]], error: TransportError?) {
        var received: [[UInt8]] = []
        do throws(TransportError) {
            while let frames = try await connection.receive() { received += frames }
            return (received, nil)
        } catch {
            return (received, error)
        }
    }

    @Test func framesLookAsTheyShouldOnTheWire() async throws {
        let (connection, peer) = try await meet()
        try await connection.send([[1, 2, 3], [], [UInt8](repeating: 9, count: 258)])
        try await connection.send(frame: [7])
        let expected: [UInt8] = [0, 3, 1, 2, 3, 0, 0, 1, 2] + [UInt8](repeating: 9, count: 258) + [0, 1, 7]
        #expect(peer.read(expected.count) == expected)
        connection.finishSending()
        #expect(peer.read(1) == [])
    }

    @Test func endWithinAFrame() async throws {
        for end in [1, 2, 3, 4] {
            let (connection, peer) = try await meet()
            #expect(peer.write([0, 1, 5] + [0, 9, 1, 2][..<end]))
            peer.finish()
            let (frames, error) = await receiveAll(connection)
            #expect(frames == [[5]])
            #expect(error == .endedMidFrame)
        }
    }

    @Test func endWithinAFrameAfterOurOwnEnd() async throws {
        let (connection, peer) = try await meet()
        connection.finishSending()
        #expect(peer.read(1) == [])
        #expect(peer.write([0, 1, 5, 0]))
        peer.finish()
        let (frames, error) = await receiveAll(connection)
        #expect(frames == [[5]])
        #expect(error == .endedMidFrame)
    }

    @Test func resetAfterFramesAndAfterOurOwnEnd() async throws {
        for finishesFirst in [false, true] {
            let (connection, peer) = try await meet()
            if finishesFirst {
                connection.finishSending()
                #expect(peer.read(1) == [])
            }
            #expect(peer.write([0, 1, 5]))
            #expect(try await connection.receive() == [[5]])
            peer.reset()
            let (frames, error) = await receiveAll(connection)
            #expect(frames == [])
            #expect(error == .reset)
        }
    }

    @Test func halfAFrameAndThenNothing() async throws {
        let (connection, peer) = try await meet { $0.readTimeout = .milliseconds(100) }
        #expect(peer.write([0, 1, 5, 0xFF, 0xFF, 1, 2, 3]))
        let (frames, error) = await receiveAll(connection)
        // On a machine that is very busy the limit may be over before the first frame was looked at.
        #expect(frames == [[5]] || frames.isEmpty)
        #expect(error == .timedOut(.read))
        // The reset leaves nothing to read.
        #expect(peer.read(1) == [])
    }

    @Test func anOversizedFrame() async throws {
        let (connection, peer) = try await meet { $0.maximumFrameSize = 1_000 }
        #expect(peer.write([0, 1, 5, 0x03, 0xE9]))
        let (frames, error) = await receiveAll(connection)
        #expect(frames == [[5]])
        #expect(error == .frameTooLarge(size: 1_001, limit: 1_000))
        await #expect(throws: TransportError.frameTooLarge(size: 1_001, limit: 1_000)) {
            try await connection.send(frame: [1])
        }
        #expect(peer.read(1) == [])
    }

    /// Frames without content are cheap to send and must not be cheap to hoard.
    @Test func aFloodThatNobodyReceivesIsStopped() async throws {
        let (connection, peer) = try await meet { $0.inboundBufferLimit = 64 * 1_024 }
        let flood = [UInt8](repeating: 0, count: 2 * 1_000)
        var sent = 0
        // Goes on until the system's buffers, too, have been full for many turns.
        var refusals = 0
        while refusals < 2_000, sent < ConnectionLimits.systemBuffers {
            if peer.write(flood) { sent += flood.count } else { refusals += 1 }
            await Task.yield()
        }
        #expect(sent < ConnectionLimits.systemBuffers)
        let frames = try #require(try await connection.receive())
        // What reaches the limit, at 48 bytes each, and one reading more.
        let limit = 64 * 1_024 / 48 + 128 * 1_024 / 2
        #expect(frames.count <= limit)
    }

    @Test func aPeerWhoReadsNothingIsGivenUp() async throws {
        let (connection, peer) = try await meet { $0.writeTimeout = .milliseconds(40) }
        let frame = [UInt8](repeating: 1, count: 60_000)
        await #expect(throws: TransportError.timedOut(.write)) {
            while true { try await connection.send(frame: frame) }
        }
        withExtendedLifetime(peer) {}
    }
}

enum ConnectionLimits {
    /// More than the system holds for one connection, in bytes.
    static let systemBuffers = 32 << 20
}
