import KamuneTestKit
import Testing

/// What the model of a link does to datagrams, to the microsecond.
@Suite("Simulated link")
struct SimulatedLinkTests {
    /// Sends datagrams, all of one size and marked by their number, and returns what arrives, in this order.
    private func carry(
        _ count: Int, size: Int = 100, every interval: UInt64 = 0, seed: UInt64 = 1,
        _ describe: (inout LinkConditions) -> Void
    ) -> (arrivals: [(number: Int, time: UInt64)], link: SimulatedLink) {
        var conditions = LinkConditions()
        conditions.headerSize = 0
        describe(&conditions)
        var link = SimulatedLink(conditions: conditions, seed: seed)
        for number in 0..<count {
            var datagram = [UInt8](repeating: 0, count: size)
            withUnsafeBytes(of: UInt32(number)) { datagram.replaceSubrange(0..<4, with: $0) }
            link.send(datagram, at: UInt64(number) * interval)
        }
        var arrivals: [(Int, UInt64)] = []
        var areWhole = true
        while let arrival = link.receive(at: .max) {
            areWhole = areWhole && arrival.datagram.count == size
            let number = arrival.datagram.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
            arrivals.append((Int(number), arrival.time))
        }
        #expect(areWhole)
        return (arrivals, link)
    }

    @Test("a perfect link changes nothing")
    func perfect() {
        let (arrivals, link) = carry(5, every: 7) { _ in }
        #expect(arrivals.map(\.number) == [0, 1, 2, 3, 4])
        #expect(arrivals.map(\.time) == [0, 7, 14, 21, 28])
        #expect(link.lostCount == 0 && link.overflowCount == 0 && link.carriedBytes == 500 && link.bytesUnderWay == 0)
    }

    @Test("delay is exact, and nothing arrives earlier")
    func delay() {
        var conditions = LinkConditions()
        conditions.delay = 25_000
        var link = SimulatedLink(conditions: conditions, seed: 1)
        link.send([1], at: 10)
        #expect(link.nextArrivalTime == 25_010 && link.bytesUnderWay == 1)
        #expect(link.receive(at: 25_009) == nil)
        #expect(link.receive(at: 25_010)?.datagram == [1])
        #expect(link.nextArrivalTime == nil && link.bytesUnderWay == 0)
    }

    @Test("jitter keeps the order and its bound")
    func jitter() {
        let (arrivals, _) = carry(500, every: 10_000) {
            $0.delay = 1_000
            $0.jitter = 5_000
        }
        let extra = arrivals.map { $0.time - UInt64($0.number) * 10_000 - 1_000 }
        #expect(arrivals.map(\.number) == Array(0..<500))
        #expect(extra.allSatisfy { $0 <= 5_000 } && Set(extra).count > 400)
        let (crowded, _) = carry(500, every: 10) { $0.jitter = 5_000 }
        #expect(crowded.map(\.number) == Array(0..<500))
    }

    @Test("a rate puts datagrams behind one another, with their headers")
    func rate() {
        #expect(carry(3, size: 1_000) { $0.rate = 1_000_000 }.arrivals.map(\.time) == [1_000, 2_000, 3_000])
        let withHeaders = carry(2, size: 1_000) {
            $0.rate = 1_000_000
            $0.headerSize = 28
        }
        #expect(withHeaders.arrivals.map(\.time) == [1_028, 2_056])
    }

    @Test("fractions of a microsecond are not lost")
    func smallDatagrams() {
        #expect(carry(1_000, size: 40) { $0.rate = 16_000_000 }.arrivals.last?.time == 2_500)
    }

    @Test("what does not fit the queue is dropped at its tail")
    func queue() {
        let (arrivals, link) = carry(5, size: 1_000) {
            $0.rate = 1_000_000
            $0.queueSize = 3_000
        }
        #expect(arrivals.map(\.number) == [0, 1, 2] && link.overflowCount == 2)
        let slower = carry(5, size: 1_000, every: 500) {
            $0.rate = 1_000_000
            $0.queueSize = 3_000
        }
        #expect(slower.arrivals.map(\.number) == [0, 1, 2, 3, 4])
    }

    @Test("no more is under way than fits")
    func capacity() {
        var conditions = LinkConditions()
        conditions.delay = 100
        conditions.capacity = 250
        var link = SimulatedLink(conditions: conditions, seed: 1)
        for _ in 0..<3 { link.send([UInt8](repeating: 0, count: 100), at: 0) }
        #expect(link.overflowCount == 1 && link.bytesUnderWay == 200)
        _ = link.receive(at: 100)
        link.send([UInt8](repeating: 0, count: 100), at: 100)
        #expect(link.overflowCount == 1 && link.bytesUnderWay == 200)
    }

    /// Within five standard deviations or so.
    @Test("losses have their share and their length", arguments: [(0.01, 1.0), (0.25, 1.0), (0.05, 3.0), (0.25, 4.0)])
    func losses(share: Double, burst: Double) {
        let count = 50_000
        let (arrivals, link) = carry(count, size: 4) {
            $0.loss = burst == 1 ? .random(share) : .bursts(share: share, meanLength: burst)
        }
        let measured = Double(link.lostCount) / Double(count)
        #expect(abs(measured - share) < 0.1 * share + 0.002)
        var runs = 0
        var previous = -1
        for arrival in arrivals {
            if arrival.number > previous + 1 { runs += 1 }
            previous = arrival.number
        }
        // A run of independent losses is 1 / (1 - share) long.
        let expected = burst == 1 ? 1 / (1 - share) : burst
        #expect(abs(Double(link.lostCount) / Double(runs) - expected) < 0.1 * expected)
    }

    @Test(
        "a burst passes in time, and not only by what it takes",
        arguments: [(1_000, 4.0), (1_000_000, 4.0 / 3)] as [(UInt64, Double)])
    func burstsInTime(interval: UInt64, length: Double) {
        let count = 50_000
        let (arrivals, link) = carry(count, size: 4, every: interval) {
            $0.loss = .bursts(share: 0.25, meanLength: 4)
            $0.loss.stepTime = 10_000
        }
        // Datagrams far apart are lost independently of each other.
        let runs = zip(arrivals, arrivals.dropFirst()).count { $1.number > $0.number + 1 }
        #expect(abs(Double(link.lostCount) / Double(count) - 0.25) < 0.025)
        #expect(abs(Double(link.lostCount) / Double(runs) - length) < 0.1 * length)
    }

    @Test("an overtaken datagram is late by exactly that much, and the others wait for none")
    func reordering() {
        let (arrivals, _) = carry(1_000, every: 100) {
            $0.delay = 1_000
            $0.reordering = 0.1
            $0.reorderingDelay = 2_000
        }
        let late = arrivals.filter { $0.time == UInt64($0.number) * 100 + 3_000 }
        let punctual = arrivals.filter { $0.time == UInt64($0.number) * 100 + 1_000 }
        #expect(late.count + punctual.count == 1_000 && (50..<150).contains(late.count))
        #expect(Set(arrivals.map(\.number)).count == 1_000)
        #expect(arrivals.map(\.number) != Array(0..<1_000))
    }

    @Test("a duplicate arrives beside the original")
    func duplication() {
        let (arrivals, _) = carry(50, every: 100_000) { $0.duplication = 1 }
        #expect(arrivals.map(\.number) == (0..<50).flatMap { [$0, $0] })
    }

    @Test("a blackout takes what is sent during it, and nothing else")
    func blackout() {
        let (arrivals, link) = carry(10, every: 100) {
            $0.delay = 1_000
            $0.blackouts = [200..<500]
        }
        #expect(arrivals.map(\.number) == [0, 1, 5, 6, 7, 8, 9] && link.lostCount == 3)
    }

    @Test("equal seeds give equal networks, and others other ones")
    func seeds() {
        func run(_ seed: UInt64) -> [UInt64] {
            carry(200, every: 50, seed: seed) {
                $0.jitter = 10_000
                $0.loss = .bursts(share: 0.2, meanLength: 3)
                $0.reordering = 0.1
                $0.duplication = 0.1
            }
            .arrivals.map(\.time)
        }
        #expect(run(1) == run(1))
        #expect(run(1) != run(2))
    }
}
