/// What the acknowledgements of one datagram say about the path. Sizes are in bytes, times in microseconds.
struct CongestionSample {
    var now: UInt64
    var acknowledged: Int
    var lost: Int
    /// In flight before and after the datagram was taken in.
    var previouslyInFlight: Int
    var inFlight: Int
    /// The time of sending of the latest segment that was newly acknowledged, and of the latest that was newly lost.
    var newestAcknowledgedSentAt: UInt64
    var newestLostSentAt: UInt64
    var roundTrip: UInt64?
    var smoothedRoundTrip: UInt64
    /// The least round-trip time of late, and when it was measured.
    var minimumRoundTrip: UInt64
    var minimumRoundTripAt: UInt64
    var acknowledgementDelay: UInt64
    /// The rate of delivery in bytes per second.
    var rate: Double?
    var isApplicationLimited: Bool
    var beginsRound: Bool
}

/// Decides how much may be in flight and how fast it may leave.
protocol CongestionController {
    /// The bytes that may be in flight.
    var window: Int { get }
    /// Bytes per second, or `nil` for as fast as the window allows.
    var pacingRate: Double? { get }
    /// Acknowledgements arrived, or losses were found.
    mutating func update(_ sample: CongestionSample)
    /// Nothing comes back any more.
    mutating func timedOut(inFlight: Int, now: UInt64)
    /// What was taken for lost has arrived after all.
    mutating func lossWasSpurious()
}

/// The controllers there are, without the cost of an existential.
enum AnyCongestionController {
    case rateBased(RateController)
    case cubic(CubicController)
    case newReno(NewRenoController)

    init(_ choice: KCPCongestionControl, segmentSize: Int, turbo: Bool) {
        switch choice {
        case .rateBased: self = .rateBased(RateController(segmentSize: segmentSize, turbo: turbo))
        case .cubic: self = .cubic(CubicController(segmentSize: segmentSize))
        case .newReno: self = .newReno(NewRenoController(segmentSize: segmentSize))
        }
    }
}

extension AnyCongestionController: CongestionController {
    var window: Int {
        switch self {
        case .rateBased(let controller): controller.window
        case .cubic(let controller): controller.window
        case .newReno(let controller): controller.window
        }
    }

    var pacingRate: Double? {
        switch self {
        case .rateBased(let controller): controller.pacingRate
        case .cubic(let controller): controller.pacingRate
        case .newReno(let controller): controller.pacingRate
        }
    }

    mutating func update(_ sample: CongestionSample) {
        switch self {
        case .rateBased(var controller):
            controller.update(sample)
            self = .rateBased(controller)
        case .cubic(var controller):
            controller.update(sample)
            self = .cubic(controller)
        case .newReno(var controller):
            controller.update(sample)
            self = .newReno(controller)
        }
    }

    mutating func timedOut(inFlight: Int, now: UInt64) {
        switch self {
        case .rateBased(var controller):
            controller.timedOut(inFlight: inFlight, now: now)
            self = .rateBased(controller)
        case .cubic(var controller):
            controller.timedOut(inFlight: inFlight, now: now)
            self = .cubic(controller)
        case .newReno(var controller):
            controller.timedOut(inFlight: inFlight, now: now)
            self = .newReno(controller)
        }
    }

    mutating func lossWasSpurious() {
        switch self {
        case .rateBased(var controller):
            controller.lossWasSpurious()
            self = .rateBased(controller)
        case .cubic(var controller):
            controller.lossWasSpurious()
            self = .cubic(controller)
        case .newReno(var controller):
            controller.lossWasSpurious()
            self = .newReno(controller)
        }
    }
}
