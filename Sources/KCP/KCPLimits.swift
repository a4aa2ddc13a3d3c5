/// The module's numbers, each with where it comes from. Times are in microseconds.
enum KCPLimits {
    /// The window that a peer has before its first datagram tells (kcp-go `IKCP_WND_RCV`).
    static let initialPeerWindow = 32
    /// The payload of kcp-go's full segments: 1400 less the header. Windows count in these.
    static let referencePayload = 1376
    /// What is received of a peer at least, however little memory there is: the window that it may assume.
    static let leastReceived = initialPeerWindow * referencePayload
    /// The number of waiting acknowledgements at which kcp-go sends them without waiting for its clock: those that fit
    /// its datagram (`kcp.go`, `Input`).
    static let eagerAcknowledgements = 1400 / KCPHeader.size
    /// How soon a kcp-go peer that has filled its window is asked whether its reader has caught up, which takes one
    /// thread's awakening; and the wait after which its own clock tells soon enough.
    static let firstWindowPoll: UInt64 = 500
    static let longestWindowPoll: UInt64 = 50_000
    /// How late a kcp-go peer with its default interval acknowledges, with some room for its scheduler.
    static let assumedAcknowledgementDelay: UInt64 = 110_000
    /// No learned acknowledgement delay exceeds this.
    static let largestAcknowledgementDelay: UInt64 = 250_000

    /// The retransmission timeout before there is a sample (kcp-go `IKCP_RTO_DEF`).
    static let initialTimeout: UInt64 = 200_000
    /// The least retransmission timeout; RFC 6298 would have 1 s, Linux has 200 ms, kcp-go 100 or 30.
    static let leastTimeout: UInt64 = 30_000
    /// The same in turbo.
    static let leastTurboTimeout: UInt64 = 10_000
    /// What a round trip is expected to vary by at least.
    static let timerGranularity: UInt64 = 4000
    /// Backoff does not go beyond this, so that a path that returns is noticed soon.
    static let longestTimeout: UInt64 = 5_000_000
    /// Timeouts in a row before the path counts as gone and the sending rate falls to the least.
    static let persistentTimeouts = 3

    /// How many later datagrams have to arrive for one to count as lost, while no reordering was seen (RFC 9002, 6.1.1).
    static let reorderingThreshold: UInt64 = 3
    /// How long a minimum of the round-trip time holds.
    static let minimumRoundTripLifetime: UInt64 = 10_000_000

    /// The first wait before asking for a closed window (kcp-go `IKCP_PROBE_INIT` is 500 ms), and the longest.
    static let firstWindowProbe: UInt64 = 200_000
    static let longestWindowProbe: UInt64 = 5_000_000

    /// To what size the datagram that opens a conversation is filled up, so that a peer which sends no more to an unproven
    /// address than came from it can acknowledge and answer, and repeat that a few times.
    static let openingSize = 256

    /// The first congestion window in segments (RFC 6928).
    static let initialWindowSegments = 10
    /// The least congestion window in segments.
    static let leastWindowSegments = 4
    /// Paths shorter than this are not paced: timers are coarser than the path.
    static let leastPacedRoundTrip: UInt64 = 2000
    /// How much sending time may be caught up at once, and how long a wake-up may wait to send several datagrams.
    static let pacingCredit: UInt64 = 2000
    static let pacingSlack: UInt64 = 1000

    /// How long the acknowledgement of a lone message may wait for an answer to go with, and how many segments at the
    /// beginning are acknowledged without such a wait: those of a handshake.
    static let acknowledgementDelay: UInt64 = 2000
    static let promptlyAcknowledged = 32
    /// How long an acknowledgement may wait for the answer that is to prove the peer's address: what an X-Wing
    /// encapsulation takes on a slow machine, and far below kcp-go's retransmission timeout of 200 ms.
    static let proofDelay: UInt64 = 10_000

    /// How much one segment counts in the share of duplicates, about the last hundred together.
    static let duplicateWeight = 0.01
    /// Shares of duplicates from which acknowledgements are sent twice, and four times.
    static let fewDuplicates = 0.01
    static let manyDuplicates = 0.05

    /// The most acknowledgements kept for one poll; those beyond are covered by `una` or by a repetition.
    static let mostPendingAcknowledgements = 4096
}
