import Kamune
public import KamuneCrypto
import KamuneSystem

/// How long it takes to be connected to somebody of whose addresses some are dead: sockets on the loopback interface that take
/// what comes and say nothing, which costs more than addresses that refuse.
public struct DialingBenchmark: Sendable {
    /// The algorithm of both identities.
    public var algorithm: IdentityAlgorithm
    /// A factor on how often it is measured: 1 takes about half a minute.
    public var effort: Double
    /// Told what is measured next.
    public var progress: @Sendable (String) -> Void

    /// A benchmark.
    public init(
        algorithm: IdentityAlgorithm = .ed25519, effort: Double = 1,
        progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.algorithm = algorithm
        self.effort = effort
        self.progress = progress
    }

    /// Of each number of dead addresses.
    private static let count = 10.0

    /// Runs everything.
    ///
    /// - Throws: ``BenchmarkFailure``, or what the library throws when the loopback interface cannot be used.
    public func run() async throws -> BenchmarkReport {
        var report = BenchmarkReport()
        for transport in ["tcp", "udp"] {
            let endpoint = Endpoint(identity: try Identity.generate(algorithm), verifier: .anyone)
            let listener = try await endpoint.listen(on: "\(transport)://127.0.0.1:0")
            let accepting = Task { for try await session in listener { Task { await session.close() } } }
            let dead = try [Silence(.tcp), Silence(.udp), Silence(.udp)]
            for number in [0, 1, 3] {
                progress("\(transport), \(number) dead addresses before the one that lives")
                let addresses =
                    dead.prefix(number).map { DialAddress($0.address) } + [DialAddress(listener.address)]
                let times = try await measure(addresses, by: endpoint)
                let name = "contact over \(transport) with \(number) dead addresses and one live"
                let group = "Until the session, both ends in this process"
                report.add(group, "\(name), p50", Sampling.median(times), "ms")
                report.add(group, "\(name), longest", times.max() ?? 0, "ms", goal: number == 3 ? 1_000 : nil)
            }
            await listener.close()
            accepting.cancel()
        }
        return report
    }

    private func measure(_ addresses: [DialAddress], by endpoint: Endpoint) async throws -> [Double] {
        var times: [Double] = []
        for _ in 0..<max(Int(Self.count * effort), 1) {
            let start = CPUClock.wall
            let found = try await endpoint.dial(anyOf: addresses)
            times.append(Double(CPUClock.wall - start) / 1e6)
            await found.carrier.close()
        }
        return times
    }
}

/// A socket of the system at which nobody ever says anything.
private final class Silence: Sendable {
    enum Transport: String {
        case tcp
        case udp
    }

    let address: String
    private let descriptor: Int32

    init(_ transport: Transport) throws {
        descriptor = socket(AF_INET, transport == .tcp ? SocketType.stream : SocketType.datagram, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let isReady = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        // The system takes connections by itself, as many as wait.
        guard isReady, transport == .udp || systemListen(descriptor, 128) == 0 else {
            close(descriptor)
            throw BenchmarkFailure.sessionEnded
        }
        self.address = "\(transport.rawValue)://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
    }

    deinit { close(descriptor) }
}
