/// Estimates how fast data arrives at the peer (draft-cheng-iccrg-delivery-rate-estimation).
struct DeliveryRate {
    /// The bytes known to have arrived.
    private(set) var delivered: UInt64 = 0
    private(set) var deliveredAt: UInt64 = 0
    private var firstSentAt: UInt64 = 0
    /// Samples of what was sent before more than so many bytes were delivered tell the application's rate, not the path's.
    private var applicationLimitedUntil: UInt64?
    private var nextRoundAt: UInt64 = 0

    /// What the acknowledgements of one datagram add up to.
    struct Sample {
        var newestDelivered: UInt64?
        var newestDeliveredAt: UInt64 = 0
        var sendElapsed: UInt64 = 0
        var isApplicationLimited = false
    }

    mutating func willSend(_ segment: inout OutgoingSegment, nothingInFlight: Bool, now: UInt64) {
        if nothingInFlight {
            firstSentAt = now
            deliveredAt = now
        }
        segment.delivered = delivered
        segment.deliveredAt = deliveredAt
        segment.firstSentAt = firstSentAt
        // Also when just so much was: then nothing was under way while the application had nothing to send.
        segment.wasApplicationLimited = applicationLimitedUntil.map { $0 >= delivered } ?? false
    }

    mutating func acknowledged(_ segment: OutgoingSegment, now: UInt64, sample: inout Sample) {
        delivered &+= UInt64(segment.wireSize)
        deliveredAt = now
        if let newest = sample.newestDelivered, segment.delivered < newest { return }
        sample.newestDelivered = segment.delivered
        sample.newestDeliveredAt = segment.deliveredAt
        sample.sendElapsed = segment.sentAt.saturatingDistance(from: segment.firstSentAt)
        sample.isApplicationLimited = segment.wasApplicationLimited
        firstSentAt = segment.sentAt
    }

    /// The rate in bytes per second, if the interval is long enough to mean something.
    func rate(of sample: Sample, minimumInterval: UInt64) -> Double? {
        guard let newest = sample.newestDelivered else { return nil }
        let interval = max(sample.sendElapsed, deliveredAt.saturatingDistance(from: sample.newestDeliveredAt))
        guard interval > 0, interval >= minimumInterval else { return nil }
        return Double(delivered &- newest) * 1_000_000 / Double(interval)
    }

    /// Whether the sample begins a new round trip.
    mutating func beginsRound(_ sample: Sample) -> Bool {
        guard let newest = sample.newestDelivered, newest >= nextRoundAt else { return false }
        nextRoundAt = delivered
        return true
    }

    mutating func becameApplicationLimited(bytesInFlight: Int) {
        applicationLimitedUntil = delivered &+ UInt64(bytesInFlight)
    }
}
