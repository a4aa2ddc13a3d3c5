/// CUBIC: RFC 9438.
struct CubicController: CongestionController {
    private static let scale = 0.4
    private static let decrease = 0.7

    private let segmentSize: Double
    private var congestionWindow: Double
    private var threshold = Double.infinity
    private var slowStart = SlowStartExit()
    private var recoveryStart: UInt64?
    private var smoothedRoundTrip: UInt64 = 0
    /// In segments, as the RFC has it.
    private var largestWindow = 0.0
    private var estimatedWindow = 0.0
    private var epochStart: UInt64?
    private var epochWindow = 0.0
    private var plateauAfter = 0.0
    private var beforeLoss: (window: Double, threshold: Double, largest: Double)?

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
            reduce(now: sample.now)
            return
        }
        guard sample.acknowledged > 0, recoveryStart.map({ sample.newestAcknowledgedSentAt > $0 }) ?? true,
            Double(sample.previouslyInFlight) + 2 * segmentSize >= congestionWindow
        else { return }
        if congestionWindow < threshold {
            congestionWindow += Double(sample.acknowledged)
            if slowStart.shouldLeave(sample) { threshold = congestionWindow }
        } else {
            grow(sample)
        }
    }

    private mutating func reduce(now: UInt64) {
        beforeLoss = (congestionWindow, threshold, largestWindow)
        recoveryStart = now
        epochStart = nil
        let segments = congestionWindow / segmentSize
        // Fast convergence (section 4.7): make room for a newcomer.
        largestWindow = segments < largestWindow ? segments * (1 + Self.decrease) / 2 : segments
        threshold = max(congestionWindow * Self.decrease, 2 * segmentSize)
        congestionWindow = threshold
    }

    private mutating func grow(_ sample: CongestionSample) {
        let segments = congestionWindow / segmentSize
        if epochStart == nil {
            epochStart = sample.now
            epochWindow = segments
            estimatedWindow = segments
            largestWindow = max(largestWindow, segments)
            plateauAfter = ((largestWindow - segments) / Self.scale).cubeRoot
        }
        let elapsed = sample.now.saturatingDistance(from: epochStart ?? sample.now)
        let time = Double(elapsed + sample.smoothedRoundTrip) / 1_000_000 - plateauAfter
        let target = min(max(Self.scale * time * time * time + largestWindow, segments), 1.5 * segments)
        let share = Double(sample.acknowledged) / congestionWindow
        // The Reno-friendly region (section 4.3).
        let slope = estimatedWindow >= largestWindow ? 1 : 3 * (1 - Self.decrease) / (1 + Self.decrease)
        estimatedWindow += slope * share
        congestionWindow += max((target - segments) * share, 0) * segmentSize
        congestionWindow = max(congestionWindow, estimatedWindow * segmentSize)
    }

    mutating func timedOut(inFlight: Int, now: UInt64) {
        reduce(now: now)
        congestionWindow = 2 * segmentSize
    }

    mutating func lossWasSpurious() {
        guard let before = beforeLoss else { return }
        congestionWindow = max(congestionWindow, before.window)
        threshold = max(threshold, before.threshold)
        largestWindow = max(largestWindow, before.largest)
        epochStart = nil
        beforeLoss = nil
    }
}

extension Double {
    /// The cube root of a number that is not negative, by Newton's method; no platform's mathematics library needed.
    fileprivate var cubeRoot: Double {
        guard self > 0 else { return 0 }
        var root = max(self, 1)
        for _ in 0..<64 {
            let next = (2 * root + self / (root * root)) / 3
            if abs(next - root) < 1e-9 * root { break }
            root = next
        }
        return root
    }
}
