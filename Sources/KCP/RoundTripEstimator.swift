/// The round-trip time, its variation, its minimum, and how late the peer acknowledges. Times are in microseconds.
struct RoundTripEstimator {
    private(set) var smoothed: UInt64 = 0
    private(set) var variation: UInt64 = 0
    private(set) var latest: UInt64 = 0
    /// The least sample of late; `.max` while there is none.
    private(set) var minimum = UInt64.max
    private(set) var minimumAt: UInt64 = 0

    /// Whether the peer is taken for one that acknowledges on a clock of its own, as kcp-go does by default.
    ///
    /// Until it tells its window nothing is known, and the first timeout is long anyway.
    var peerMayAcknowledgeLate = true
    private var delaySamples = 0
    private var delayMaximum: UInt64 = 0
    private var previousDelayMaximum: UInt64?

    var hasSample: Bool { minimum != .max }

    /// Takes in the time from sending a segment to its acknowledgement (RFC 6298, section 2).
    mutating func add(sample: UInt64, now: UInt64) {
        let sample = max(sample, 1)
        latest = sample
        if hasSample {
            let deviation = sample > smoothed ? sample - smoothed : smoothed - sample
            variation = (3 * variation + deviation) / 4
            smoothed = (7 * smoothed + sample) / 8
        } else {
            smoothed = sample
            variation = sample / 2
        }
        if sample <= minimum || now.saturatingDistance(from: minimumAt) > KCPLimits.minimumRoundTripLifetime {
            minimum = sample
            minimumAt = now
        }
        delayMaximum = max(delayMaximum, sample - min(sample, minimum))
        delaySamples += 1
        if delaySamples >= 16 {
            previousDelayMaximum = delayMaximum
            delayMaximum = 0
            delaySamples = 0
        }
    }

    /// How much later than at once an acknowledgement may come.
    var acknowledgementDelay: UInt64 {
        guard peerMayAcknowledgeLate else { return 0 }
        guard let previousDelayMaximum else {
            return max(KCPLimits.assumedAcknowledgementDelay, min(delayMaximum, KCPLimits.largestAcknowledgementDelay))
        }
        return min(max(previousDelayMaximum, delayMaximum) + 10_000, KCPLimits.largestAcknowledgementDelay)
    }

    /// How long to wait for an acknowledgement before the segment is sent again.
    func timeout(turbo: Bool) -> UInt64 {
        guard hasSample else { return KCPLimits.initialTimeout }
        let margin =
            turbo
            ? max(2 * variation, smoothed / 16, KCPLimits.timerGranularity / 2)
            : max(4 * variation, smoothed / 8, KCPLimits.timerGranularity)
        let least = turbo ? KCPLimits.leastTurboTimeout : KCPLimits.leastTimeout
        return max(smoothed + margin, minimum + acknowledgementDelay, least)
    }
}
