import NIOCore
import NIOPosix

/// A server that gives everybody the same answer to the first bytes that they send, and closes.
final class OneAnswer: Sendable {
    private let channel: any Channel
    let port: UInt16

    private init(_ channel: any Channel) {
        self.channel = channel
        port = UInt16(clamping: channel.localAddress?.port ?? 0)
    }

    static func start(_ answer: String) async throws -> OneAnswer {
        OneAnswer(
            try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Answering(answer))
                    }
                }
                .bind(host: "127.0.0.1", port: 0).get())
    }

    func stop() {
        channel.close(promise: nil)
    }

    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let answer: String

        init(_ answer: String) {
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bound = context.loopBound
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer))).whenComplete { _ in
                bound.value.close(promise: nil)
            }
        }
    }
}
