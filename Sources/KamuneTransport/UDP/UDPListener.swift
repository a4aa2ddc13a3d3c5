internal import NIOCore

/// A UDP socket that takes conversations of any number of peers.
final class UDPListener: ConnectionListener {
    let localAddress: Address
    private let handler: NIOLoopBound<UDPChannelHandler>
    private let eventLoop: any EventLoop
    private let queue: AcceptQueue

    /// To be called on the channel's event loop.
    init(address: Address, handler: UDPChannelHandler, queue: AcceptQueue) {
        localAddress = address
        self.handler = NIOLoopBound(handler, eventLoop: handler.eventLoop)
        eventLoop = handler.eventLoop
        self.queue = queue
    }

    deinit {
        queue.close()
        eventLoop.execute { [handler] in handler.value.close() }
    }

    func accept() async throws(TransportError) -> (any Connection)? {
        try await queue.accept()
    }

    /// Connections live on, and with them the socket: the port is free when the last of them is gone.
    func close() async {
        queue.close()
        let closed = OneShot<Void>()
        eventLoop.execute { [handler] in
            handler.value.close()
            closed.resolve(.success(()))
        }
        _ = await closed.waitRegardless()
    }

    /// How many conversations there are, and with how many of them the peer has not proven its address.
    func conversationCounts() async -> (conversations: Int, unproven: Int) {
        await withCheckedContinuation { continuation in
            eventLoop.execute { [handler] in continuation.resume(returning: handler.value.conversationCounts) }
        }
    }
}
