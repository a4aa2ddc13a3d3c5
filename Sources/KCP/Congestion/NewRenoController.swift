/// NewReno: RFC 5681 with a loss event at most once a round trip (RFC 6582), and an early end of slow start.
struct NewRenoController: CongestionController {
    private let segmentSize: Double
    private var congestionWindow: Double
    private var threshold = Double.infinity
    private var slowStart = SlowStartExit()
    private var recoveryStart: UInt64?
    private var smoothedRoundTrip: UInt64 = 0
    private var beforeLoss: (window: Double, threshold: Double)?

    init(segmentSize: Int) {
        self.segmentSize = Double(segmentSize)
        congestionWindow = Double(segmentSize * KCPLimits.initialWindowSegments)
    }

    var window: Int { Int(congestionWindow) }

    var pacingRate: Double? {
        guard smoothedRoundTrip >= KCPLimits.leastPacedRoundTrip else { return nil }
        return congestionWindow * 1_000_000 / Double(smoothedRoundTrip) * (congestionWindow < threshold ? 2 : 1.25)
    }

    mutating func update(_ sample: CongestionSample) {
        smoothedRoundTrip = sample.smoothedRoundTrip
        if sample.lost > 0, recoveryStart.map({ sample.newestLostSentAt > $0 }) ?? true {
            beforeLoss = (congestionWindow, threshold)
            recoveryStart = sample.now
            threshold = max(congestionWindow / 2, 2 * segmentSize)
            congestionWindow = threshold
            return
        }
        guard sample.acknowledged > 0, recoveryStart.map({ sample.newestAcknowledgedSentAt > $0 }) ?? true,
            Double(sample.previouslyInFlight) + 2 * segmentSize >= congestionWindow
        else { return }
        if congestionWindow < threshold {
            congestionWindow += Double(sample.acknowledged)
            if slowStart.shouldLeave(sample) { threshold = congestionWindow }
        } else {
            congestionWindow += segmentSize * Double(sample.acknowledged) / congestionWindow
        }
    }

    mutating func timedOut(inFlight: Int, now: UInt64) {
        beforeLoss = (congestionWindow, threshold)
        threshold = max(congestionWindow / 2, 2 * segmentSize)
        congestionWindow = 2 * segmentSize
        recoveryStart = now
    }

    mutating func lossWasSpurious() {
        guard let before = beforeLoss else { return }
        congestionWindow = max(congestionWindow, before.window)
        threshold = max(threshold, before.threshold)
        beforeLoss = nil
    }
}

/// Ends slow start when the round-trip time rises, before the queue overflows (HyStart++, RFC 9406, without its
/// conservative phase).
struct SlowStartExit {
    private var roundMinimum = UInt64.max
    private var previousMinimum = UInt64.max
    private var samples = 0

    mutating func shouldLeave(_ sample: CongestionSample) -> Bool {
        if sample.beginsRound {
            previousMinimum = roundMinimum
            roundMinimum = .max
            samples = 0
        }
        guard let roundTrip = sample.roundTrip else { return false }
        roundMinimum = min(roundMinimum, roundTrip)
        samples += 1
        guard samples >= 8, previousMinimum != .max else { return false }
        return roundMinimum >= previousMinimum + min(max(previousMinimum / 8, 4000), 16_000)
    }
}
