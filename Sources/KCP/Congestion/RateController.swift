/// A controller that measures the path's bandwidth and its round-trip time and keeps their product in flight.
///
/// After BBR (draft-ietf-ccwg-bbr): random loss does not slow it down. Loss counts as congestion when the queue shows in
/// the round-trip time too, and exceeds what the path loses anyway; then a ceiling on what is in flight gives way to
/// others and rises again slowly.
struct RateController: CongestionController {
    private enum Mode: Equatable {
        case startup
        case drain
        case cruise(phase: Int)
        case probeRoundTrip(until: UInt64)
    }

    /// The gain of sending in startup: 4 ln 2, the least that doubles the rate each round.
    private static let startupGain = 2.77
    /// The gains of a cycle of eight phases: probe for more, let the queue go, then keep still.
    private static func cycleGain(phase: Int) -> Double {
        switch phase {
        case 0: 1.25
        case 1: 0.75
        default: 1
        }
    }
    /// A cycle that raised the bandwidth by so much found the path far from full. The next one follows at once, after three
    /// phases instead of the eight that BBR's version 1 waits for whatever it found.
    private static let success = 1.15

    /// A round with a queue is congested if it lost more than the path loses by itself: the usual share times the first,
    /// the standard deviation of so many chances times the second, and a share of the round for the first losses ever.
    ///
    /// BBR tolerates 2 % however much is usual (`LossThresh`), which in simulation leaves CUBIC a sixth of a link where
    /// these leave it a quarter at least; tolerating less costs bandwidth where losses are random.
    private static let usualLossMargin = 1.5
    private static let usualLossDeviations = 1.0
    private static let toleratedLoss = 0.005
    /// From this share on losses count as congestion without a queue too. Below, the measured rate of delivery limits.
    private static let ruinousLoss = 0.5
    /// What remains of the bytes in flight after congestion. BBR takes 0.7 once, this a little less in several rounds.
    private static let backoff = 0.85
    /// How long after congestion the ceiling rises only one segment a round, as other flows do, in microseconds.
    private static let quietTime: UInt64 = 3_000_000

    private let segmentSize: Int
    private let turbo: Bool
    private var mode = Mode.startup
    private var congestionWindow: Int
    private var ceiling = Double.infinity
    private var ceilingStep = 1.0
    private var congestedAt: UInt64 = 0
    private var minimumRoundTrip: UInt64 = 0
    private var acknowledgementDelay: UInt64 = 0
    private var smoothedRoundTrip: UInt64 = 0

    private var bandwidth = RoundMaximum(rounds: 10)
    private var round: UInt64 = 0
    private var plateauBandwidth = 0.0
    private var plateauRounds = 0
    private var isFilled = false
    private var phaseStart: UInt64 = 0
    private var probedAt: UInt64 = 0
    private var bandwidthBeforeProbe = Double.infinity
    private var windowBeforePause: Int?

    /// What this round brought.
    private var roundLost = 0
    private var roundDelivered = 0
    private var roundMinimum = UInt64.max
    private var roundPeak = 0
    private var wasApplicationLimited = false
    /// The share that the path loses without a queue.
    private var usualLoss = 0.0

    init(segmentSize: Int, turbo: Bool) {
        self.segmentSize = segmentSize
        self.turbo = turbo
        congestionWindow = segmentSize * KCPLimits.initialWindowSegments
    }

    private var least: Int { KCPLimits.leastWindowSegments * segmentSize }

    var window: Int {
        switch mode {
        case .probeRoundTrip: max(least, min(congestionWindow, Int(product / 2)))
        case .startup, .drain, .cruise:
            max(least, Int(min(Double(congestionWindow), ceiling)))
        }
    }

    var pacingRate: Double? {
        guard smoothedRoundTrip > 0, bandwidth.value > 0, minimumRoundTrip >= KCPLimits.leastPacedRoundTrip else {
            return nil
        }
        // A flow that sends little learns little of the path. It may send as one that begins does.
        let initial = Double(segmentSize * KCPLimits.initialWindowSegments) * 1_000_000 / Double(smoothedRoundTrip)
        return max(bandwidth.value * pacingGain * 0.99, mode == .startup ? initial * pacingGain : initial)
    }

    private var pacingGain: Double {
        switch mode {
        case .startup: Self.startupGain
        case .drain: 1 / Self.startupGain
        case .cruise(let phase): Self.cycleGain(phase: phase)
        case .probeRoundTrip: 1
        }
    }

    /// The bytes that fill the path. The peer's delay is part of the loop, and on short paths so are both hosts'.
    private var product: Double {
        bandwidth.value * Double(max(minimumRoundTrip + acknowledgementDelay, KCPLimits.leastPacedRoundTrip))
            / 1_000_000
    }

    mutating func update(_ sample: CongestionSample) {
        minimumRoundTrip = sample.minimumRoundTrip
        acknowledgementDelay = sample.acknowledgementDelay
        smoothedRoundTrip = sample.smoothedRoundTrip
        roundLost += sample.lost
        roundDelivered += sample.acknowledged
        roundPeak = max(roundPeak, sample.previouslyInFlight)
        if let roundTrip = sample.roundTrip { roundMinimum = min(roundMinimum, roundTrip) }
        if sample.beginsRound {
            round += 1
            judgeRound(sample)
        }
        if let rate = sample.rate, !sample.isApplicationLimited || rate >= bandwidth.value {
            bandwidth.add(rate, round: round)
        }
        advance(sample)
        adjustWindow(sample)
    }

    mutating func timedOut(inFlight: Int, now: UInt64) {
        windowBeforePause = max(windowBeforePause ?? 0, congestionWindow)
        congestionWindow = least
    }

    mutating func lossWasSpurious() {}

    /// At the end of a round: has startup found the bandwidth, and was there congestion?
    private mutating func judgeRound(_ sample: CongestionSample) {
        let total = roundLost + roundDelivered
        let share = total > 0 ? Double(roundLost) / Double(total) : 0
        let hasQueue =
            roundMinimum != .max
            && roundMinimum > minimumRoundTrip + max(minimumRoundTrip / 8, 1000)
        let packets = Double(total) / Double(segmentSize)
        let expected = usualLoss * packets
        let limit =
            Self.toleratedLoss * packets + Self.usualLossMargin * expected
            + Self.usualLossDeviations * expected.squareRoot()
        let excess = roundLost >= segmentSize && Double(roundLost) > limit * Double(segmentSize)
        let isCongested = (excess && hasQueue || share > Self.ruinousLoss && roundLost >= 8 * segmentSize) && !turbo
        if !hasQueue, total >= 8 * segmentSize { usualLoss += (min(share, 0.25) - usualLoss) / 8 }

        if isCongested {
            let current = min(ceiling, Double(max(roundPeak, least)))
            ceiling = max(current * Self.backoff, Double(least))
            ceilingStep = 1
            congestedAt = sample.now
            if !isFilled { fill(sample) }
        } else if ceiling.isFinite {
            ceiling += ceilingStep * Double(segmentSize)
            if sample.now - congestedAt > Self.quietTime { ceilingStep = min(ceilingStep * 1.5, 64) }
            if ceiling > 4 * product { ceiling = .infinity }
        }
        if !isFilled, !sample.isApplicationLimited {
            if bandwidth.value > plateauBandwidth * 1.25 {
                plateauBandwidth = bandwidth.value
                plateauRounds = 0
            } else {
                plateauRounds += 1
                if plateauRounds >= 3 { fill(sample) }
            }
        }
        roundLost = 0
        roundDelivered = 0
        roundMinimum = .max
        roundPeak = 0
    }

    private mutating func fill(_ sample: CongestionSample) {
        isFilled = true
        if mode == .startup { mode = .drain }
    }

    private mutating func advance(_ sample: CongestionSample) {
        switch mode {
        case .startup: break
        case .drain:
            if Double(sample.inFlight) <= product { enterCruise(phase: 2, sample) }
        case .cruise(let phase):
            let isOver = sample.now.saturatingDistance(from: phaseStart) > minimumRoundTrip
            let inFlight = Double(sample.previouslyInFlight)
            let next: Bool =
                switch phase {
                case 0: isOver && (sample.lost > 0 || inFlight >= 1.25 * product || sample.isApplicationLimited)
                case 1: isOver || inFlight <= product
                default: isOver
                }
            guard next else { break }
            // By the end of phase 2 all that phase 0 sent has arrived. Where more could go, there may be more still.
            let foundMore = phase == 2 && bandwidth.value >= Self.success * bandwidthBeforeProbe
            enterCruise(phase: foundMore ? 0 : (phase + 1) & 7, sample)
        case .probeRoundTrip(let until):
            if sample.now >= until {
                probedAt = sample.now
                if isFilled { enterCruise(phase: 2, sample) } else { mode = .startup }
            }
        }
        probeRoundTripIfDue(sample)
    }

    private mutating func enterCruise(phase: Int, _ sample: CongestionSample) {
        mode = .cruise(phase: phase)
        phaseStart = sample.now
        if phase == 0 { bandwidthBeforeProbe = bandwidth.value }
    }

    /// Once in a while the queue has to go so that the path's own delay shows.
    private mutating func probeRoundTripIfDue(_ sample: CongestionSample) {
        if case .probeRoundTrip = mode { return }
        let last = max(sample.minimumRoundTripAt, probedAt)
        guard isFilled, sample.now.saturatingDistance(from: last) > KCPLimits.minimumRoundTripLifetime / 2,
            !sample.isApplicationLimited
        else { return }
        mode = .probeRoundTrip(until: sample.now + max(200_000, minimumRoundTrip))
    }

    private mutating func adjustWindow(_ sample: CongestionSample) {
        if let before = windowBeforePause, sample.acknowledged > 0 {
            congestionWindow = max(congestionWindow, before)
            windowBeforePause = nil
        }
        let gain = mode == .startup || mode == .drain ? Self.startupGain : 2.0
        let target = max(Int(gain * product) + 3 * segmentSize, least)
        if isFilled {
            congestionWindow = min(congestionWindow + sample.acknowledged, target)
        } else if congestionWindow < target || bandwidth.value == 0 {
            congestionWindow += sample.acknowledged
        }
    }
}

/// The largest of the values of the last rounds, with three candidates (after Kathleen Nichols' windowed filter).
struct RoundMaximum {
    private let rounds: UInt64
    private var best: (value: Double, round: UInt64) = (0, 0)
    private var second: (value: Double, round: UInt64) = (0, 0)
    private var third: (value: Double, round: UInt64) = (0, 0)

    init(rounds: UInt64) { self.rounds = rounds }

    var value: Double { best.value }

    mutating func add(_ value: Double, round: UInt64) {
        let entry = (value: value, round: round)
        if value >= best.value || round - third.round > rounds {
            best = entry
            second = entry
            third = entry
            return
        }
        if value >= second.value {
            second = entry
            third = entry
        } else if value >= third.value {
            third = entry
        }
        if round - best.round > rounds {
            best = second
            second = third
            third = entry
            if round - best.round > rounds {
                best = second
                second = third
            }
        } else if second.round == best.round, round - best.round > rounds / 4 {
            second = entry
            third = entry
        } else if third.round == second.round, round - second.round > rounds / 2 {
            third = entry
        }
    }
}
