import KamuneProtocol
import KamuneSystem

extension TimeSource {
    /// What the clocks show, as the protocol's machines are told it.
    var moment: Moment { Moment(wall: timestamp, monotonic: monotonic) }

    /// Civil time, as messages carry it.
    var timestamp: Timestamp { Timestamp(sinceEpoch: wall) }
}

extension Moment {
    /// What the system's clocks show.
    static func now() -> Moment { SystemTime().moment }

    static func monotonicNow() -> Duration { SystemTime().monotonic }
}
