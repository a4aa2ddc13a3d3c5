/// Nothing has come back for what was sent: how often in a row, and what goes out again because of it.
struct Timeouts {
    /// Since something was last acknowledged.
    private(set) var inARow = 0
    private var lastAt: UInt64 = 0
    /// How many segments to send again, whatever window and pacer say.
    var probesDue = 0

    /// When the oldest transmission in flight has waited long enough for an answer.
    ///
    /// - Parameter wait: How long an answer is waited for the first time.
    func deadline(sentAt: UInt64, wait: UInt64) -> UInt64 {
        // Twice without backing off: a lone message that is lost twice should not have to wait long.
        let shift = UInt64(max(0, min(inARow - 1, 16)))
        return max(sentAt, lastAt) &+ min(wait << shift, max(KCPLimits.longestTimeout, wait))
    }

    /// Counts one.
    mutating func add(at now: UInt64) {
        inARow += 1
        lastAt = now
    }

    /// Something was acknowledged.
    mutating func end() {
        inARow = 0
        probesDue = 0
    }

    /// The peer is there again: do not sit out the rest of a long wait.
    mutating func shorten() {
        if inARow > 1 { inARow = 1 }
    }
}

/// How long nothing was heard while something was outstanding.
struct Silence {
    /// After how much of it the path is dead, in microseconds.
    let limit: UInt64
    /// When a valid datagram last arrived; the start, if none has.
    var lastHeard: UInt64
    /// When something became outstanding, or was last acknowledged.
    var outstandingSince: UInt64

    init(limit: Duration, now: UInt64) {
        self.limit = UInt64(max(0, limit.wholeMicroseconds))
        lastHeard = now
        outstandingSince = now
    }

    /// When it has begun.
    var start: UInt64 { max(outstandingSince, lastHeard) }

    /// When the path counts as dead.
    var deadline: UInt64 {
        let (deadline, overflow) = start.addingReportingOverflow(limit)
        return overflow ? .max : deadline
    }

    /// How long it has lasted.
    func length(at now: UInt64) -> UInt64 {
        now.saturatingDistance(from: start)
    }
}
