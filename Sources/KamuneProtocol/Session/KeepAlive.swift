/// When to ask whether the peer is there, and when to give it up (§8.2).
///
/// A ping goes out when nothing was received, or nothing sent, for an interval: the first finds dead peers, the second
/// keeps the peer's own read timeout from running out. Whatever arrives counts as a sign of life.
struct KeepAlive: Sendable {
    private let configuration: KeepAliveConfiguration?
    private var lastReceived: Duration
    private var lastSent: Duration
    private var unansweredPings = 0
    private var outstanding: (token: [UInt8], sentAt: Duration)?

    init(_ configuration: KeepAliveConfiguration?, now: Duration) {
        self.configuration = configuration
        lastReceived = now
        lastSent = now
    }

    enum Action: Equatable {
        case nothing
        case ping
        case peerIsGone
    }

    var nextDeadline: Duration? {
        guard let configuration else { return nil }
        // While a ping is out, only the time since it was sent counts: it was the last thing sent.
        return (unansweredPings > 0 ? lastSent : min(lastReceived, lastSent)) + configuration.interval
    }

    mutating func sentFrame(at now: Duration) {
        // While a ping waits for its answer, other frames must not put off the next one: a peer that is gone would be
        // found only when we fall silent.
        if unansweredPings == 0 { lastSent = now }
    }

    mutating func sentPing(_ token: [UInt8], at now: Duration) {
        outstanding = (token, now)
        unansweredPings += 1
        lastSent = now
    }

    mutating func receivedFrame(at now: Duration) {
        lastReceived = now
        unansweredPings = 0
    }

    /// The peer's frames are left where they are, so that none is seen is no sign that the peer is gone.
    mutating func pausedReading(at now: Duration) {
        receivedFrame(at: now)
    }

    /// The round trip, if the pong answers our latest ping.
    mutating func receivedPong(_ token: [UInt8], at now: Duration) -> Duration? {
        guard let ping = outstanding, ping.token == token else { return nil }
        outstanding = nil
        return now - ping.sentAt
    }

    func timeElapsed(at now: Duration) -> Action {
        guard let configuration, let deadline = nextDeadline, now >= deadline else { return .nothing }
        return unansweredPings >= configuration.strikes ? .peerIsGone : .ping
    }
}

/// When to ping a silent peer.
public struct KeepAliveConfiguration: Equatable, Sendable {
    /// How long the session may be silent, and how long each ping may go unanswered.
    public var interval: Duration
    /// After how many pings without any sign of life the peer counts as gone.
    public var strikes: Int

    /// 30 s and three strikes, unless other values are given.
    public init(
        interval: Duration = ProtocolConstants.keepAliveInterval, strikes: Int = ProtocolConstants.keepAliveStrikes
    ) {
        self.interval = interval
        self.strikes = strikes
    }
}
