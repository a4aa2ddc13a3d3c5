internal import KamuneSystem
internal import NIOCore

/// The end of a stream channel's pipeline: carries the bytes of one connection.
final class FrameChannelHandler: ChannelDuplexHandler, FrameCarrier {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Never
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// What is being written.
    private enum Writing {
        case idle
        /// The channel is being told to.
        case beginning
        /// The system did not take all of it at once.
        case waiting(ByteBuffer)
    }

    /// How many buffers are written before others on the event loop have their turn.
    private static let writesPerTurn = 4

    let end: ConnectionEnd
    /// What to say of the connection; `nil` for one over TCP.
    private let describe: ((any Channel) -> ConnectionInfo)?
    /// Called once: with the channel when it becomes active, with `nil` when it is gone without having been so.
    private var onActive: ((FrameChannelHandler, (any Channel)?) -> Void)?

    private var context: ChannelHandlerContext?
    private var isReadWanted = false
    private var writing = Writing.idle
    /// Since when the write in flight has not moved, and what was left of it then.
    private var stalled: (since: NIODeadline, left: Int)?

    /// - Parameters:
    ///   - describe: What to say of a connection that is not simply one over TCP.
    ///   - onActive: For a channel that was accepted; one that we have dialed has none.
    init(
        eventLoop: any EventLoop,
        configuration: TransportConfiguration,
        describe: ((any Channel) -> ConnectionInfo)? = nil,
        onActive: ((FrameChannelHandler, (any Channel)?) -> Void)? = nil
    ) {
        end = ConnectionEnd(eventLoop: eventLoop, configuration: configuration, isAccepted: onActive != nil)
        self.describe = describe
        self.onActive = onActive
    }

    /// A handle on the connection. To be made once, when the channel is active.
    func connection(on channel: any Channel) -> EventLoopConnection {
        EventLoopConnection(
            end,
            info: describe?(channel)
                ?? ConnectionInfo(
                    transport: "tcp",
                    localAddress: channel.localAddress.map { "\(Address($0))" } ?? "unknown",
                    remoteAddress: channel.remoteAddress.map { "\(Address($0))" } ?? "unknown",
                    remoteNetwork: channel.remoteAddress.flatMap { Network($0) },
                    maximumFrameSize: end.configuration.maximumFrameSize
                ),
            lendsEventLoop: true
        )
    }

    // MARK: Life of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { activate(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end.carrierEnded(.reset)
        noteGone()
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        activate(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end.carrierDisconnected()
        noteGone()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end.fail(TransportError(ofConnection: error))
    }

    private func activate(_ context: ChannelHandlerContext) {
        end.start(self)
        if end.configuration.writesOnCallersThread {
            let descriptor = try? context.pipeline.syncOperations
                .withUnsafeTransportIfAvailable(of: CInt.self) { SocketDescriptor(duplicating: $0) }
            end.outbound.attach(descriptor ?? nil)
        }
        onActive.take()?(self, context.channel)
    }

    /// The handler never came to be in a channel.
    func abandon() {
        end.carrierEnded(.reset)
        noteGone()
    }

    private func noteGone() {
        onActive.take()?(self, nil)
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        buffer.withUnsafeReadableBytes(end.received)
        BufferPool.reading.give(buffer)
    }

    func read(context: ChannelHandlerContext) {
        if end.isReadPaused {
            isReadWanted = true
        } else {
            context.read()
        }
    }

    func readOn() {
        guard isReadWanted, let context else { return }
        isReadWanted = false
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { end.inputEnded() }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: Writing

    /// Writes what is in the outbox, in one piece, and goes on while the system takes it at once.
    func flush() {
        guard let context, case .idle = writing else { return }
        for _ in 0..<Self.writesPerTurn {
            guard let buffer = end.outbound.take() else { return finishOutputIfFlushed() }
            writing = .beginning
            let promise = context.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenComplete { result in self.wrote(result) }
            context.writeAndFlush(wrapOutboundOut(buffer), promise: promise)
            guard case .idle = writing else {
                writing = .waiting(buffer)
                stalled = (.now(), bufferedBytes)
                return
            }
            BufferPool.writing.give(buffer)
            guard end.outbound.wrote() else { return finishOutputIfFlushed() }
        }
        // Others on this event loop have their turn first.
        context.eventLoop.assumeIsolated().execute { self.flush() }
    }

    private func wrote(_ result: Result<Void, any Error>) {
        stalled = nil
        let before = writing
        writing = .idle
        if case .failure(let error) = result { end.fail(TransportError(ofConnection: error)) }
        guard case .waiting(let buffer) = before else { return }
        BufferPool.writing.give(buffer)
        if end.outbound.wrote() { flush() } else { finishOutputIfFlushed() }
    }

    private func finishOutputIfFlushed() {
        guard end.isFinishing, case .idle = writing, end.outbound.isEmpty, let context else { return }
        // Closes the channel altogether if the peer's direction has ended.
        end.finishOutput { context.close(mode: .output, promise: nil) }
    }

    private var bufferedBytes: Int {
        (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    func stalledSince(_ now: NIODeadline) -> NIODeadline? {
        if let (_, left) = stalled, bufferedBytes != left { stalled = (now, bufferedBytes) }
        return stalled?.since
    }

    // MARK: Ending

    /// The peer ends its stream when it has seen the end of ours.
    var lingering: TimeAmount? { nil }

    /// Closes the channel, with a reset if our stream has not ended.
    func breakOff() {
        guard let context, context.channel.isActive else { return }
        if !end.isFinished {
            let noLinger = linger(l_onoff: 1, l_linger: 0)
            (context.channel as? any SocketOptionProvider)?.setSoLinger(noLinger).whenFailure { _ in }
        }
        context.close(promise: nil)
    }
}
