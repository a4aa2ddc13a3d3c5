/// A point in time, in microseconds since a start that the caller chooses once per process.
///
/// The module reads no clock: every call that depends on time takes one of these. Values should come from a monotonic
/// clock; a value earlier than one seen before counts as the later one.
public struct KCPInstant: Comparable, Hashable, Sendable {
    /// Microseconds since the caller's start.
    public let microseconds: UInt64

    /// Makes the instant that lies this many microseconds after the start.
    public init(microseconds: UInt64) {
        self.microseconds = microseconds
    }

    /// This instant moved by a duration, clamped to the start and to the largest value there is.
    public func advanced(by duration: Duration) -> KCPInstant {
        let distance = duration.wholeMicroseconds
        if distance < 0 {
            return KCPInstant(microseconds: microseconds - min(microseconds, distance.magnitude))
        }
        let (sum, overflow) = microseconds.addingReportingOverflow(distance.magnitude)
        return KCPInstant(microseconds: overflow ? .max : sum)
    }

    /// The time from `other` to this instant, zero if `other` is later.
    public func elapsed(since other: KCPInstant) -> Duration {
        .microseconds(Int64(clamping: microseconds.saturatingDistance(from: other.microseconds)))
    }

    /// Whether the first instant is the earlier one.
    public static func < (first: KCPInstant, second: KCPInstant) -> Bool {
        first.microseconds < second.microseconds
    }
}

extension Duration {
    /// The duration in microseconds, rounded towards zero and clamped to 64 bits.
    var wholeMicroseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carried) = whole.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        if carried { return seconds < 0 ? .min : .max }
        return sum
    }
}

extension UInt64 {
    /// How far this value lies after `earlier`; zero if it lies before.
    func saturatingDistance(from earlier: UInt64) -> UInt64 {
        self > earlier ? self - earlier : 0
    }
}
