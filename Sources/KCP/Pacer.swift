/// Spreads datagrams over time.
struct Pacer {
    private var nextAt: UInt64 = 0

    func isReady(now: UInt64) -> Bool { nextAt <= now }

    /// When to wake up; late enough to have several datagrams to send at once at high rates.
    var wakeUpAt: UInt64 { nextAt &+ KCPLimits.pacingSlack }

    mutating func sent(bytes: Int, rate: Double, now: UInt64) {
        let start = max(nextAt, now - min(now, KCPLimits.pacingCredit))
        let time = Double(bytes) * 1_000_000 / max(rate, 1000)
        nextAt = start &+ UInt64(min(time, 10_000_000))
    }

    mutating func reset() { nextAt = 0 }
}
