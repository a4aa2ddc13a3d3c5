import Kamune
import KamuneCrypto
import KamuneSystem

/// Whole sessions over TCP or UDP on the loopback interface, both ends in this process.
struct LoopbackBenchmark {
    let identity: Identity
    let effort: Double
    var scheme = "tcp"

    struct Pair: Sendable {
        let initiator: Session
        let responder: Session
    }

    private func endpoint() -> Endpoint {
        var configuration = Configuration()
        configuration.keepAliveInterval = nil
        return Endpoint(identity: identity, name: "benchmark", verifier: .anyone, configuration: configuration)
    }

    private func listen() async throws -> Listener {
        try await endpoint().listen(on: "\(scheme)://127.0.0.1:0")
    }

    private func connect(to listener: Listener) async throws -> Pair {
        async let accepted = Self.next(listener)
        let initiator = try await endpoint().dial(listener.address)
        guard let responder = try await accepted else { throw BenchmarkFailure.sessionEnded }
        return Pair(initiator: initiator, responder: responder)
    }

    private static func next(_ listener: Listener) async throws -> Session? {
        var iterator = listener.makeAsyncIterator()
        return try await iterator.next()
    }

    struct Handshakes {
        /// The time of day that one takes, as the dialer sees it, median, in microseconds.
        var wall: Double
        /// The processor time of both sides, in microseconds.
        var cpu: Double

        mutating func keepBest(of other: Handshakes) {
            wall = min(wall, other.wall)
            cpu = min(cpu, other.cpu)
        }
    }

    /// Cold handshakes, one after the other.
    func measureHandshake() async throws -> Handshakes {
        let listener = try await listen()
        var best = Handshakes(wall: .infinity, cpu: .infinity)
        for _ in 0..<Self.runs {
            best.keepBest(of: try await handshakes(with: listener, count: max(Int(20 * effort), 3)))
        }
        await listener.close()
        return best
    }

    private func handshakes(with listener: Listener, count: Int) async throws -> Handshakes {
        var walls: [Double] = []
        let cpuStart = CPUClock.process
        for _ in 0..<count {
            let start = CPUClock.wall
            let pair = try await connect(to: listener)
            walls.append(Double(CPUClock.wall - start) / 1_000)
            async let closed: Void = pair.responder.close()
            await pair.initiator.close()
            await closed
        }
        return Handshakes(
            wall: Sampling.median(walls), cpu: Double(CPUClock.process - cpuStart) / Double(count) / 1_000)
    }

    /// In how many runs each thing is measured; the best one counts.
    private static let runs = 5

    struct Burst {
        /// Of both sides together, for a message, in microseconds.
        var cpu: Double
        var messagesPerSecond: Double

        mutating func keepBest(of other: Burst) {
            cpu = min(cpu, other.cpu)
            messagesPerSecond = max(messagesPerSecond, other.messagesPerSecond)
        }
    }

    /// Messages in one direction as fast as they go.
    func measureBurst(size: Int, count: Int) async throws -> Burst {
        let listener = try await listen()
        let pair = try await connect(to: listener)
        let payload = [UInt8](repeating: 7, count: size)
        _ = try await Self.burst(pair, payload, count: max(count / 10, 1))
        var best = Burst(cpu: .infinity, messagesPerSecond: 0)
        for _ in 0..<Self.runs {
            let cpuStart = CPUClock.process
            let seconds = try await Self.burst(pair, payload, count: count)
            best.keepBest(
                of: Burst(
                    cpu: Double(CPUClock.process - cpuStart) / Double(count) / 1_000,
                    messagesPerSecond: Double(count) / seconds))
        }
        await pair.initiator.close()
        await listener.close()
        return best
    }

    private static func burst(_ pair: Pair, _ payload: [UInt8], count: Int) async throws -> Double {
        let start = CPUClock.wall
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for _ in 0..<count { try await pair.initiator.send(payload) }
            }
            group.addTask {
                var iterator = pair.responder.messages.makeAsyncIterator()
                for _ in 0..<count {
                    guard try await iterator.next() != nil else { throw BenchmarkFailure.sessionEnded }
                }
            }
            try await group.waitForAll()
        }
        return Double(CPUClock.wall - start) / 1_000_000_000
    }

    struct RoundTrips {
        var median: Double
        var p99: Double

        /// Keeps both figures of the run with the lower median: p99 is held against it.
        mutating func keepBest(of other: RoundTrips) {
            if other.median < median { self = other }
        }
    }

    /// A message there and one back, again and again, in microseconds.
    func measureRoundTrips(size: Int, count: Int) async throws -> RoundTrips {
        let listener = try await listen()
        let pair = try await connect(to: listener)
        let payload = [UInt8](repeating: 7, count: size)
        let echo = Task {
            for try await message in pair.responder.messages { try await pair.responder.send(message.bytes) }
        }
        var best = RoundTrips(median: .infinity, p99: .infinity)
        var iterator = pair.initiator.messages.makeAsyncIterator()
        for _ in 0..<Self.runs {
            var samples: [Double] = []
            samples.reserveCapacity(count)
            for _ in 0..<count {
                let start = CPUClock.wall
                try await pair.initiator.send(payload)
                guard try await iterator.next() != nil else { throw BenchmarkFailure.sessionEnded }
                samples.append(Double(CPUClock.wall - start) / 1_000)
            }
            best.keepBest(
                of: RoundTrips(
                    median: Sampling.percentile(50, of: samples), p99: Sampling.percentile(99, of: samples)))
        }
        await pair.initiator.close()
        try await echo.value
        await listener.close()
        return best
    }

    /// The memory of an idle session's one end, in bytes: what this process grows by when it holds so many sessions, whose
    /// both ends it holds, divided by the number of ends.
    func measureIdleMemory(sessions count: Int) async throws -> Double {
        let listener = try await listen()
        var pairs: [Pair] = []
        pairs.reserveCapacity(count)
        // What the process needs once, it needs for the first sessions already.
        for _ in 0..<max(count / 10, 10) { pairs.append(try await connect(to: listener)) }
        let before = ResidentMemory.bytes
        for _ in 0..<count { pairs.append(try await connect(to: listener)) }
        let after = ResidentMemory.bytes
        await withTaskGroup(of: Void.self) { group in
            for pair in pairs {
                group.addTask {
                    async let closed: Void = pair.responder.close()
                    await pair.initiator.close()
                    await closed
                }
            }
        }
        await listener.close()
        return Double(max(after - before, 0)) / Double(2 * count)
    }
}
