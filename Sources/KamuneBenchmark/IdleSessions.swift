import Foundation
public import Kamune
public import KamuneCrypto
import KamuneSystem

/// Many sessions with one listener in which nobody talks, kept alive: what they cost the listener. Their other ends are in
/// a process of their own, whose work is not counted.
public struct IdleSessions: Sendable {
    /// How many.
    public var count: Int
    /// Where the listener is to listen: a transport and a host, port 0.
    public var address: String
    /// The algorithm of both identities.
    public var algorithm: IdentityAlgorithm

    /// Sessions to measure.
    public init(count: Int, address: String = "udp://127.0.0.1:0", algorithm: IdentityAlgorithm = .ed25519) {
        self.count = count
        self.address = address
        self.algorithm = algorithm
    }

    /// How long they are watched, in seconds: twice the interval of the keep-alive, so that each is pinged twice.
    static let time = 60

    private var endpoint: Endpoint {
        get throws { Endpoint(identity: try .generate(algorithm), name: "benchmark", verifier: .anyone) }
    }

    /// The processor time that the listener takes, as a share of one core.
    ///
    /// - Parameter holder: The words of a command that calls ``hold()`` at the address which it gets as its last
    ///   argument, writes a line when that has returned, and lives until its standard input ends.
    /// - Throws: ``BenchmarkFailure``, or what the library throws when the loopback interface cannot be used.
    func measureListener(holder: [String]) async throws -> Double {
        guard let program = holder.first else { throw BenchmarkFailure.holderFailed }
        let listener = try await endpoint.listen(on: address)
        let accepting = Task {
            var sessions: [Session] = []
            for try await session in listener {
                sessions.append(session)
                if sessions.count == count { break }
            }
            return sessions
        }
        let process = Process()
        let input = Pipe()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = holder.dropFirst() + [listener.address]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        defer {
            try? input.fileHandleForWriting.close()
            process.waitUntilExit()
        }
        guard await Self.saysSomething(output.fileHandleForReading) else {
            accepting.cancel()
            throw BenchmarkFailure.holderFailed
        }
        let sessions = try await accepting.value
        let cpuStart = CPUClock.process
        let start = CPUClock.wall
        try await SystemTime().sleep(for: .seconds(Self.time))
        let share = Double(CPUClock.process - cpuStart) / Double(CPUClock.wall - start)
        withExtendedLifetime(sessions) {}
        await listener.close()
        return share
    }

    /// Waits, on another thread, until something is written or the writer has ended.
    private static func saysSomething(_ file: FileHandle) async -> Bool {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: !file.availableData.isEmpty) }
        }
    }

    /// Opens the sessions with a listener at ``address``.
    ///
    /// - Throws: What the library throws when it cannot be reached.
    public func hold() async throws -> [Session] {
        let endpoint = try endpoint
        var sessions: [Session] = []
        for _ in 0..<count { sessions.append(try await endpoint.dial(address)) }
        return sessions
    }
}
