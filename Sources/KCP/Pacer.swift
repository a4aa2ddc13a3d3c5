/// Spreads datagrams over time, after as many as a flow may begin with.
struct Pacer {
    /// What may go out at once after a pause (RFC 9002, 7.7: up to the initial congestion window), in bytes.
    private let burst: Double
    private var nextAt: UInt64 = 0

    init(segmentSize: Int) {
        burst = Double(segmentSize * KCPLimits.initialWindowSegments)
    }

    func isReady(now: UInt64) -> Bool { nextAt <= now }

    /// When to wake up; late enough to have several datagrams to send at once at high rates.
    var wakeUpAt: UInt64 { nextAt &+ KCPLimits.pacingSlack }

    mutating func sent(bytes: Int, rate: Double, now: UInt64) {
        let rate = max(rate, 1000)
        // Sending time that was not used is kept, but no more than the burst takes or a late timer has to catch up.
        let credit = max(KCPLimits.pacingCredit, UInt64(burst * 1_000_000 / rate))
        let start = max(nextAt, now - min(now, credit))
        let time = Double(bytes) * 1_000_000 / rate
        nextAt = start &+ UInt64(min(time, 10_000_000))
    }
}
