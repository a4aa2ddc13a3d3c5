/// Reliable, ordered delivery of a byte stream over datagrams that may be lost, repeated or reordered: KCP.
///
/// A state machine without I/O. Its owner hands in datagrams and the time, and takes out datagrams and bytes:
///
/// ```swift
/// try conversation.receivedDatagram(datagram, now: now)      // each datagram of a batch
/// let bytes = conversation.read()                            // what has arrived in order
/// let accepted = conversation.write(reply)                   // as much as there is room for
/// while let datagram = conversation.nextDatagram(now: now) { send(datagram) }
/// wake(at: conversation.nextDeadline)                        // nil: nothing to wait for
/// ```
///
/// After every batch of events the owner takes datagrams until there are none, and then asks for the deadline.
/// Acknowledgements leave with the first of these datagrams.
///
/// On the wire this is KCP as kcp-go v5.6.72 speaks it without forward error correction and encryption; kcp-go's clock of
/// 100 ms, its windows of 32 segments and its late acknowledgements are its own policy and not part of the wire.
/// There is no farewell in KCP, and no proof of who sent a datagram: both are for the layer above.
public struct KCPConversation: Sendable {
    /// Whether the path still works.
    public enum State: Hashable, Sendable {
        /// So far as is known.
        case alive
        /// The oldest segment was sent ``KCPConfiguration/maximumTransmissions`` times and nothing was heard for half of
        /// ``KCPConfiguration/silenceLimit``.
        case deadByTransmissions
        /// Nothing was heard for ``KCPConfiguration/silenceLimit`` while data was outstanding.
        case deadBySilence
    }

    /// The number that marks this conversation's datagrams on both sides.
    public let conversationID: UInt32
    /// Whether the path still works. A dead conversation sends nothing any more; it can still be read.
    public internal(set) var state = State.alive
    /// What happened so far.
    public internal(set) var statistics = KCPStatistics()
    /// Whether the peer has echoed the timestamp of a segment sent to it: it receives what is sent to its address.
    ///
    /// That holds against a forger who cannot see the traffic if ``KCPConfiguration/timestampBase`` was random.
    public internal(set) var isPeerReachable = false

    let configuration: KCPConfiguration
    /// The latest time seen, in microseconds.
    var clock: UInt64
    /// What is waited for.
    var deadlines = Deadlines()

    // What goes out.
    var sending: SendQueue
    var flight = Flight()
    var delivery = DeliveryRate()
    var congestion: AnyCongestionController
    var pacer: Pacer
    var peerWindow = PeerWindow()
    var solicitation: Solicitation

    // What comes back, or does not.
    var roundTrip = RoundTripEstimator()
    var timeouts = Timeouts()
    var silence: Silence

    // What comes in.
    var receiving: ReceiveBuffer
    var acknowledgements = AcknowledgementQueue()
    var windowReport: WindowReport

    /// Makes a conversation that has sent and received nothing.
    ///
    /// - Parameters:
    ///   - conversationID: the number both sides use; the side that opens the conversation chooses it at random.
    ///   - configuration: the local policy; numbers out of their ranges are clamped.
    ///   - now: the time.
    public init(conversationID: UInt32, configuration: KCPConfiguration = KCPConfiguration(), now: KCPInstant) {
        self.init(
            conversationID: conversationID,
            configuration: configuration,
            now: now,
            firstSent: 0,
            firstReceived: 0
        )
    }

    /// The same with other first sequence numbers than 0, to test what happens when they wrap.
    init(
        conversationID: UInt32,
        configuration: KCPConfiguration,
        now: KCPInstant,
        firstSent: UInt32,
        firstReceived: UInt32
    ) {
        let configuration = configuration.clamped
        self.conversationID = conversationID
        self.configuration = configuration
        clock = now.microseconds
        silence = Silence(limit: configuration.silenceLimit, now: now.microseconds)
        sending = SendQueue(firstSequenceNumber: firstSent)
        receiving = ReceiveBuffer(
            next: firstReceived,
            window: configuration.receiveWindow,
            byteLimit: configuration.receiveBufferSize
        )
        congestion = AnyCongestionController(
            configuration.congestionControl,
            segmentSize: configuration.maximumDatagramSize,
            turbo: configuration.latencyMode == .turbo
        )
        pacer = Pacer(segmentSize: configuration.maximumDatagramSize)
        solicitation = Solicitation(firstSequenceNumber: firstSent)
        windowReport = WindowReport(window: configuration.receiveWindow)
    }

    /// When a valid datagram last arrived; the start, if none has.
    public var lastHeard: KCPInstant { KCPInstant(microseconds: silence.lastHeard) }

    /// The bytes of the segments that are in flight, headers included.
    var bytesInFlight: Int { flight.byteCount }

    var turbo: Bool { configuration.latencyMode == .turbo }

    // MARK: - Bytes

    /// How many bytes `write` would accept now.
    public var writableByteCount: Int {
        state == .alive ? max(0, configuration.sendBufferSize - sending.byteCount) : 0
    }

    /// How many bytes were accepted by `write` and are not acknowledged.
    public var unacknowledgedByteCount: Int { sending.byteCount }

    /// How many bytes can be read.
    public var readableByteCount: Int { receiving.readableCount }

    /// How many bytes are kept in all: to be read, ahead of a gap, and not acknowledged.
    public var heldByteCount: Int { receiving.readableCount + receiving.aheadBytes + sending.byteCount }

    /// Keeps no more received bytes than this from now on, or than ``KCPConfiguration/receiveBufferSize`` if that is less;
    /// what is here already stays. The peer's window follows; what it sends beyond is as if it had been lost.
    public mutating func limitReceiving(to count: Int) {
        receiving.byteLimit = min(max(count, KCPLimits.leastReceived), configuration.receiveBufferSize)
    }

    /// Queues bytes for sending, as many as there is room for; they leave with the next datagrams.
    ///
    /// - Returns: how many bytes were accepted, from the front. Fewer than offered means: wait until the peer has
    ///   acknowledged some.
    public mutating func write(_ bytes: RawSpan) -> Int {
        let count = min(bytes.byteCount, writableByteCount)
        guard count > 0 else { return 0 }
        bytes.withUnsafeBytes {
            var rest = UnsafeRawBufferPointer(rebasing: $0[..<count])
            if configuration.amplificationLimit != nil, !isPeerReachable, sending.isEmpty, sending.isUntouched {
                // A segment so small that it may go out in answer to whatever opened the conversation. The peer's
                // acknowledgement of it is the proof that lets the others go.
                sending.append(UnsafeRawBufferPointer(rebasing: rest[..<1]), segmentSize: configuration.segmentSize)
                sending.sealLast()
                rest = UnsafeRawBufferPointer(rebasing: rest[1...])
            }
            sending.append(rest, segmentSize: configuration.segmentSize)
        }
        return count
    }

    /// Queues bytes for sending; see ``write(_:)-(RawSpan)``.
    public mutating func write(_ bytes: [UInt8]) -> Int {
        write(bytes.span.bytes)
    }

    /// Takes out bytes that have arrived in order, at most `limit`; empty if there are none.
    public mutating func read(max limit: Int = .max) -> [UInt8] {
        let bytes = receiving.read(max: limit)
        reportWindowIfReopened()
        return bytes
    }

    /// Copies bytes that have arrived in order to `buffer`, as many as fit.
    ///
    /// - Returns: how many bytes were copied.
    public mutating func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = receiving.read(into: buffer)
        reportWindowIfReopened()
        return count
    }

    /// Takes out all bytes that have arrived in order, without a copy of their own.
    ///
    /// - Parameter body: gets the bytes, perhaps none. They count as read even if it throws.
    /// - Throws: what `body` throws.
    public mutating func readAll<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { reportWindowIfReopened() }
        return try receiving.readAll(body)
    }

    private mutating func reportWindowIfReopened() {
        windowReport.check(free: receiving.freeWindow, of: configuration.receiveWindow)
    }

    // MARK: - Time

    /// Moves the clock on; it never goes back.
    mutating func advanceClock(_ now: KCPInstant) -> UInt64 {
        clock = max(clock, now.microseconds)
        return clock
    }

    /// `ts` for now.
    var wireTimestamp: UInt32 {
        UInt32(truncatingIfNeeded: clock / 1000) &+ configuration.timestampBase
    }
}
