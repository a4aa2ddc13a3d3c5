import Kamune
public import KamuneCrypto

/// Measures what the protocol and its sessions cost, beside the primitives that they are made of, in one run: so the
/// ratios can be compared between machines.
public struct BenchmarkSuite: Sendable {
    /// The algorithm of both identities.
    public var algorithm: IdentityAlgorithm
    /// A factor on the number of iterations: 1 takes about half a minute.
    public var effort: Double
    /// Sessions held open to measure their memory; 0 to leave that out.
    public var idleSessions: Int
    /// Messages sent to see whether the cost of one grows; 0 to leave that out.
    public var growthMessages: Int
    /// Told what is measured next.
    public var progress: @Sendable (String) -> Void

    /// A suite.
    public init(
        algorithm: IdentityAlgorithm = .ed25519, effort: Double = 1, idleSessions: Int = 1_000,
        growthMessages: Int = 0, progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.algorithm = algorithm
        self.effort = effort
        self.idleSessions = idleSessions
        self.growthMessages = growthMessages
        self.progress = progress
    }

    /// How often what is compared is measured.
    private static let turns = 3

    /// Runs everything.
    ///
    /// - Throws: ``BenchmarkFailure``, or what the library throws when the loopback interface cannot be used.
    public func run() async throws -> BenchmarkReport {
        let identity = try Identity.generate(algorithm)
        var report = BenchmarkReport()

        // Machines change their speed under load, so what is compared is measured by turns, and the best of each counts.
        progress("primitives, and the protocol alone")
        let benchmark = ProtocolBenchmark(identity: identity, effort: effort)
        var primitives = try PrimitiveCosts.measure(identity: identity, effort: effort)
        var alone = try Alone.measure(benchmark)
        for _ in 1..<Self.turns {
            primitives.keepBest(of: try PrimitiveCosts.measure(identity: identity, effort: effort))
            alone.keepBest(of: try Alone.measure(benchmark))
        }
        add(primitives, to: &report)
        add(alone, primitives, to: &report)
        if growthMessages > 0 {
            progress("growth over \(growthMessages) messages")
            let growth = try benchmark.measureGrowth(messages: growthMessages)
            report.add(Alone.group, "message \(growthMessages), against message 1,000", growth, "×", goal: 1.05)
        }

        progress("sessions over loopback TCP")
        try await loopback(identity, primitives, alone, &report)
        return report
    }

    private func add(_ costs: PrimitiveCosts, to report: inout BenchmarkReport) {
        let group = "Primitives, CPU"
        report.add(group, "\(algorithm.rawValue) sign, 64-byte message", costs.small.sign, "µs")
        report.add(group, "\(algorithm.rawValue) verify, 64-byte message", costs.small.verify, "µs")
        report.add(group, "\(algorithm.rawValue) sign, 60 KiB message", costs.large.sign, "µs")
        report.add(group, "\(algorithm.rawValue) verify, 60 KiB message", costs.large.verify, "µs")
        report.add(group, "XChaCha20-Poly1305 seal, 512 bytes", costs.small.seal, "µs")
        report.add(group, "XChaCha20-Poly1305 open, 512 bytes", costs.small.open, "µs")
        report.add(group, "XChaCha20-Poly1305 seal, 64 KiB", costs.large.seal, "µs")
        report.add(group, "XChaCha20-Poly1305 open, 64 KiB", costs.large.open, "µs")
        report.add(group, "X-Wing key", costs.tunnelKey, "µs")
        report.add(group, "X-Wing HPKE sender", costs.tunnelEncapsulation, "µs")
        report.add(group, "X-Wing HPKE recipient", costs.tunnelDecapsulation, "µs")
        report.add(group, "ML-KEM-768 key", costs.mlkemKey, "µs")
        report.add(group, "ML-KEM-768 encapsulation", costs.mlkemEncapsulation, "µs")
        report.add(group, "ML-KEM-768 decapsulation", costs.mlkemDecapsulation, "µs")
        report.add(group, "HKDF-SHA512", costs.derivation, "µs")
    }

    /// What the protocol costs without a connection.
    struct Alone {
        var handshake: Double
        var small: ProtocolBenchmark.MessageCost
        var large: ProtocolBenchmark.MessageCost

        static let group = "Protocol alone, CPU"

        static func measure(_ benchmark: ProtocolBenchmark) throws -> Alone {
            Alone(
                handshake: try benchmark.measureHandshake(),
                small: try benchmark.measureMessage(size: 64, iterations: 2_000),
                large: try benchmark.measureMessage(size: PrimitiveCosts.largeMessageSize, iterations: 200))
        }

        mutating func keepBest(of other: Alone) {
            handshake = min(handshake, other.handshake)
            small.keepBest(of: other.small)
            large.keepBest(of: other.large)
        }
    }

    private func add(_ alone: Alone, _ primitives: PrimitiveCosts, to report: inout BenchmarkReport) {
        let group = Alone.group
        report.add(
            group, "cold handshake, both sides", alone.handshake, "µs",
            ratio: alone.handshake / primitives.coldHandshake,
            goal: 1.25)
        report.add(
            group, "64-byte message, sender", alone.small.sending, "µs",
            ratio: alone.small.sending / primitives.small.sending, goal: 1.3)
        report.add(
            group, "64-byte message, receiver", alone.small.receiving, "µs",
            ratio: alone.small.receiving / primitives.small.receiving, goal: 1.2)
        report.add(
            group, "60 KiB message, sender", alone.large.sending, "µs",
            ratio: alone.large.sending / primitives.large.sending, goal: 1.15)
        report.add(
            group, "60 KiB message, receiver", alone.large.receiving, "µs",
            ratio: alone.large.receiving / primitives.large.receiving, goal: 1.15)
    }

    private func loopback(
        _ identity: Identity, _ primitives: PrimitiveCosts, _ messages: Alone, _ report: inout BenchmarkReport
    ) async throws {
        let group = "Sessions over loopback TCP, both ends in this process"
        let benchmark = LoopbackBenchmark(identity: identity, effort: effort)
        let handshake = try await benchmark.measureHandshake()
        report.add(group, "cold handshake, time", handshake.wall, "µs")
        report.add(group, "cold handshake, CPU of both sides", handshake.cpu, "µs")

        for (name, size, count, cost) in [
            ("64-byte", 64, 20_000, messages.small),
            ("60 KiB", PrimitiveCosts.largeMessageSize, 2_000, messages.large),
        ] {
            let burst = try await benchmark.measureBurst(size: size, count: max(Int(Double(count) * effort), 10))
            report.add(group, "\(name) messages, one direction", burst.messagesPerSecond, "messages/s")
            report.add(group, "\(name) message in a burst, CPU of both sides", burst.cpu, "µs")
            let extra = (burst.cpu - cost.sending - cost.receiving) / 2
            report.add(group, "\(name) message in a burst, CPU beyond the protocol, a side", extra, "µs", goal: 6)
        }

        let path = 2 * (primitives.small.sending + primitives.small.receiving)
        let trips = try await benchmark.measureRoundTrips(size: 64, count: max(Int(5_000 * effort), 20))
        report.add(
            group, "round trip of a 64-byte message, p50", trips.median, "µs", ratio: trips.median / path, goal: 1.3)
        report.add(
            group, "round trip of a 64-byte message, p99", trips.p99, "µs", ratio: trips.p99 / trips.median, goal: 2)
        if idleSessions > 0 {
            let memory = try await benchmark.measureIdleMemory(sessions: idleSessions)
            report.add(group, "idle session, memory of one end", memory / 1_024, "KiB", goal: 16)
        }
    }
}
