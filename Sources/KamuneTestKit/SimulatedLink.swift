/// What one direction of a simulated network does to datagrams. Times are in microseconds, sizes in bytes.
public struct LinkConditions: Sendable {
    /// How datagrams get lost by chance: a chain of two states, good and bad (Gilbert and Elliott).
    public struct Loss: Sendable {
        /// The chance to lose a datagram in the good state, and in the bad one.
        public var whenGood: Double
        /// The chance to lose a datagram in the bad state.
        public var whenBad: Double
        /// The chance, at each datagram, to go from good to bad.
        public var toBad: Double
        /// The chance, at each datagram, to go back.
        public var toGood: Double

        /// Independent losses.
        public static func random(_ probability: Double) -> Loss {
            Loss(whenGood: probability, whenBad: probability, toBad: 0, toGood: 1)
        }

        /// Losses in bursts of this mean length in datagrams, with this share of all datagrams lost.
        public static func bursts(share: Double, meanLength: Double) -> Loss {
            let toGood = 1 / max(meanLength, 1)
            return Loss(whenGood: 0, whenBad: 1, toBad: min(1, toGood * share / max(1 - share, 0.001)), toGood: toGood)
        }
    }

    /// What happens to a damaged datagram.
    public enum Corruption: Sendable, Hashable {
        /// It is dropped, as the checksum of UDP has it.
        case dropped
        /// It arrives with flipped bits, as from a forger.
        case delivered
    }

    /// The time from one end to the other, without queueing.
    public var delay: UInt64 = 0
    /// Up to so much more, uniformly, without changing the order.
    public var jitter: UInt64 = 0
    /// Bytes per second; `nil` for no limit.
    public var rate: Double?
    /// The bytes that fit the queue before the limited link; more are dropped.
    public var queueSize = Int.max
    /// How datagrams get lost by chance.
    public var loss = Loss.random(0)
    /// The chance that a datagram is overtaken, and by how much time.
    public var reordering = 0.0
    /// How much later an overtaken datagram arrives.
    public var reorderingDelay: UInt64 = 10_000
    /// The chance that a datagram arrives twice.
    public var duplication = 0.0
    /// The chance that a datagram is damaged.
    public var corruption = 0.0
    /// What happens to damaged datagrams.
    public var corruptionMode = Corruption.dropped
    /// When nothing gets through.
    public var blackouts: [Range<UInt64>] = []

    /// A perfect link.
    public init() {}
}

/// A small seeded generator (SplitMix64), the same everywhere.
public struct LinkRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Starts the sequence that belongs to a seed.
    public init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to 1.
    public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// True with this probability.
    public mutating func chance(_ probability: Double) -> Bool {
        probability > 0 && unit() < probability
    }
}

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
    /// Datagrams dropped because the queue was full.
    public private(set) var overflowCount = 0
    /// Bytes that went through the limited link.
    public private(set) var carriedBytes = 0

    private var random: LinkRandom
    private var isBad = false
    private var lineFreeAt: UInt64 = 0
    private var latestArrival: UInt64 = 0
    private var order: UInt64 = 0
    private var heap: [Entry] = []

    /// Makes a link; equal seeds and equal traffic give equal arrivals.
    public init(conditions: LinkConditions, seed: UInt64) {
        self.conditions = conditions
        random = LinkRandom(seed: seed)
    }

    /// When the next datagram arrives, if one is under way.
    public var nextArrivalTime: UInt64? { heap.first?.time }

    /// Sends a datagram.
    public mutating func send(_ datagram: [UInt8], flow: Int = 0, at now: UInt64) {
        if isBad {
            isBad = !random.chance(conditions.loss.toGood)
        } else {
            isBad = random.chance(conditions.loss.toBad)
        }
        if random.chance(isBad ? conditions.loss.whenBad : conditions.loss.whenGood)
            || conditions.blackouts.contains(where: { $0.contains(now) })
        {
            lostCount += 1
            return
        }
        var departure = now
        if let rate = conditions.rate {
            let start = max(lineFreeAt, now)
            let backlog = Double(start - now) * rate / 1_000_000
            guard backlog + Double(datagram.count) <= Double(conditions.queueSize) else {
                overflowCount += 1
                return
            }
            departure = start + UInt64(Double(datagram.count + 28) * 1_000_000 / rate)
            lineFreeAt = departure
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

    /// Takes out the next datagram that has arrived by now.
    public mutating func receive(at now: UInt64) -> Arrival? {
        guard let first = heap.first, first.time <= now else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            siftDown()
        }
        return Arrival(time: first.time, flow: first.flow, datagram: first.datagram)
    }

    private mutating func push(_ datagram: [UInt8], flow: Int, time: UInt64) {
        heap.append(Entry(time: time, order: order, flow: flow, datagram: datagram))
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
