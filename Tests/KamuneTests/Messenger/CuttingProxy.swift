import NIOCore
import NIOPosix
import Synchronization

/// Passes TCP connections on to a port of the loopback interface, and ends each of them after so many bytes, wherever in
/// a frame that is.
final class CuttingProxy: Sendable {
    /// How a connection ends.
    enum Ending: CaseIterable, Sendable {
        /// Both sides see the end of the stream.
        case finished
        /// Both sides see a reset.
        case reset
        /// Nothing comes through any more, and nobody is told.
        case silent
    }

    /// What becomes of one connection.
    struct Fate: Sendable {
        /// How many bytes come through, both directions together.
        var bytes: Int
        var ending: Ending
    }

    /// Where to connect.
    let address: String
    private let channel: any Channel

    private init(_ channel: any Channel) {
        self.channel = channel
        address = "127.0.0.1:\(channel.localAddress?.port ?? 0)"
    }

    /// - Parameter fate: Is asked about each connection, numbered from 0.
    static func start(
        to target: String, fate: @escaping @Sendable (Int) -> Fate
    ) async throws -> CuttingProxy {
        let address = try SocketAddress.makeAddressResolvingHost(
            String(target.prefix { $0 != ":" }), port: target.split(separator: ":").last.flatMap { Int($0) } ?? 0)
        let count = Mutex(0)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { near in
                let number = count.withLock { count in
                    defer { count += 1 }
                    return count
                }
                return connect(near, to: address, fate(number))
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return CuttingProxy(channel)
    }

    private static func connect(_ near: any Channel, to address: SocketAddress, _ fate: Fate) -> EventLoopFuture<Void> {
        // Both ends on one event loop, so that they may share what is left.
        ClientBootstrap(group: near.eventLoop)
            .channelOption(.autoRead, value: false)
            .connect(to: address)
            .flatMapThrowing { far in
                let budget = Budget(fate)
                try near.pipeline.syncOperations.addHandler(Passage(to: far, budget))
                try far.pipeline.syncOperations.addHandler(Passage(to: near, budget))
                for end in [near, far] { try end.syncOptions?.setOption(.autoRead, value: true) }
            }
    }

    func close() async {
        try? await channel.close().get()
    }

    /// What is left for one connection. Used on its event loop only.
    private final class Budget {
        private var bytes: Int
        let ending: Ending

        init(_ fate: Fate) {
            bytes = fate.bytes
            ending = fate.ending
        }

        var isSpent: Bool { bytes == 0 }

        func take(_ count: Int) -> Int {
            let taken = min(count, bytes)
            bytes -= taken
            return taken
        }
    }

    private final class Passage: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let partner: any Channel
        private let budget: Budget

        init(to partner: any Channel, _ budget: Budget) {
            self.partner = partner
            self.budget = budget
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var buffer = unwrapInboundIn(data)
            if let part = buffer.readSlice(length: budget.take(buffer.readableBytes)), part.readableBytes > 0 {
                partner.writeAndFlush(part, promise: nil)
            }
            guard budget.isSpent, budget.ending != .silent else { return }
            for end in [context.channel, partner] {
                if budget.ending == .reset {
                    _ = (end as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
                }
                end.close(promise: nil)
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            partner.close(promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
