internal import KamuneSystem
internal import NIOCore

/// The end of a channel's pipeline: turns its bytes into frames for the pipe, and what is in the outbox into bytes.
///
/// Lives on the channel's event loop. Whoever is elsewhere talks to the pipe and the outbox, and only asks the handler to
/// flush, to read on, or to close.
final class FrameChannelHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Never
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// How far our direction of the stream has come.
    private enum Output {
        case open
        /// What is in the outbox goes out, and then the end of the stream.
        case finishing
        /// The end of the stream has been sent.
        case finished
    }

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

    let inbound: FramePipe
    let outbound: Outbox
    private let configuration: TransportConfiguration
    private let timer: TransportTimer
    private let readTimeout: TimeAmount
    private let writeTimeout: TimeAmount
    /// Called once: with the channel when it becomes active, with `nil` when it is gone without having been so.
    private var onActive: ((FrameChannelHandler, (any Channel)?) -> Void)?

    private var context: ChannelHandlerContext?
    private var decoder: FrameDecoder
    private var output = Output.open
    /// Whether the connection is being closed gracefully. What still arrives is dropped; but it is read, until the peer's
    /// stream ends, since the system would answer it by a reset that overtakes our last frames.
    private var isClosing = false
    /// Whether the channel is gone.
    private var isClosed = false
    private var closers: [OneShot<Void>] = []
    private var isReadPaused = false
    private var isReadWanted = false
    private var writing = Writing.idle
    /// Since when the write in flight has not moved, and what was left of it then.
    private var stalled: (since: NIODeadline, left: Int)?

    init(
        eventLoop: any EventLoop,
        configuration: TransportConfiguration,
        onActive: ((FrameChannelHandler, (any Channel)?) -> Void)? = nil
    ) {
        inbound = FramePipe(limit: configuration.inboundBufferLimit)
        outbound = Outbox(limit: configuration.outboundBufferLimit)
        self.configuration = configuration
        self.onActive = onActive
        timer = TransportTimer(eventLoop: eventLoop)
        readTimeout = TimeAmount(clamping: configuration.readTimeout)
        writeTimeout = TimeAmount(clamping: configuration.writeTimeout)
        decoder = FrameDecoder(maximumFrameSize: configuration.maximumFrameSize)
    }

    // MARK: Life of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { activate(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        ended(.reset)
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        activate(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        // When our direction has ended and then the peer's does, the channel is closed without further notice. Any other
        // ending than that has been reported as an error before.
        if case .finished = output, !decoder.isMidFrame { inbound.finish(refusing: .closedLocally) }
        ended(decoder.isMidFrame ? .endedMidFrame : .reset)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(TransportError(ofConnection: error))
    }

    private func activate(_ context: ChannelHandlerContext) {
        if configuration.readTimeout != nil || configuration.writeTimeout != nil {
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            timer.start(after: min(readTimeout, writeTimeout)) { now in bound.value.look(at: now) }
        }
        if configuration.writesOnCallersThread {
            let descriptor = try? context.pipeline.syncOperations
                .withUnsafeTransportIfAvailable(of: CInt.self) { SocketDescriptor(duplicating: $0) }
            outbound.attach(descriptor ?? nil)
        }
        onActive.take()?(self, context.channel)
    }

    /// The handler never came to be in a channel.
    func abandon() {
        ended(.reset)
    }

    /// The channel is gone.
    private func ended(_ error: TransportError) {
        isClosed = true
        timer.stop()
        // Sending fails before the receiver learns of it, who may be about to send.
        outbound.fail(error)
        inbound.fail(error)
        outbound.detach()
        resolveClosers()
        onActive.take()?(self, nil)
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        defer { BufferPool.reading.give(buffer) }
        guard !isClosing, !isClosed else { return }
        var frames: [[UInt8]] = []
        let result = Result { () throws(TransportError) in
            try buffer.withUnsafeReadableBytes { bytes throws(TransportError) in
                try decoder.decode(bytes, into: &frames)
            }
        }
        if !frames.isEmpty, !inbound.offer(frames) { isReadPaused = true }
        if case .failure(let error) = result { fail(error) }
    }

    func read(context: ChannelHandlerContext) {
        if isReadPaused {
            isReadWanted = true
        } else {
            context.read()
        }
    }

    /// The pipe has room again.
    func readOn() {
        isReadPaused = false
        guard isReadWanted, let context else { return }
        isReadWanted = false
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent {
            if !isClosing, decoder.isMidFrame {
                fail(.endedMidFrame)
            } else {
                inbound.finish(refusing: .closedLocally)
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: Writing

    /// Writes what is in the outbox, in one piece, and goes on while the system takes it at once.
    func flush() {
        guard let context, case .idle = writing else { return }
        for _ in 0..<Self.writesPerTurn {
            guard let buffer = outbound.take() else { return finishOutputIfFlushed() }
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
            guard !isClosed, outbound.wrote() else { return finishOutputIfFlushed() }
        }
        // Others on this event loop have their turn first.
        context.eventLoop.assumeIsolated().execute { self.flush() }
    }

    private func wrote(_ result: Result<Void, any Error>) {
        stalled = nil
        let before = writing
        writing = .idle
        if case .failure(let error) = result { fail(TransportError(ofConnection: error)) }
        guard case .waiting(let buffer) = before else { return }
        BufferPool.writing.give(buffer)
        if outbound.wrote() { flush() } else { finishOutputIfFlushed() }
    }

    private var bufferedBytes: Int {
        (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    // MARK: Closing

    /// Ends our direction of the stream when everything was written.
    func finishSending() {
        guard case .open = output else { return }
        output = .finishing
        finishOutputIfFlushed()
    }

    private func finishOutputIfFlushed() {
        guard case .finishing = output, case .idle = writing, outbound.isEmpty, let context else { return }
        output = .finished
        // Closes the channel altogether if the peer's direction has ended.
        context.close(mode: .output, promise: nil)
        resolveClosers()
    }

    /// Closes after everything was written. The closer is told when our end of the stream is on its way.
    func close(_ closer: OneShot<Void>) {
        closers.append(closer)
        guard !isClosed, let context else { return resolveClosers() }
        if !isClosing {
            isClosing = true
            readOn()
            let deadline = context.eventLoop.assumeIsolated()
                .scheduleTask(in: TimeAmount(clamping: configuration.closeTimeout)) { self.breakOff() }
            context.channel.closeFuture.whenComplete { _ in deadline.cancel() }
            finishSending()
        }
        if case .finished = output { resolveClosers() }
    }

    private func resolveClosers() {
        for closer in closers { closer.resolve(.success(())) }
        closers = []
    }

    /// Ends the channel, with a reset if our stream has not ended, so that the peer does not take this for its end.
    func breakOff() {
        guard !isClosed, let context else { return }
        if case .finished = output {
        } else {
            let noLinger = linger(l_onoff: 1, l_linger: 0)
            (context.channel as? any SocketOptionProvider)?.setSoLinger(noLinger).whenFailure { _ in }
        }
        context.close(promise: nil)
    }

    /// Nobody refers to the connection any more. If it was not closed, that ends it.
    func drop() {
        if !isClosing { breakOff() }
    }

    private func fail(_ error: TransportError) {
        outbound.fail(error)
        inbound.fail(error)
        breakOff()
    }

    // MARK: Time

    /// Ends waits that have lasted too long, and says when to look again.
    private func look(at now: NIODeadline) -> NIODeadline? {
        guard !isClosing, !isClosed else { return nil }
        let readDeadline = (inbound.receiverWaitingSince ?? now) + readTimeout
        if readDeadline <= now {
            fail(.timedOut(.read))
            return nil
        }
        if let (_, left) = stalled, bufferedBytes != left { stalled = (now, bufferedBytes) }
        let writeDeadline = (stalled?.since ?? now) + writeTimeout
        if writeDeadline <= now {
            fail(.timedOut(.write))
            return nil
        }
        return min(readDeadline, writeDeadline)
    }
}
