/// Making a peer with a small window acknowledge at once instead of when its clock of 100 ms ticks: kcp-go by default.
///
/// It does that when as many acknowledgements wait as fit its datagram, 58, more than its window of 32 brings forth. Headers
/// of a segment that it has already, without payload, change nothing for it but count as well. It answers all of them
/// with a single one.
struct Solicitation {
    /// Headers that are still to be sent.
    private(set) var headersDue = 0
    /// Up to which number the peer was asked to acknowledge.
    private(set) var askedUpTo: UInt32
    /// The last header that was to make the peer acknowledge.
    private var asked: (sequenceNumber: UInt32, timestamp: UInt32, sentAt: UInt64)?
    /// How long to wait for news of a full window; 0 before the first wait.
    private var pollWait: UInt64 = 0

    init(firstSequenceNumber: UInt32) {
        askedUpTo = firstSequenceNumber
    }

    /// Asks for everything that was sent.
    ///
    /// - Parameter underWay: how many segments are.
    mutating func ask(upTo next: UInt32, underWay: Int) {
        askedUpTo = next
        // A few of the segments under way may be acknowledged already, on their way to us.
        headersDue = KCPLimits.eagerAcknowledgements - max(0, underWay - 4)
    }

    mutating func cancel() {
        headersDue = 0
    }

    /// Writes as many headers as there is room for.
    ///
    /// - Parameter known: a number that the peer has, so that the headers change nothing.
    mutating func write(to datagram: inout OutgoingDatagram, known: UInt32, now: UInt64) {
        guard headersDue > 0, datagram.hasRoom(for: KCPHeader.size) else { return }
        // What answers is an acknowledgement of the header, so this is what it measures.
        asked = (known, datagram.stamp.timestamp, now)
        while headersDue > 0, datagram.hasRoom(for: KCPHeader.size) {
            datagram.append(.push, sequenceNumber: known)
            headersDue -= 1
        }
    }

    /// The round trip, if an acknowledgement answers the last header that was to bring it forth.
    func roundTrip(sequenceNumber: UInt32, timestamp: UInt32, now: UInt64) -> UInt64? {
        guard let asked, asked.sequenceNumber == sequenceNumber, asked.timestamp == timestamp else { return nil }
        return now.saturatingDistance(from: asked.sentAt)
    }

    // MARK: - A full window

    /// Begins to wait for news of a full window, if that was not tried before.
    ///
    /// - Returns: After how long to ask.
    mutating func beginPolling() -> UInt64? {
        guard pollWait == 0 else { return nil }
        pollWait = KCPLimits.firstWindowPoll
        return pollWait
    }

    /// Asks for a full window.
    ///
    /// - Parameter minimumRoundTrip: 0 when it is not known.
    /// - Returns: After how long to ask again; nil when the peer's clock tells soon enough.
    mutating func poll(minimumRoundTrip: UInt64) -> UInt64? {
        headersDue = KCPLimits.eagerAcknowledgements
        pollWait = max(2 * pollWait, minimumRoundTrip)
        return pollWait <= KCPLimits.longestWindowPoll ? pollWait : nil
    }

    mutating func endPolling() {
        pollWait = 0
    }
}
