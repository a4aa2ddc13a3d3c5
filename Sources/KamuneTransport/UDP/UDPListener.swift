internal import NIOCore
internal import NIOPosix

/// UDP sockets that take conversations of any number of peers.
final class UDPListener: ConnectionListener {
    let localAddress: Address
    private let reception: NIOLoopBound<UDPReception>
    private let eventLoop: any EventLoop
    private let queue: AcceptQueue

    private init(address: Address, reception: NIOLoopBound<UDPReception>, eventLoop: any EventLoop, queue: AcceptQueue)
    {
        localAddress = address
        self.reception = reception
        self.eventLoop = eventLoop
        self.queue = queue
    }

    deinit {
        queue.close()
        eventLoop.execute { [reception] in reception.value.close() }
    }

    func accept() async throws(TransportError) -> (any Connection)? {
        try await queue.accept()
    }

    /// Connections live on, and with them their sockets: the port is free when the last of them is gone.
    func close() async {
        queue.close()
        await Self.close(reception, on: eventLoop)
    }

    private static func close(_ reception: NIOLoopBound<UDPReception>, on eventLoop: any EventLoop) async {
        let closed = OneShot<Void>()
        eventLoop.execute {
            reception.value.close()
            closed.resolve(.success(()))
        }
        _ = await closed.waitRegardless()
    }

    /// How many conversations there are, and with how many of them the peer has not proven its address.
    func conversationCounts() async -> (conversations: Int, unproven: Int) {
        await withCheckedContinuation { continuation in
            eventLoop.execute { [reception] in continuation.resume(returning: reception.value.conversationCounts) }
        }
    }

    // MARK: Binding

    /// Binds sockets.
    static func bind(
        _ addresses: ListeningAddresses, configuration: TransportConfiguration, options: UDPOptions
    ) async throws(TransportError) -> UDPListener {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let queue = AcceptQueue(limit: configuration.pendingConnectionLimit)
        let made = OneShot<NIOLoopBound<UDPReception>>()
        eventLoop.execute {
            let reception = UDPReception(
                eventLoop: eventLoop, configuration: configuration, options: options, queue: queue)
            made.resolve(.success(NIOLoopBound(reception, eventLoop: eventLoop)))
        }
        let reception = try await made.wait()
        do throws(TransportError) {
            let (_, port) = try await addresses.bindAll { (target) async throws(TransportError) in
                let result = OneShot<any Channel>()
                eventLoop.execute {
                    reception.value.bind(target).whenComplete { bound in
                        result.resolve(bound.mapError { TransportError(listeningOn: addresses.name(of: target), $0) })
                    }
                }
                let channel = try await result.wait()
                return (channel, channel.localAddress?.port.flatMap(UInt16.init(exactly:)))
            } close: { channel in
                eventLoop.execute { reception.value.unbind(channel) }
            }
            return UDPListener(
                address: addresses.address(port: port), reception: reception, eventLoop: eventLoop, queue: queue)
        } catch {
            await close(reception, on: eventLoop)
            throw error
        }
    }
}
