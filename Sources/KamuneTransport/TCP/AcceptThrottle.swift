internal import KamuneSystem
internal import NIOCore

/// Keeps a listening channel from accepting more than the queue has places for, and lets it rest when the system cannot
/// accept.
///
/// Both by having the channel not look at its socket at all: a connection that waits there would wake it again at once,
/// and for ever. To hold back its reads alone, as NIO's own handler does, changes nothing after an error, since the read
/// that failed still counts as asked for.
final class AcceptThrottle: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    /// How long to rest when the system has, for example, no file descriptor left: twice as long each time until it has.
    private static let shortestRest = TimeAmount.milliseconds(10)
    private static let longestRest = TimeAmount.seconds(1)

    private let queue: AcceptQueue
    private var isResting = false
    private var rest = AcceptThrottle.shortestRest

    init(queue: AcceptQueue) {
        self.queue = queue
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        rest = Self.shortestRest
        queue.reserve()
        context.fireChannelRead(data)
        goOnOrPause(context)
    }

    /// Accepts for as long as there are places.
    private func goOnOrPause(_ context: ChannelHandlerContext) {
        guard context.channel.isActive, !isResting else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let boundContext = context.loopBound
        let eventLoop = context.eventLoop
        let isFull = queue.isFull(for: self) {
            eventLoop.execute { bound.value.goOnOrPause(boundContext.value) }
        }
        accept(!isFull, context)
    }

    private func accept(_ accepts: Bool, _ context: ChannelHandlerContext) {
        try? context.channel.syncOptions?.setOption(.autoRead, value: accepts)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Whatever befell one connection, the listener goes on.
        guard let error = error as? IOError, error.errnoCode != ECONNABORTED, !isResting else { return }
        isResting = true
        accept(false, context)
        context.eventLoop.assumeIsolated().scheduleTask(in: rest) {
            self.isResting = false
            self.goOnOrPause(context)
        }
        rest = min(rest + rest, Self.longestRest)
        if error.errnoCode == EMFILE || error.errnoCode == ENFILE { queue.exhausted() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        queue.close()
        context.fireChannelInactive()
    }
}
