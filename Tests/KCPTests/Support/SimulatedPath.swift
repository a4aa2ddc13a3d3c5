import KCP
import KamuneTestKit

/// One end of a simulated path.
protocol PathEnd {
    mutating func receive(_ datagram: [UInt8], at now: UInt64)
    mutating func nextDatagram(at now: UInt64) -> [UInt8]?
    /// When to ask for datagrams again if nothing arrives.
    var deadline: UInt64? { get }
    mutating func send(_ bytes: ArraySlice<UInt8>) -> Int
    mutating func takeReceived() -> [UInt8]
}

extension KCPConversation: PathEnd {
    mutating func receive(_ datagram: [UInt8], at now: UInt64) {
        // A refused datagram is dropped, as by every owner.
        try? receivedDatagram(datagram, now: KCPInstant(microseconds: now))
    }

    mutating func nextDatagram(at now: UInt64) -> [UInt8]? { nextDatagram(now: KCPInstant(microseconds: now)) }
    var deadline: UInt64? { nextDeadline?.microseconds }
    mutating func send(_ bytes: ArraySlice<UInt8>) -> Int { write(Array(bytes.prefix(writableByteCount))) }
    mutating func takeReceived() -> [UInt8] { read() }
}

/// Two ends and the two directions between them, on virtual time.
struct SimulatedPath<First: PathEnd, Second: PathEnd> {
    var first: First
    var second: Second
    var forward: SimulatedLink
    var backward: SimulatedLink
    private(set) var now: UInt64 = 0

    init(_ first: First, _ second: Second, forward: LinkConditions, backward: LinkConditions, seed: UInt64) {
        self.first = first
        self.second = second
        self.forward = SimulatedLink(conditions: forward, seed: seed)
        self.backward = SimulatedLink(conditions: backward, seed: ~seed)
    }

    /// Runs event by event until `act`, which is called at each, returns a time that has passed, or until the limit.
    ///
    /// - Parameter act: what the applications do; returns when it wants to be called again at the latest, or `nil` to
    ///   stop here.
    /// - Returns: whether `act` has stopped it.
    @discardableResult
    mutating func run(until limit: UInt64, _ act: (inout SimulatedPath) throws -> UInt64?) rethrows -> Bool {
        while now <= limit {
            while let arrival = forward.receive(at: now) { second.receive(arrival.datagram, at: now) }
            while let arrival = backward.receive(at: now) { first.receive(arrival.datagram, at: now) }
            guard let wanted = try act(&self) else { return true }
            while let datagram = first.nextDatagram(at: now) { forward.send(datagram, at: now) }
            while let datagram = second.nextDatagram(at: now) { backward.send(datagram, at: now) }
            var next = wanted
            for time in [forward.nextArrivalTime, backward.nextArrivalTime, first.deadline, second.deadline] {
                if let time { next = min(next, time) }
            }
            if next > limit { break }
            now = max(now + 1, next)
        }
        now = max(now, limit)
        return false
    }
}

/// A stream of bytes in which each place is recognisable, and how far each side has come.
struct TestStream {
    let bytes: [UInt8]
    var sent = 0
    private(set) var received = 0
    /// The first place at which something else arrived than was sent.
    private(set) var firstDifference: Int?

    init(count: Int, seed: UInt64) {
        var random = SeededRandom(seed)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) }
        }
        self.bytes = Array(bytes.prefix(count))
    }

    var isComplete: Bool { received == bytes.count }

    mutating func send(from end: inout some PathEnd, atMost limit: Int = .max) {
        guard sent < bytes.count else { return }
        let stop = limit > bytes.count - sent ? bytes.count : sent + limit
        sent += end.send(bytes[sent..<stop])
    }

    mutating func receive(at end: inout some PathEnd) {
        let arrived = end.takeReceived()
        guard !arrived.isEmpty else { return }
        let stop = received + arrived.count
        if firstDifference == nil, stop > bytes.count || Array(bytes[received..<stop]) != arrived {
            firstDifference = received
        }
        received = stop
    }
}

extension LinkConditions {
    /// A link of a delay each way, a rate in bytes per second with a queue in bytes, and random losses.
    static func link(delay: UInt64, rate: Double? = nil, queue: Int = .max, loss: Double = 0) -> LinkConditions {
        var conditions = LinkConditions()
        conditions.delay = delay
        conditions.rate = rate
        conditions.queueSize = queue
        conditions.loss = .random(loss)
        return conditions
    }
}

extension KCPInstant {
    static let start = KCPInstant(microseconds: 0)

    static func milliseconds(_ count: UInt64) -> KCPInstant { KCPInstant(microseconds: count * 1000) }
}

extension KCPConfiguration {
    init(_ control: KCPCongestionControl, _ mode: KCPLatencyMode = .balanced) {
        self.init()
        congestionControl = control
        latencyMode = mode
    }
}
