import KamuneTestKit
import KamuneTransport
import Synchronization
import Testing

/// What whoever dialed over UDP is told while the peer does not answer.
@Suite("Doubts about a peer", .timeLimit(.minutes(2)))
struct DoubtTests {
    @Test("come when nothing that was sent is answered, and go when something is heard")
    func comeAndGo() async throws {
        var configuration = TransportConfiguration()
        configuration.doubtTimeout = .milliseconds(300)
        let middle = try #require(RawDatagrams())
        let listener = try await UDPTransport.listen(on: Address(scheme: .udp, host: "127.0.0.1", port: 0))
        let far = try #require(RawDatagrams(to: listener.localAddress.port))
        // What is between the two forgets them, and remembers them again.
        let gate = Gate()
        for (from, to) in [(middle, far), (far, middle)] {
            Task {
                while let datagram = await from.next() {
                    if gate.isOpen { to.send(datagram) }
                }
            }
        }
        let client = try await UDPTransport.connect(
            to: Address(scheme: .udp, host: "127.0.0.1", port: middle.port), configuration: configuration)
        let (doubts, continuation) = AsyncStream.makeStream(of: Void.self)
        client.onDoubt { continuation.yield() }
        try await client.send(frame: [1])
        let server = try #require(try await listener.accept())
        try await server.send(frame: [2])
        #expect(try await client.receive() == [[2]])
        #expect(!client.isDoubtful)
        gate.isOpen = false
        try await client.send(frame: [3])
        var iterator = doubts.makeAsyncIterator()
        await iterator.next()
        #expect(client.isDoubtful)
        gate.isOpen = true
        await iterator.next()
        #expect(!client.isDoubtful)
        var received: [[UInt8]] = []
        while received.count < 2, let frames = try await server.receive() { received += frames }
        #expect(received == [[1], [3]])
        await client.close()
        server.abort()
    }
}

private final class Gate: Sendable {
    private let state = Mutex(true)

    var isOpen: Bool {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
