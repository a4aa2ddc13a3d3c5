/// One direction of a network on virtual time: datagrams in, the same out later, or not.
///
/// Several flows can share it; then they share its queue and its rate.
public struct SimulatedLink: Sendable {
    /// A datagram that has arrived.
    public struct Arrival: Sendable {
        /// When, in microseconds.
        public let time: UInt64
        /// The flow it was sent on.
        public let flow: Int
        /// Its bytes.
        public let datagram: [UInt8]
    }

    private struct Entry {
        var time: UInt64
        var order: UInt64
        var flow: Int
        var datagram: [UInt8]
    }

    /// What the link does; may change while it runs.
    public var conditions: LinkConditions
    /// Datagrams lost by chance or blackout.
    public private(set) var lostCount = 0
    /// Datagrams dropped because the queue was full, or too much was under way.
    public private(set) var overflowCount = 0
    /// Bytes that went through the limited link.
    public private(set) var carriedBytes = 0
    /// Bytes that are under way.
    public private(set) var bytesUnderWay = 0

    private var random: SeededRandom
    private var isBad = false
    private var lossSteppedAt: UInt64 = 0
    /// With fractions of a microsecond, which add up when datagrams are small or the link is fast.
    private var lineFreeAt = 0.0
    private var latestArrival: UInt64 = 0
    private var order: UInt64 = 0
    private var heap: [Entry] = []

    /// Makes a link; equal seeds and equal traffic give equal arrivals.
    public init(conditions: LinkConditions, seed: UInt64) {
        self.conditions = conditions
        random = SeededRandom(seed)
    }

    /// When the next datagram arrives, if one is under way.
    public var nextArrivalTime: UInt64? { heap.first?.time }

    /// Sends a datagram.
    public mutating func send(_ datagram: [UInt8], flow: Int = 0, at now: UInt64) {
        stepLoss(at: now)
        if random.chance(isBad ? conditions.loss.whenBad : conditions.loss.whenGood)
            || conditions.blackouts.contains(where: { $0.contains(now) })
        {
            lostCount += 1
            return
        }
        guard datagram.count <= conditions.capacity - bytesUnderWay else {
            overflowCount += 1
            return
        }
        var departure = now
        if let rate = conditions.rate {
            let start = max(lineFreeAt, Double(now))
            let backlog = (start - Double(now)) * rate / 1_000_000
            guard backlog + Double(datagram.count) <= Double(conditions.queueSize) else {
                overflowCount += 1
                return
            }
            lineFreeAt = start + Double(datagram.count + conditions.headerSize) * 1_000_000 / rate
            departure = UInt64(lineFreeAt)
        }
        carriedBytes += datagram.count
        var datagram = datagram
        if random.chance(conditions.corruption) {
            guard conditions.corruptionMode == .delivered, !datagram.isEmpty else {
                lostCount += 1
                return
            }
            let position = Int(random.next() % UInt64(datagram.count))
            datagram[position] ^= UInt8(truncatingIfNeeded: 1 + random.next() % 255)
        }
        var arrival = departure + conditions.delay
        if conditions.jitter > 0 { arrival += random.next() % (conditions.jitter + 1) }
        if random.chance(conditions.reordering) {
            arrival += conditions.reorderingDelay
        } else {
            arrival = max(arrival, latestArrival)
            latestArrival = arrival
        }
        push(datagram, flow: flow, time: arrival)
        if random.chance(conditions.duplication) { push(datagram, flow: flow, time: arrival + random.next() % 20_000) }
    }

    /// The chain of losses goes on: a step, or as many as the time since the last one is worth.
    private mutating func stepLoss(at now: UInt64) {
        let loss = conditions.loss
        var steps: UInt64 = 1
        if let stepTime = loss.stepTime, now > lossSteppedAt {
            steps = max(1, (now - lossSteppedAt) / max(stepTime, 1))
        }
        lossSteppedAt = now
        if steps == 1 {
            isBad = isBad ? !random.chance(loss.toGood) : random.chance(loss.toBad)
            return
        }
        // The chance to be in the bad state after n steps of a chain of two states.
        let change = loss.toGood + loss.toBad
        guard change > 0 else { return }
        let share = loss.toBad / change
        let memory = (0..<min(steps, 1_000)).reduce(1.0) { product, _ in product * (1 - change) }
        isBad = random.chance(share + ((isBad ? 1 : 0) - share) * memory)
    }

    /// Takes out the next datagram that has arrived by now.
    public mutating func receive(at now: UInt64) -> Arrival? {
        guard let first = heap.first, first.time <= now else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            siftDown()
        }
        bytesUnderWay -= first.datagram.count
        return Arrival(time: first.time, flow: first.flow, datagram: first.datagram)
    }

    private mutating func push(_ datagram: [UInt8], flow: Int, time: UInt64) {
        heap.append(Entry(time: time, order: order, flow: flow, datagram: datagram))
        bytesUnderWay += datagram.count
        order += 1
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var least = parent
            for child in 2 * parent + 1...2 * parent + 2 where child < heap.count && precedes(child, least) {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private func precedes(_ first: Int, _ second: Int) -> Bool {
        (heap[first].time, heap[first].order) < (heap[second].time, heap[second].order)
    }
}
