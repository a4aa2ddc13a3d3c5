internal import NIOCore

/// Keeps a listening channel from accepting more than the queue has places for, and lets it rest when the system cannot
/// accept, where it would otherwise try again at once and for ever.
final class AcceptThrottle: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never

    /// How long to rest when the system has, for example, no file descriptor left.
    private static let rest = TimeAmount.milliseconds(200)

    private let queue: AcceptQueue
    private var isResting = false
    private var isReadWanted = false

    init(queue: AcceptQueue) {
        self.queue = queue
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        queue.reserve()
        context.fireChannelRead(data)
    }

    func read(context: ChannelHandlerContext) {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let boundContext = context.loopBound
        let eventLoop = context.eventLoop
        let isFull = queue.isFull {
            eventLoop.execute { bound.value.readOn(boundContext.value) }
        }
        if isResting || isFull {
            isReadWanted = true
        } else {
            context.read()
        }
    }

    private func readOn(_ context: ChannelHandlerContext) {
        guard isReadWanted, !context.isRemoved else { return }
        isReadWanted = false
        read(context: context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Whatever befell one connection, the listener goes on.
        guard error is IOError, !isResting else { return }
        isResting = true
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.rest) {
            self.isResting = false
            self.readOn(context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        queue.close()
        context.fireChannelInactive()
    }
}

extension ChannelHandlerContext {
    /// Whether the channel is closed, so that nothing can be done through this any more.
    fileprivate var isRemoved: Bool { !channel.isActive }
}
