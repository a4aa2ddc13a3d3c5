import KamuneTestKit

/// What one run between two hosts has found. Times in milliseconds.
struct Measurement: Codable {
    /// The time from dialing to an established session, of each session.
    var establishing: [Double] = []
    /// How many attempts to establish one came to nothing, and were repeated.
    var failedDials = 0
    /// What the last one took for each step of its handshake, in order.
    var steps: [Double] = []
    /// How many small messages were sent, and how many came back.
    var sent = 0
    var answered = 0
    /// From a small message's sending to its arrival.
    var oneWay = Percentiles([])
    /// From a small message's sending to the arrival of its answer.
    var roundTrip = Percentiles([])
    /// What arrived of a stream of large messages, in bytes per second.
    var bulk: Double?
    /// Why it ended before everything was measured.
    var failure: String?
    /// What the link did meanwhile.
    var link: LinkStatistics?

    /// How late the emulation was at worst, in milliseconds; the figures may be off by more.
    var lateness: Double { Double(link?.worstLateness ?? 0) / 1_000 }

    struct Percentiles: Codable {
        let least: Double
        let median: Double
        let p99: Double
        let worst: Double

        init(_ samples: [Double]) {
            let sorted = samples.sorted()
            func at(_ share: Double) -> Double {
                sorted.isEmpty ? .infinity : sorted[min(Int(Double(sorted.count) * share), sorted.count - 1)]
            }
            (least, median, p99, worst) = sorted.isEmpty ? (0, 0, 0, 0) : (at(0), at(0.5), at(0.99), at(1))
        }
    }
}
