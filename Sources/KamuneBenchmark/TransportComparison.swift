import Kamune
public import KamuneCrypto

/// What sessions cost over UDP, beside what they cost over TCP, by turns in one run: so the ratios can be compared between
/// machines.
public struct TransportComparison: Sendable {
    /// The algorithm of both identities.
    public var algorithm: IdentityAlgorithm
    /// A factor on the number of iterations: 1 takes about a minute, idle sessions aside.
    public var effort: Double
    /// Sessions held open to measure what they cost while nobody talks; 0 to leave that out.
    public var idleSessions: Int
    /// A command that holds the other ends of idle sessions, for ``IdleSessions``; nil to leave out what these cost the
    /// listener.
    public var holder: [String]?
    /// Told what is measured next.
    public var progress: @Sendable (String) -> Void

    /// A comparison.
    public init(
        algorithm: IdentityAlgorithm = .ed25519, effort: Double = 1, idleSessions: Int = 1_000,
        holder: [String]? = nil, progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.algorithm = algorithm
        self.effort = effort
        self.idleSessions = idleSessions
        self.holder = holder
        self.progress = progress
    }

    /// How often what is compared is measured.
    private static let turns = 3
    /// The size of bulk messages, in bytes.
    private static let bulkSize = PrimitiveCosts.largeMessageSize

    /// Runs everything.
    ///
    /// - Throws: ``BenchmarkFailure``, or what the library throws when the loopback interface cannot be used.
    public func run() async throws -> BenchmarkReport {
        let identity = try Identity.generate(algorithm)
        let benchmarks = ["tcp", "udp"].map { LoopbackBenchmark(identity: identity, effort: effort, scheme: $0) }
        var best = [Figures(), Figures()]
        for turn in 1...Self.turns {
            for (index, benchmark) in benchmarks.enumerated() {
                progress("turn \(turn) of \(Self.turns): sessions over \(benchmark.scheme)")
                best[index].keepBest(of: try await figures(of: benchmark))
            }
        }
        var report = BenchmarkReport()
        add(tcp: best[0], udp: best[1], to: &report)
        if idleSessions > 0 {
            let group = "Idle sessions over UDP"
            progress("the memory of \(idleSessions) idle sessions")
            let memory = try await benchmarks[1].measureIdleMemory(sessions: idleSessions)
            report.add(group, "memory of one end", memory / 1_024, "KiB", goal: 40)
            if let holder {
                progress("the time that \(idleSessions) idle sessions take, for \(IdleSessions.time) seconds")
                let share = try await IdleSessions(count: idleSessions, algorithm: algorithm)
                    .measureListener(holder: holder)
                report.add(
                    group, "\(idleSessions) on one listener: its CPU, keep-alive included", 100 * share,
                    "% of a core", goal: Double(idleSessions) / 1_000)
            }
        }
        return report
    }

    private struct Figures {
        var handshake = LoopbackBenchmark.Handshakes(wall: .infinity, cpu: .infinity)
        var trips = LoopbackBenchmark.RoundTrips(median: .infinity, p99: .infinity)
        var small = LoopbackBenchmark.Burst(cpu: .infinity, messagesPerSecond: 0)
        var bulk = LoopbackBenchmark.Burst(cpu: .infinity, messagesPerSecond: 0)

        mutating func keepBest(of other: Figures) {
            handshake.keepBest(of: other.handshake)
            trips.keepBest(of: other.trips)
            small.keepBest(of: other.small)
            bulk.keepBest(of: other.bulk)
        }
    }

    private func figures(of benchmark: LoopbackBenchmark) async throws -> Figures {
        Figures(
            handshake: try await benchmark.measureHandshake(),
            trips: try await benchmark.measureRoundTrips(size: 64, count: max(Int(300 * effort), 20)),
            small: try await benchmark.measureBurst(size: 64, count: max(Int(2_000 * effort), 100)),
            bulk: try await benchmark.measureBurst(size: Self.bulkSize, count: max(Int(500 * effort), 20)))
    }

    private func add(tcp: Figures, udp: Figures, to report: inout BenchmarkReport) {
        let group = "Sessions over loopback UDP, against TCP; both ends in this process"
        func compare(
            _ name: String, _ value: (Figures) -> Double, _ unit: String, goal: Double? = nil, atLeast: Bool = false
        ) {
            report.add(group, "\(name), TCP", value(tcp), unit)
            report.add(
                group, "\(name), UDP", value(udp), unit, ratio: value(udp) / value(tcp), goal: goal, atLeast: atLeast)
        }
        compare("cold handshake", \.handshake.wall, "µs", goal: 1.2)
        compare("round trip of a 64-byte message, p50", \.trips.median, "µs", goal: 1.5)
        compare("round trip of a 64-byte message, p99", \.trips.p99, "µs")
        compare("64-byte messages, one direction", \.small.messagesPerSecond, "messages/s")
        compare("64-byte message, CPU of both sides", \.small.cpu, "µs")
        let bytes = Double(Self.bulkSize) / 1e6
        compare("bulk, 60 KiB messages", { $0.bulk.messagesPerSecond * bytes }, "MB/s", goal: 0.7, atLeast: true)
        compare("60 KiB message, CPU of both sides", \.bulk.cpu, "µs")
    }
}
