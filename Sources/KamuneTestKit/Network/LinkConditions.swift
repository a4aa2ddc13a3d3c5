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
        /// If set, the chain also goes on by itself, a step in so many microseconds: a burst then ends in time, and not
        /// only by the datagrams that it takes. Else those few that a sender tries after longer and longer waits would all
        /// meet the same burst.
        public var stepTime: UInt64?

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
    /// What each datagram takes on the limited link beyond its own bytes: by default the headers of IPv4 and UDP.
    public var headerSize = 28
    /// The bytes that fit the queue before the limited link; more are dropped.
    public var queueSize = Int.max
    /// The bytes that may be under way in all, the queue included; more are dropped.
    public var capacity = Int.max
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
