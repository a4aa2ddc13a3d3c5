/// Keeps a flood of events from becoming a flood of lines.
struct ReportLimiter: Sendable {
    /// What to do about an event.
    enum Decision: Equatable, Sendable {
        /// Tell of it, and of so many that were missed before.
        case tell(missed: Int)
        /// Tell that there are too many to tell of.
        case tellLast
        case drop
    }

    /// How many events are told of in a window.
    static let limit = 5
    static let window = Duration.seconds(10)

    private var windowStart: Duration?
    private var count = 0

    /// Decides about an event that happens now.
    ///
    /// - Parameter now: By a clock that never goes back.
    mutating func admit(at now: Duration) -> Decision {
        var missed = 0
        if windowStart.map({ now - $0 >= Self.window }) ?? true {
            missed = max(0, count - Self.limit)
            windowStart = now
            count = 0
        }
        count += 1
        if count <= Self.limit { return .tell(missed: missed) }
        return count == Self.limit + 1 ? .tellLast : .drop
    }
}
