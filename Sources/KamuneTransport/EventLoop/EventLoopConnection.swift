internal import NIOCore
internal import Synchronization

/// A connection whose bytes are moved on an event loop: a handle on the two buffers and on the end that lives there.
///
/// It is the same for every transport; they differ in their ``FrameCarrier``.
final class EventLoopConnection: Connection {
    private let known: Known
    let budget: MemoryBudget
    private let eventLoop: any EventLoop
    private let inbound: FramePipe
    private let outbound: Outbox
    private let maximumFrameSize: Int
    private let end: NIOLoopBound<ConnectionEnd>
    /// Made once, because one is handed to the event loop for every flush.
    private let flushTask: @Sendable () -> Void
    /// Whether tasks may run on the event loop.
    private let lendsEventLoop: Bool

    /// What is known of a connection, which may be more when the peer has answered.
    final class Known: Sendable {
        private let state: Mutex<(info: ConnectionInfo, isDoubtful: Bool)>

        init(_ info: ConnectionInfo) {
            state = Mutex((info, false))
        }

        var info: ConnectionInfo {
            get { state.withLock { $0.info } }
            set { state.withLock { $0.info = newValue } }
        }

        var isDoubtful: Bool {
            get { state.withLock { $0.isDoubtful } }
            set { state.withLock { $0.isDoubtful = newValue } }
        }
    }

    /// To be called on the event loop of the end.
    ///
    /// - Parameter lendsEventLoop: Whether tasks may run on the event loop: not where all connections of a socket have one.
    convenience init(_ end: ConnectionEnd, info: ConnectionInfo, lendsEventLoop: Bool) {
        self.init(end, known: Known(info), lendsEventLoop: lendsEventLoop)
    }

    /// The same of a connection of which more may be known later.
    init(_ end: ConnectionEnd, known: Known, lendsEventLoop: Bool) {
        self.known = known
        self.lendsEventLoop = lendsEventLoop
        budget = end.budget
        eventLoop = end.eventLoop
        inbound = end.inbound
        outbound = end.outbound
        maximumFrameSize = end.configuration.maximumFrameSize
        let bound = NIOLoopBound(end, eventLoop: end.eventLoop)
        self.end = bound
        flushTask = { bound.value.flush() }
    }

    deinit {
        eventLoop.execute { [end] in end.value.drop() }
    }

    var info: ConnectionInfo { known.info }

    var preferredExecutor: (any TaskExecutor)? { lendsEventLoop ? EventLoopExecutor.of(eventLoop) : nil }

    func send(_ frames: [[UInt8]]) async throws(TransportError) {
        try frames.checkSizes(limit: maximumFrameSize)
        if !frames.isEmpty { try await outbound.send(frames, flush: flush) }
    }

    func enqueue(_ frames: [[UInt8]]) throws(TransportError) {
        try frames.checkSizes(limit: maximumFrameSize)
        if !frames.isEmpty { try outbound.enqueue(frames, flush: flush) }
    }

    var isCongested: Bool { outbound.isFull }

    func waitForRoom() async throws(TransportError) {
        try await outbound.send([], flush: flush)
    }

    func finishSending() {
        outbound.refuse(.closedLocally)
        eventLoop.execute { [end] in end.value.finishSending() }
    }

    @Sendable
    private func flush() {
        if eventLoop.inEventLoop { flushTask() } else { eventLoop.execute(flushTask) }
    }

    func receive() async throws(TransportError) -> [[UInt8]]? {
        try await inbound.receive {
            eventLoop.execute { [end] in end.value.readOn() }
        }
    }

    var isDoubtful: Bool { known.isDoubtful }

    func onDoubt(_ observer: @escaping @Sendable () -> Void) {
        eventLoop.execute { [end, known] in
            end.value.observeDoubt { isDoubtful in
                known.isDoubtful = isDoubtful
                observer()
            }
        }
    }

    func close() async {
        outbound.refuse(.closedLocally)
        inbound.fail(.closedLocally, discarding: true)
        let closed = OneShot<Void>()
        eventLoop.execute { [end] in end.value.close(closed) }
        _ = await closed.waitRegardless()
    }

    func abort() {
        outbound.fail(.closedLocally)
        inbound.fail(.closedLocally, discarding: true)
        eventLoop.execute { [end] in end.value.breakOff() }
    }
}
