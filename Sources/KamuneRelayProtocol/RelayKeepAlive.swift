/// When a client asks its relay for a sign of life, and when it gives it up. A machine: times are those of any clock that
/// does not go back, as durations since some moment.
public struct RelayKeepAlive: Sendable {
    /// After how long without hearing anything a ping is sent: half of what the impatient among mobile networks and
    /// proxies wait before they forget a connection (RFC 5382 asks for two hours, and they do not keep to it).
    public static let interval = Duration.seconds(30)

    /// How many intervals may pass after a ping without hearing anything.
    public static let patience = 2

    /// What is to be done.
    public enum Decision: Equatable, Sendable {
        /// Send a ping, and look again then.
        case ping(next: Duration)
        /// Nothing, until then.
        case wait(next: Duration)
        /// The relay is gone.
        case giveUp
    }

    private var heardAt: Duration

    /// Begins, with a connection just made.
    public init(at now: Duration) {
        heardAt = now
    }

    /// Something has arrived.
    public mutating func heard(at now: Duration) {
        heardAt = now
    }

    /// What to do now. To be called when the connection is made and then whenever it says.
    public func look(at now: Duration) -> Decision {
        let silence = now - heardAt
        if silence < Self.interval { return .wait(next: heardAt + Self.interval) }
        if silence >= Self.interval * (Self.patience + 1) { return .giveUp }
        return .ping(next: now + Self.interval)
    }
}
