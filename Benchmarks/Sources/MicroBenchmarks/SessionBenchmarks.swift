import KamuneBenchmark
import KamuneCrypto
import KamuneProtocol

/// A message of each size through the session's state machines: sealing on one side, opening on the other.
enum SessionBenchmarks {
    static func run(_ algorithm: IdentityAlgorithm, _ report: inout BenchmarkReport) throws {
        let benchmark = ProtocolBenchmark(identity: try .generate(algorithm), effort: 1)
        for size in [0, 64, 500, 2_000, 8_000, 30_000, 61_435] {
            let cost = try benchmark.measureMessage(size: size, iterations: size > 4_000 ? 100 : 400)
            let group = "Session, \(algorithm.rawValue), message of \(size) bytes"
            report.add(group, "send", cost.sending, "µs")
            report.add(group, "receive", cost.receiving, "µs")
        }
        report.add(
            "Session, \(algorithm.rawValue)", "cold handshake, both sides", try benchmark.measureHandshake(), "µs")
    }
}
