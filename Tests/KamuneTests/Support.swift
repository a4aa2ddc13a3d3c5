import KamuneTransport
import Synchronization
import Testing

@testable import Kamune

/// Two endpoints that accept each other, quick to give up.
enum TestEndpoints {
    static func make(
        _ algorithm: IdentityAlgorithm = .ed25519, name: String, verifier: some PeerVerifier = .anyone,
        adjust: (inout Configuration) -> Void = { _ in }
    ) throws -> Endpoint {
        var configuration = Configuration()
        configuration.handshakeTimeout = .seconds(240)
        configuration.closeTimeout = .seconds(5)
        adjust(&configuration)
        return Endpoint(
            identity: try .generate(algorithm), name: name, verifier: verifier, configuration: configuration)
    }
}

/// A session between two endpoints, over memory, or TCP or UDP on the loopback interface.
struct SessionPair: Sendable {
    let initiator: Session
    let responder: Session

    enum Medium: CaseIterable, Sendable {
        case memory
        case tcp
        case udp
    }

    static func connect(_ initiator: Endpoint, _ responder: Endpoint, over medium: Medium) async throws -> SessionPair {
        switch medium {
        case .memory:
            let (near, far) = MemoryTransport.pair(configuration: responder.configuration.transport)
            async let accepted = responder.respond(over: far)
            let dialed = try await initiator.initiate(over: near)
            return SessionPair(initiator: dialed, responder: try await accepted)
        case .tcp, .udp:
            let listener = try await responder.listen(on: medium == .tcp ? "127.0.0.1:0" : "udp://127.0.0.1:0")
            async let accepted = first(of: listener)
            let dialed = try await initiator.dial(listener.address)
            let session = try #require(try await accepted)
            await listener.close()
            return SessionPair(initiator: dialed, responder: session)
        }
    }

    static func connect(over medium: Medium = .memory) async throws -> SessionPair {
        try await connect(
            TestEndpoints.make(name: "Ada"), TestEndpoints.make(name: "Bob"), over: medium)
    }

    static func first(of listener: Listener) async throws -> Session? {
        var iterator = listener.makeAsyncIterator()
        return try await iterator.next()
    }

    func close() async {
        async let other: Void = responder.close()
        await initiator.close()
        await other
    }
}

/// The error that an operation ends with.
func error(of body: () async throws(KamuneError) -> some Any) async -> KamuneError? {
    do throws(KamuneError) {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}
