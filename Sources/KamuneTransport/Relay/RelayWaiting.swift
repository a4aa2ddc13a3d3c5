/// When a listener registers at its relay anew. A machine: times are those of any clock that does not go back, as durations
/// since some moment.
struct RelayWaiting {
    /// How long to wait after the first failure; twice as long after each further one.
    static let shortestPause = Duration.seconds(1)
    /// How long at most.
    static let longestPause = Duration.seconds(60)

    private var pause = RelayWaiting.shortestPause
    private var registeredAt: Duration?

    /// The relay has consented.
    ///
    /// - Parameter lifetime: For how many seconds it lets us wait; 0 when it does not say.
    /// - Returns: When to register anew although nobody came: when the relay's patience is over, it may be a while until it
    ///   says so, and who comes meanwhile is turned away.
    mutating func registered(at now: Duration, lifetime: UInt32) -> Duration? {
        registeredAt = now
        return lifetime == 0 ? nil : now + .seconds(Int64(lifetime))
    }

    /// Somebody has come, or the relay's patience is over: the next registration is due now.
    mutating func used() {
        registeredAt = nil
        pause = Self.shortestPause
    }

    /// A registration has failed, or one that stood has ended although nobody came.
    ///
    /// - Returns: When to try again.
    mutating func lost(at now: Duration) -> Duration {
        // One that stood for a while shows that all is well with the relay.
        if let since = registeredAt.take(), now - since >= pause { pause = Self.shortestPause }
        defer { pause = min(pause + pause, Self.longestPause) }
        return now + pause
    }
}
