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

        progress("turn 1 of \(Self.turns): primitives, the protocol alone, sessions over loopback TCP")
        var best = try await Figures.measure(identity: identity, effort: effort)
        for turn in 2...Self.turns {
            progress("turn \(turn) of \(Self.turns)")
            best.keepBest(of: try await Figures.measure(identity: identity, effort: effort))
        }
        add(best.primitives, to: &report)
        add(best.alone, best.primitives, to: &report)
        if growthMessages > 0 {
            progress("growth over \(growthMessages) messages")
            let growth = try ProtocolBenchmark(identity: identity, effort: effort)
                .measureGrowth(messages: growthMessages)
            report.add(Self.alone, "message \(growthMessages), against message 1,000", growth, "×", goal: 1.05)
        }
        add(best.sessions, best.alone, best.primitives, to: &report)
        if idleSessions > 0 {
            progress("\(idleSessions) idle sessions")
            let memory = try await LoopbackBenchmark(identity: identity, effort: effort)
                .measureIdleMemory(sessions: idleSessions)
            report.add(Self.sessions, "idle session, memory of one end", memory / 1_024, "KiB", goal: 16)
        }
        return report
    }

    private static let alone = "Protocol alone, CPU"
    private static let sessions = "Sessions over loopback TCP, both ends in this process"

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

    private func add(_ alone: ProtocolFigures, _ primitives: PrimitiveCosts, to report: inout BenchmarkReport) {
        let group = Self.alone
        report.add(
            group, "cold handshake, both sides", alone.handshake, "µs",
            ratio: alone.handshake / primitives.coldHandshake, goal: 1.25)
        for (name, message, primitives, senderGoal, receiverGoal) in [
            ("64-byte message", alone.small, primitives.small, 1.3, 1.2),
            ("60 KiB message", alone.large, primitives.large, 1.15, 1.15),
        ] {
            report.add(
                group, "\(name), sender", message.sending, "µs", ratio: message.sending / primitives.sending,
                goal: senderGoal)
            report.add(
                group, "\(name), receiver", message.receiving, "µs",
                ratio: message.receiving / primitives.receiving, goal: receiverGoal)
        }
    }

    private func add(
        _ figures: SessionFigures, _ alone: ProtocolFigures, _ primitives: PrimitiveCosts,
        to report: inout BenchmarkReport
    ) {
        let group = Self.sessions
        report.add(group, "cold handshake, time", figures.handshake.wall, "µs")
        report.add(group, "cold handshake, CPU of both sides", figures.handshake.cpu, "µs")
        for (name, burst, cost, sockets) in [
            ("64-byte", figures.small, alone.small, figures.smallSockets),
            ("60 KiB", figures.large, alone.large, figures.largeSockets),
        ] {
            report.add(group, "\(name) messages, one direction", burst.messagesPerSecond, "messages/s")
            report.add(group, "\(name) message in a burst, CPU of both sides", burst.cpu, "µs")
            let extra = (burst.cpu - cost.sending - cost.receiving) / 2
            report.add(group, "\(name) message in a burst, CPU beyond the protocol, a side", extra, "µs", goal: 6)
            report.add(group, "\(name) message, of which the system's sockets alone", sockets.frame / 2, "µs")
        }
        let path = 2 * (primitives.small.sending + primitives.small.receiving)
        let trips = figures.roundTrips
        report.add(
            group, "round trip of a 64-byte message, p50", trips.median, "µs", ratio: trips.median / path, goal: 1.3)
        report.add(
            group, "round trip of a 64-byte message, p99", trips.p99, "µs", ratio: trips.p99 / trips.median, goal: 2)
        report.add(
            group, "round trip of its frame, the system's sockets alone, p50", figures.smallSockets.roundTrip, "µs")
    }
}
