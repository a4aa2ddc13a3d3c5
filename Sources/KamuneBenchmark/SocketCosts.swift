import Dispatch
import KamuneSystem
import Synchronization

/// What the system itself takes for moving frames over loopback TCP: two threads, plain blocking calls, nothing of ours.
/// No library that uses sockets can cost less, so what sessions cost beyond the protocol is held against it.
struct SocketCosts {
    /// The processor time of one frame, both ends together, in microseconds.
    var frame: Double
    /// The time of day of a frame there and one back, median, in microseconds.
    var roundTrip: Double

    mutating func keepBest(of other: SocketCosts) {
        frame = min(frame, other.frame)
        roundTrip = min(roundTrip, other.roundTrip)
    }

    /// A 64-byte message on the wire: the smallest bucket, nonce, tag and length.
    static let smallFrameSize = 512 + 40 + 2
    /// A 60 KiB message on the wire: the largest bucket, nonce, tag and length.
    static let largeFrameSize = 65_495 + 40 + 2

    /// - Parameters:
    ///   - size: Of a frame, in bytes.
    ///   - count: How many are sent.
    static func measure(size: Int, count: Int) throws -> SocketCosts {
        let (dialer, acceptor) = try connectedSockets()
        defer {
            close(dialer)
            close(acceptor)
        }
        try burst(dialer, acceptor, size: size, count: max(count / 10, 1))
        let start = CPUClock.process
        try burst(dialer, acceptor, size: size, count: count)
        let frame = Double(CPUClock.process - start) / Double(count) / 1_000
        return SocketCosts(frame: frame, roundTrip: try roundTrips(dialer, acceptor, size: size, count: count / 2))
    }

    private static func burst(_ dialer: Int32, _ acceptor: Int32, size: Int, count: Int) throws {
        let reader = Worker { transfer(size: size, count: count) { read(acceptor, $0, $1) } }
        let isSent = transfer(size: size, count: count) { write(dialer, $0, $1) }
        guard reader.value(), isSent else { throw BenchmarkFailure.sessionEnded }
    }

    private static func roundTrips(_ dialer: Int32, _ acceptor: Int32, size: Int, count: Int) throws -> Double {
        let count = max(count, 10)
        let echo = Worker {
            for _ in 0..<count {
                guard transfer(size: size, count: 1, { read(acceptor, $0, $1) }),
                    transfer(size: size, count: 1, { write(acceptor, $0, $1) })
                else { return false }
            }
            return true
        }
        var samples: [Double] = []
        samples.reserveCapacity(count)
        for _ in 0..<count {
            let start = CPUClock.wall
            guard transfer(size: size, count: 1, { write(dialer, $0, $1) }),
                transfer(size: size, count: 1, { read(dialer, $0, $1) })
            else { break }
            samples.append(Double(CPUClock.wall - start) / 1_000)
        }
        guard samples.count == count, echo.value() else { throw BenchmarkFailure.sessionEnded }
        return Sampling.median(samples)
    }

    /// Reads or writes whole frames until all are through.
    private static func transfer(
        size: Int, count: Int, _ call: (UnsafeMutableRawPointer, Int) -> Int
    ) -> Bool {
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        defer { buffer.deallocate() }
        buffer.initializeMemory(as: UInt8.self, repeating: 7, count: size)
        for _ in 0..<count {
            var done = 0
            while done < size {
                let moved = call(buffer + done, size - done)
                if moved <= 0 {
                    if moved < 0, errno == EINTR { continue }
                    return false
                }
                done += moved
            }
        }
        return true
    }

    private static func connectedSockets() throws -> (dialer: Int32, acceptor: Int32) {
        let listener = socket(AF_INET, SocketType.stream, 0)
        defer { close(listener) }
        let dialer = socket(AF_INET, SocketType.stream, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isConnected = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                listener >= 0 && dialer >= 0 && bind(listener, address, length) == 0 && listen(listener, 1) == 0
                    && getsockname(listener, address, &length) == 0 && connect(dialer, address, length) == 0
            }
        }
        let acceptor = isConnected ? accept(listener, nil, nil) : -1
        guard acceptor >= 0 else {
            close(dialer)
            throw BenchmarkFailure.sessionEnded
        }
        var on: Int32 = 1
        for descriptor in [dialer, acceptor] {
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        return (dialer, acceptor)
    }
}

/// Work on another thread, which may block it.
private final class Worker: Sendable {
    private let result = Mutex(false)
    private let done = DispatchSemaphore(value: 0)

    init(_ work: @escaping @Sendable () -> Bool) {
        DispatchQueue.global().async {
            let value = work()
            self.result.withLock { $0 = value }
            self.done.signal()
        }
    }

    func value() -> Bool {
        done.wait()
        return result.withLock { $0 }
    }
}
