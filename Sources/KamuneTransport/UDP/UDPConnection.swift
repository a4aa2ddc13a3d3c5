internal import NIOCore

/// A connection over UDP: a handle on the pipe and the outbox of a conversation.
///
/// KCP has no farewell. The end of our stream shows the peer nothing, and its end shows as nothing here; the sessions
/// above say when they end. What was sent before ``close()`` has been acknowledged when that returns.
final class UDPConnection: Connection {
    let info: ConnectionInfo
    private let eventLoop: any EventLoop
    private let inbound: FramePipe
    private let outbound: Outbox
    private let maximumFrameSize: Int
    private let conversation: NIOLoopBound<UDPConversation>
    private let handler: NIOLoopBound<UDPChannelHandler>
    /// Made once, because one is handed to the event loop for every flush.
    private let flushTask: @Sendable () -> Void

    /// To be called on the channel's event loop.
    init(
        conversation: UDPConversation,
        handler: UDPChannelHandler,
        localAddress: SocketAddress?
    ) {
        info = ConnectionInfo(
            transport: "udp",
            localAddress: localAddress.map { "\(Address(udp: $0))" } ?? "unknown",
            remoteAddress: "\(Address(udp: conversation.remoteAddress))"
        )
        eventLoop = handler.eventLoop
        inbound = conversation.inbound
        outbound = conversation.outbound
        maximumFrameSize = handler.configuration.maximumFrameSize
        let boundConversation = NIOLoopBound(conversation, eventLoop: handler.eventLoop)
        let boundHandler = NIOLoopBound(handler, eventLoop: handler.eventLoop)
        self.conversation = boundConversation
        self.handler = boundHandler
        flushTask = { boundHandler.value.turn { boundConversation.value.pump() } }
    }

    deinit {
        eventLoop.execute { [conversation] in conversation.value.drop() }
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
        eventLoop.execute { [conversation, handler] in
            handler.value.turn { conversation.value.finishSending() }
        }
    }

    @Sendable
    private func flush() {
        if eventLoop.inEventLoop { flushTask() } else { eventLoop.execute(flushTask) }
    }

    func receive() async throws(TransportError) -> [[UInt8]]? {
        try await inbound.receive {
            eventLoop.execute { [conversation, handler] in
                handler.value.turn { conversation.value.readOn() }
            }
        }
    }

    func close() async {
        outbound.refuse(.closedLocally)
        inbound.fail(.closedLocally, discarding: true)
        let closed = OneShot<Void>()
        eventLoop.execute { [conversation, handler] in
            handler.value.turn { conversation.value.close(closed) }
        }
        _ = await closed.waitRegardless()
    }

    func abort() {
        outbound.fail(.closedLocally)
        inbound.fail(.closedLocally, discarding: true)
        eventLoop.execute { [conversation] in conversation.value.end(.closedLocally) }
    }
}
