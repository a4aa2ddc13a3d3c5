/// What a conversation waits for, each with its time: at most one for each name.
struct Deadlines {
    /// What happens when the time has come.
    enum Name: Int, CaseIterable {
        /// What arrived is acknowledged, with or without an answer to go with.
        case acknowledgement
        /// What was overtaken counts as lost.
        case reordering
        /// What was not acknowledged is sent again.
        case timeout
        /// What may be lost as well is sent once more.
        case repetition
        /// The peer is asked whether its window has opened.
        case windowProbe
        /// A peer that acknowledges by its clock is made to tell its window.
        case windowPoll
        /// The pacer lets the next datagram go.
        case pacing
        /// The path counts as dead.
        case silence
    }

    /// In microseconds, `.max` for none: nobody waits for the end of time.
    private var times = SIMD8<UInt64>(repeating: .max)

    /// When something happens; nil if it is not waited for.
    subscript(name: Name) -> UInt64? {
        get { times[name.rawValue] == .max ? nil : times[name.rawValue] }
        set { times[name.rawValue] = newValue ?? .max }
    }

    /// Whether something is waited for, and its time has come.
    func isDue(_ name: Name, at now: UInt64) -> Bool {
        times[name.rawValue] <= now
    }

    /// When the first of them happens; nil if nothing is waited for.
    var earliest: UInt64? {
        let time = times.min()
        return time == .max ? nil : time
    }

    /// Waits for nothing any more.
    mutating func clear() {
        times = SIMD8(repeating: .max)
    }
}
