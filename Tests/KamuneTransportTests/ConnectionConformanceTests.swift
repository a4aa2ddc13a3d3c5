import KamuneTestKit
import KamuneTransport
import Testing

@Suite(.timeLimit(.minutes(5)))
struct ConnectionConformanceTests {
    @Test(arguments: ConnectionConformance.Check.allCases)
    func memory(check: ConnectionConformance.Check) async throws {
        try await ConnectionConformance { MemoryTransport.pair(configuration: $0) }.run(check)
    }

    @Test(arguments: ConnectionConformance.Check.allCases)
    func tcp(check: ConnectionConformance.Check) async throws {
        try await ConnectionConformance { try await tcpPair($0) }.run(check)
    }

    /// The event loop alone writes, as where no second descriptor could be had.
    @Test(arguments: ConnectionConformance.Check.allCases)
    func tcpByTheEventLoop(check: ConnectionConformance.Check) async throws {
        try await ConnectionConformance { configuration in
            var configuration = configuration
            configuration.writesOnCallersThread = false
            return try await tcpPair(configuration)
        }.run(check)
    }
}
