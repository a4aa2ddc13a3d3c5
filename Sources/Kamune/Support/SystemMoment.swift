import KamuneProtocol

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

extension Moment {
    /// What the system's clocks show. The monotonic one goes on while the machine sleeps where the system has such a
    /// clock, so that a lid that was closed for an hour counts as an hour of silence.
    static func now() -> Moment {
        Moment(wall: .now(), monotonic: monotonicNow())
    }

    static func monotonicNow() -> Duration {
        #if canImport(Darwin)
        let time = read(CLOCK_MONOTONIC)
        #else
        let time = read(CLOCK_BOOTTIME)
        #endif
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    fileprivate static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        clock_gettime(clock, &time)
        return time
    }
}

extension Timestamp {
    /// Civil time by the system's clock.
    static func now() -> Timestamp {
        let time = Moment.read(CLOCK_REALTIME)
        return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: Int32(truncatingIfNeeded: time.tv_nsec))
    }
}
