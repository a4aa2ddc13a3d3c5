import KamuneBroker
import NIOCore
import NIOPosix

/// A UDP socket of a test, of either family, whose datagrams are read one after the other.
final class DatagramClient: Sendable {
    /// Where it is.
    let endpoint: IPEndpoint
    private let channel: any Channel
    private let stream: AsyncStream<(bytes: [UInt8], source: IPEndpoint)>

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        let continuation: AsyncStream<(bytes: [UInt8], source: IPEndpoint)>.Continuation

        init(_ continuation: AsyncStream<(bytes: [UInt8], source: IPEndpoint)>.Continuation) {
            self.continuation = continuation
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = unwrapInboundIn(data)
            guard let text = envelope.remoteAddress.ipAddress, let address = IPAddress(parsing: text),
                let port = envelope.remoteAddress.port
            else { return }
            continuation.yield((Array(envelope.data.readableBytesView), IPEndpoint(address, UInt16(port))))
        }

        func channelInactive(context: ChannelHandlerContext) { continuation.finish() }
    }

    init(host: String) async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: (bytes: [UInt8], source: IPEndpoint).self)
        self.stream = stream
        channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(continuation))
                }
            }
            .bind(host: host, port: 0).get()
        guard let address = IPAddress(parsing: host) else { throw ChannelError.unknownLocalAddress }
        endpoint = IPEndpoint(address, UInt16(channel.localAddress?.port ?? 0))
    }

    func send(_ datagram: [UInt8], to destination: IPEndpoint) async throws {
        let address = try SocketAddress(ipAddress: "\(destination.address)", port: Int(destination.port))
        try await channel.writeAndFlush(
            AddressedEnvelope(remoteAddress: address, data: ByteBuffer(bytes: datagram)))
    }

    /// The next datagram. To be called by one task at a time.
    func receive() async throws -> (bytes: [UInt8], source: IPEndpoint) {
        for await datagram in stream { return datagram }
        throw ChannelError.alreadyClosed
    }

    func close() async { try? await channel.close() }
}
