public import KamuneCrypto

/// What to do when a connection is lost: whoever dialed dials again, and the other side waits.
///
/// The attempts come at growing intervals, each of random length, so that many who lost their connections at once do not
/// come back at once. Nothing that happens before the other side has proven who it is ends them: a refusal, a failed
/// handshake or an unknown key may come from anybody on the path (§10.5).
public struct Reconnection: Sendable, Equatable {
    /// Around which the first interval lies.
    public var initialDelay: Duration = .milliseconds(500)
    /// Around which no interval lies above.
    public var maximumDelay: Duration = .seconds(60)
    /// By which each interval is longer than the one before.
    public var factor = 2.0
    /// The part of each interval that is random, 0 to 1: with 0.5 it is between half of it and one and a half.
    public var jitter = 0.5
    /// After how many attempts in a row to give up; nil for never.
    public var maximumAttempts: Int?
    /// How long a conversation may be without a connection before it is over, on whichever side; nil for no limit, zero to
    /// end it with its connection.
    public var patience: Duration?

    /// The defaults.
    public init() {}

    /// How long to wait before an attempt.
    ///
    /// - Parameter attempt: From 1 on.
    public func delay(before attempt: Int, using random: inout some RandomSource) -> Duration {
        var middle = initialDelay
        for _ in 1..<max(attempt, 1) {
            guard middle < maximumDelay else { break }
            middle = middle * max(factor, 1)
        }
        middle = min(middle, maximumDelay)
        let spread = min(max(jitter, 0), 1)
        let position = Double(random.integer(UInt32.self)) / Double(UInt32.max)
        return middle * (1 - spread + 2 * spread * position)
    }
}
