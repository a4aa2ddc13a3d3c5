internal import NIOCore

/// A TCP connection: a handle on the pipe and the outbox of a channel's handler.
final class TCPConnection: Connection {
    let info: ConnectionInfo
    private let eventLoop: any EventLoop
    private let inbound: FramePipe
    private let outbound: Outbox
    private let maximumFrameSize: Int
    private let handler: NIOLoopBound<FrameChannelHandler>
    /// Made once, because one is handed to the event loop for every flush.
    private let flushTask: @Sendable () -> Void

    /// To be called on the channel's event loop, when the channel is active.
    init(channel: any Channel, handler: FrameChannelHandler, configuration: TransportConfiguration) {
        info = ConnectionInfo(
            transport: "tcp",
            localAddress: channel.localAddress.map { "\(Address($0))" } ?? "unknown",
            remoteAddress: channel.remoteAddress.map { "\(Address($0))" } ?? "unknown"
        )
        eventLoop = channel.eventLoop
        inbound = handler.inbound
        outbound = handler.outbound
        maximumFrameSize = configuration.maximumFrameSize
        let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        self.handler = bound
        flushTask = { bound.value.flush() }
    }

    deinit {
        eventLoop.execute { [handler] in handler.value.drop() }
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
        eventLoop.execute { [handler] in handler.value.finishSending() }
    }

    @Sendable
    private func flush() {
        eventLoop.execute(flushTask)
    }

    func receive() async throws(TransportError) -> [[UInt8]]? {
        try await inbound.receive {
            eventLoop.execute { [handler] in handler.value.readOn() }
        }
    }

    func close() async {
        outbound.refuse(.closedLocally)
        inbound.fail(.closedLocally, discarding: true)
        let closed = OneShot<Void>()
        eventLoop.execute { [handler] in handler.value.close(closed) }
        _ = await closed.waitRegardless()
    }

    func abort() {
        outbound.fail(.closedLocally)
        inbound.fail(.closedLocally, discarding: true)
        eventLoop.execute { [handler] in handler.value.breakOff() }
    }
}
