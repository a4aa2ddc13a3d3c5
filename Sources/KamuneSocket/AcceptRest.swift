import KamuneSystem
import NIOCore

/// Has a listening socket rest when the system cannot accept, for example because no file descriptor is left, and go on then.
/// Without it the first such moment would be the last of the socket.
///
/// The channel does not look at its socket at all meanwhile: a connection that waits there would wake it again at once.
final class AcceptRest: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    /// How long to rest: twice as long each time, until something is accepted.
    private static let shortest = TimeAmount.milliseconds(10)
    private static let longest = TimeAmount.seconds(1)

    private var isResting = false
    private var rest = AcceptRest.shortest

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        rest = Self.shortest
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Whatever befell one connection, the others are served.
        guard let error = error as? IOError else { return context.fireErrorCaught(error) }
        guard error.errnoCode != ECONNABORTED, !isResting else { return }
        isResting = true
        accept(false, context)
        context.eventLoop.assumeIsolated().scheduleTask(in: rest) {
            self.isResting = false
            if context.channel.isActive { self.accept(true, context) }
        }
        rest = min(rest + rest, Self.longest)
    }

    private func accept(_ accepts: Bool, _ context: ChannelHandlerContext) {
        try? context.channel.syncOptions?.setOption(.autoRead, value: accepts)
    }
}
