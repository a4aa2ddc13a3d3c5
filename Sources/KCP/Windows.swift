/// What the peer can take in, in segments.
struct PeerWindow {
    /// As it told last.
    private(set) var size = KCPLimits.initialPeerWindow
    /// The most that it ever told; nil before it has told anything.
    private var largest: Int?
    /// Whether to ask for it with the next datagram.
    var isProbeDue = false
    /// The time between the last question and the next.
    private var probeWait: UInt64 = 0

    /// Takes in what a header says.
    mutating func told(_ size: Int) {
        self.size = size
        largest = max(largest ?? 0, size)
    }

    /// Whether the peer has told anything.
    var isKnown: Bool { largest != nil }

    /// Whether the peer is one that acknowledges by its clock: kcp-go with its default windows.
    var mayBeClocked: Bool { (largest ?? 0) < KCPLimits.eagerAcknowledgements }

    /// Begins to wait for news of a closed window.
    ///
    /// - Returns: After how long to ask.
    mutating func beginProbing() -> UInt64 {
        probeWait = KCPLimits.firstWindowProbe
        return probeWait
    }

    /// Asks with the next datagram.
    ///
    /// - Returns: After how long to ask again.
    mutating func probe() -> UInt64 {
        isProbeDue = true
        probeWait = min(probeWait + probeWait / 2, KCPLimits.longestWindowProbe)
        return probeWait
    }
}

/// What the peer was told of our own window, in segments.
struct WindowReport {
    /// As every header told last.
    private(set) var advertised: Int
    /// Whether to tell with the next datagram, even without anything else to say.
    var isDue = false

    init(window: Int) {
        advertised = window
    }

    /// A header has told it.
    mutating func told(_ window: Int) {
        advertised = window
    }

    /// A reader that falls behind closes the window. Once it has caught up by half, the peer should know without asking.
    mutating func check(free: @autoclosure () -> Int, of window: Int) {
        guard advertised < max(1, window / 4) else { return }
        let free = free()
        if free >= max(1, window / 2), free > advertised { isDue = true }
    }
}
