public import KamuneRelayProtocol

/// Limits of connections and listeners. Timeouts are as kamune 0.7 gives them (SPEC, Timeouts), and `nil` means none.
public struct TransportConfiguration: Sendable, Hashable {
    /// The largest frame that a 2-byte length can announce: 65,535 bytes.
    public static let frameSizeCeiling = 65_535

    /// How long dialing may take, with name resolution: 10 seconds.
    public var dialTimeout: Duration? = .seconds(10)
    /// How long a ``Connection/receive()`` may wait for a whole frame: 5 minutes.
    public var readTimeout: Duration? = .seconds(300)
    /// How long the peer may take no byte of what we have for it: 1 minute.
    public var writeTimeout: Duration? = .seconds(60)
    /// After how long without an answer to anything that was sent a peer over UDP seems to be gone, although it may come
    /// back: 10 seconds. See ``Connection/isDoubtful``.
    public var doubtTimeout: Duration? = .seconds(10)
    /// How long a graceful close may take before it becomes an abort: 5 seconds.
    public var closeTimeout: Duration = .seconds(5)

    /// The largest frame sent or accepted, in bytes; at most ``frameSizeCeiling``.
    public var maximumFrameSize: Int = frameSizeCeiling {
        didSet { maximumFrameSize = min(max(maximumFrameSize, 0), Self.frameSizeCeiling) }
    }
    /// How many bytes may wait to be sent before senders wait: 256 KiB. One call's frames may exceed it, once.
    public var outboundBufferLimit: Int = 256 * 1024 {
        didSet { outboundBufferLimit = max(outboundBufferLimit, 1) }
    }
    /// How many received bytes may wait for ``Connection/receive()`` before we stop reading: 256 KiB. What one read of
    /// the socket brings may exceed it, once.
    public var inboundBufferLimit: Int = 256 * 1024 {
        didSet { inboundBufferLimit = max(inboundBufferLimit, 1) }
    }
    /// Which addresses may be dialed.
    public var targets = DialTargets.all
    /// The key of relays that have one.
    public var relayKey: PreSharedKey?
    /// How many bytes may be held for one connection in all, by itself and by what stands on it: 4 MiB. See ``MemoryBudget``.
    public var memoryLimit: Int = MemoryBudget.sessionLimit
    /// Where the bytes count that are held for peers who have connected to us, until somebody knows them.
    public var strangers: MemoryPool = .strangers

    /// How many connections the system queues for a listener: 256.
    public var listenBacklog: Int32 = 256
    /// How many accepted connections a listener holds for ``ConnectionListener/accept()``: 128.
    public var pendingConnectionLimit: Int = 128 {
        didSet { pendingConnectionLimit = max(pendingConnectionLimit, 1) }
    }

    /// Whether small frames are sent at once (`TCP_NODELAY`) rather than gathered by the system.
    public var tcpNoDelay: Bool = true
    /// Whether the system probes silent connections (`SO_KEEPALIVE`).
    public var tcpKeepAlive: Bool = true

    /// Whether senders write to a socket on their own thread when it can take more, rather than wake another thread for
    /// it. Costs a second file descriptor for each connection; servers of very many connections may do without.
    public var writesOnCallersThread: Bool = true

    /// The defaults.
    public init() {}

    /// The budget of a connection.
    ///
    /// - Parameter isAccepted: Whether the peer has connected to us.
    func budget(isAccepted: Bool) -> MemoryBudget {
        MemoryBudget(limit: memoryLimit, in: isAccepted ? strangers : nil)
    }
}
