/// What is known about a connection: for people, in logs, prompts and lists of peers, and for whoever has to choose among
/// connections.
public struct ConnectionInfo: Sendable, Hashable {
    /// The name of the transport: `"tcp"`, `"udp"`, `"memory"`, or a relay's scheme, such as `"relay+tcp"`.
    public let transport: String
    /// Our end, such as `"192.0.2.1:9000"`.
    public let localAddress: String
    /// The peer's end, such as `"[2001:db8::1]:53112"`, or the relay's, since nothing is known of the peer behind it;
    /// `"unknown"` when it was gone before it could be asked.
    public let remoteAddress: String
    /// The network of the peer's end; `nil` when it is this machine, or not known.
    public let remoteNetwork: Network?
    /// Whether the peer had shown, when this was made, that it receives what is sent to its address. Over TCP it always
    /// has; a datagram that opens a conversation may come from anywhere.
    public let isAddressProven: Bool
    /// The largest frame that the connection carries, in bytes: 65,535 unless something lies between, such as a relay.
    public let maximumFrameSize: Int

    /// Describes a connection.
    public init(
        transport: String, localAddress: String, remoteAddress: String, remoteNetwork: Network? = nil,
        isAddressProven: Bool = true, maximumFrameSize: Int = TransportConfiguration.frameSizeCeiling
    ) {
        self.transport = transport
        self.localAddress = localAddress
        self.remoteAddress = remoteAddress
        self.remoteNetwork = remoteNetwork
        self.isAddressProven = isAddressProven
        self.maximumFrameSize = maximumFrameSize
    }
}

/// A reliable, ordered connection that carries frames of 0 to 65,535 bytes.
///
/// One task receives; any number of tasks send. A connection that is no longer referenced is aborted, so whoever wants
/// its last frames to arrive calls ``close()``.
///
/// Cancelling a task ends its wait with ``TransportError/cancelled`` and nothing else: no frame is lost, repeated or cut,
/// and the connection stays usable. A call that need not wait succeeds in a cancelled task too.
public protocol Connection: Sendable {
    /// Both ends and the transport.
    var info: ConnectionInfo { get }

    /// What is held for the peer. The connection counts in it what it has received and nobody took, and what it has not
    /// sent yet; who keeps what was received counts that here too, and asks for more only while there is room.
    var budget: MemoryBudget { get }

    /// Where tasks that use this connection are woken fastest; `nil` when that makes no difference, or none may run there.
    ///
    /// A task with this preference (SE-0417) is resumed by ``receive()`` on the thread that the frames arrived on, which
    /// saves waking another. In return it shares that thread with other connections, so it must never block it.
    var preferredExecutor: (any TaskExecutor)? { get }

    /// Sends frames, in order and with no other sender's frame between them.
    ///
    /// Returns when the frames are in the outbound buffer, which has a bound
    /// (``TransportConfiguration/outboundBufferLimit``): while it is full, because the peer reads slowly, the sender
    /// waits. All frames are taken or, when this throws, none.
    ///
    /// - Parameter frames: Whole frames, none larger than ``TransportConfiguration/maximumFrameSize``.
    /// - Throws: ``TransportError/frameTooLarge(size:limit:)`` and ``TransportError/cancelled``, after which the connection is
    ///   as before; any other error is what ended the connection.
    func send(_ frames: [[UInt8]]) async throws(TransportError)

    /// Takes frames into the outbound buffer without waiting, even when it is full: for whoever numbers its frames and so
    /// must hand them over in the same step, in which nobody can come between. Callers look at ``isCongested`` first or
    /// afterwards and then ``waitForRoom()``, so that the buffer exceeds its bound by what one step produces.
    ///
    /// - Throws: ``TransportError/frameTooLarge(size:limit:)``, after which the connection is as before; any other error is
    ///   what ended the connection.
    func enqueue(_ frames: [[UInt8]]) throws(TransportError)

    /// Whether the outbound buffer is full.
    var isCongested: Bool { get }

    /// Waits until the outbound buffer has room. Throws as ``send(_:)`` does.
    func waitForRoom() async throws(TransportError)

    /// Ends our direction of the stream once everything queued is out; the peer's direction stays open. Sending or
    /// queueing afterwards fails with ``TransportError/closedLocally``. Does not wait, and calling it twice is harmless.
    func finishSending()

    /// Takes all whole frames that have arrived, and waits for one if there is none.
    ///
    /// While nobody receives, at most about ``TransportConfiguration/inboundBufferLimit`` bytes are held, and then nothing
    /// more is read from the peer.
    ///
    /// - Returns: At least one frame; `nil` when the peer ended its stream after a whole frame.
    /// - Throws: ``TransportError/timedOut(_:)`` with `.read` when this waited for ``TransportConfiguration/readTimeout``;
    ///   ``TransportError/endedMidFrame`` and ``TransportError/reset`` when the peer vanished;
    ///   ``TransportError/concurrentReceive`` when another task is waiting already; ``TransportError/closedLocally`` after
    ///   ``close()`` or ``abort()``. Frames that arrived whole before the peer vanished are returned first.
    func receive() async throws(TransportError) -> [[UInt8]]?

    /// Whether something that was sent has waited for ``TransportConfiguration/doubtTimeout`` and nothing was heard
    /// meanwhile: the peer, or the way to it, may be gone, as when a NAT has forgotten us. The connection goes on, and may
    /// yet recover. Known over UDP only.
    var isDoubtful: Bool { get }

    /// Has something called whenever ``isDoubtful`` has changed. To be called once.
    func onDoubt(_ observer: @escaping @Sendable () -> Void)

    /// Closes gracefully: what was sent goes out, then the peer sees the end of the stream.
    ///
    /// Returns when that is done, at the latest after ``TransportConfiguration/closeTimeout``, when the connection is
    /// aborted instead. Frames not yet received are dropped. Closing twice is harmless. Cancellation does not shorten it.
    func close() async

    /// Ends the connection at once and drops whatever is on its way. The peer sees ``TransportError/reset``.
    ///
    /// May be called from anywhere, at any time, any number of times. Whoever is waiting in ``send(_:)`` or ``receive()``
    /// gets ``TransportError/closedLocally``.
    func abort()
}

extension Connection {
    /// No preference.
    public var preferredExecutor: (any TaskExecutor)? { nil }

    /// Nothing is known.
    public var isDoubtful: Bool { false }

    /// Nothing ever changes.
    public func onDoubt(_ observer: @escaping @Sendable () -> Void) {}

    /// Sends one frame. See ``send(_:)``.
    @inlinable
    public func send(frame: [UInt8]) async throws(TransportError) {
        try await send([frame])
    }
}

/// Where peers connect to.
public protocol ConnectionListener: Sendable {
    /// The address that is listened on, with the port that the system assigned when port 0 was asked for.
    var localAddress: Address { get }

    /// Waits for the next connection.
    ///
    /// At most ``TransportConfiguration/pendingConnectionLimit`` connections wait here to be accepted; beyond that they
    /// wait in the system's own queue.
    ///
    /// - Returns: A connection, or `nil` after ``close()``.
    /// - Throws: ``TransportError/tooManyOpenFiles`` when somebody waits for whom the system has no descriptor left: close a
    ///   connection, and accept again. ``TransportError/cancelled`` when the task was cancelled;
    ///   ``TransportError/concurrentReceive`` when another task is waiting already. The listener itself survives all of
    ///   these.
    func accept() async throws(TransportError) -> (any Connection)?

    /// Stops listening. Connections that nobody accepted are aborted; the others live on. Closing twice is harmless.
    func close() async
}
