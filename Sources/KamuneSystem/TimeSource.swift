#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// Where time comes from: what shows it, and what waits for it. The system's is ``SystemTime``; a test has one that stands
/// still until it is moved.
///
/// The protocol's machines own no clock and are told the time. Whoever drives them takes it from one of these, and so does
/// everything else that would ask for `Date()` or `ContinuousClock`, or call `Task.sleep`.
package protocol TimeSource: Sendable {
    /// Civil time, since 1970-01-01T00:00:00Z. It goes back when somebody sets the clock, so no interval is made of it.
    var wall: Duration { get }

    /// Time since an arbitrary start, for intervals. It never goes back, and goes on while the machine sleeps where the
    /// system has such a clock, so that a lid that was closed for an hour counts as an hour of silence.
    var monotonic: Duration { get }

    /// Sleeps until ``monotonic`` has come to a deadline; not at all when it has passed.
    ///
    /// - Throws: When the task is cancelled.
    func sleep(until deadline: Duration) async throws(CancellationError)
}

extension TimeSource {
    /// Civil time as Foundation has it, to a microsecond or so.
    package var date: Date {
        let (seconds, attoseconds) = wall.components
        return Date(timeIntervalSince1970: Double(seconds) + Double(attoseconds) * 1e-18)
    }

    /// Sleeps for this time.
    ///
    /// - Throws: When the task is cancelled.
    package func sleep(for time: Duration) async throws(CancellationError) {
        try await sleep(until: monotonic + time)
    }
}

extension TimeSource where Self == SystemTime {
    /// The system's clocks.
    package static var system: SystemTime { SystemTime() }
}
