/// Counters of a conversation, from its start.
public struct KCPStatistics: Hashable, Sendable {
    /// Valid datagrams that arrived, and their bytes.
    public internal(set) var datagramsReceived: UInt64 = 0
    /// The bytes of these.
    public internal(set) var bytesReceived: UInt64 = 0
    /// Datagrams handed out for sending.
    public internal(set) var datagramsSent: UInt64 = 0
    /// The bytes of these.
    public internal(set) var bytesSent: UInt64 = 0
    /// Segments with payload that were sent for the first time.
    public internal(set) var segmentsSent: UInt64 = 0
    /// Segments with payload that were sent again.
    public internal(set) var segmentsRepeated: UInt64 = 0
    /// Of these, those that the peer had already, so far as it showed.
    public internal(set) var spuriousRepetitions: UInt64 = 0
    /// Segments found lost by later ones that arrived.
    public internal(set) var segmentsLost: UInt64 = 0
    /// How often the retransmission timer ran out.
    public internal(set) var timeouts: UInt64 = 0
    /// Segments that arrived although they were known.
    public internal(set) var duplicatesReceived: UInt64 = 0
    /// Segments that arrived outside of the window or beyond the buffer's bound.
    public internal(set) var segmentsRefused: UInt64 = 0
}

extension KCPConversation {
    /// The smoothed round-trip time, if there is a measurement; includes how late the peer acknowledges.
    public var smoothedRoundTrip: Duration? {
        roundTrip.hasSample ? .microseconds(Int64(clamping: roundTrip.smoothed)) : nil
    }

    /// How long an acknowledgement is waited for.
    public var retransmissionTimeout: Duration {
        .microseconds(Int64(clamping: roundTrip.timeout(turbo: turbo)))
    }

    /// How often the oldest segment that is not acknowledged was sent; 0 if nothing is outstanding.
    public var oldestTransmissionCount: Int {
        sending.sentCount > 0 ? Int(sending[sending.oldest].transmissions) : 0
    }

    /// The congestion window in bytes.
    public var congestionWindow: Int { congestion.window }

    /// The window that the peer told last, in segments.
    public var peerReceiveWindow: Int { peerWindow.size }
}
