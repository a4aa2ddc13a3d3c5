internal import NIOCore

/// A connection whose bytes are moved on an event loop: a handle on the two buffers and on the end that lives there.
///
/// It is the same for every transport; they differ in their ``FrameCarrier``.
final class EventLoopConnection: Connection {
    let info: ConnectionInfo
    let budget: MemoryBudget
    private let eventLoop: any EventLoop
    private let inbound: FramePipe
    private let outbound: Outbox
    private let maximumFrameSize: Int
    private let end: NIOLoopBound<ConnectionEnd>
    /// Made once, because one is handed to the event loop for every flush.
    private let flushTask: @Sendable () -> Void

    /// To be called on the event loop of the end.
    init(_ end: ConnectionEnd, info: ConnectionInfo) {
        self.info = info
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

    var preferredExecutor: (any TaskExecutor)? { EventLoopExecutor.of(eventLoop) }

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
