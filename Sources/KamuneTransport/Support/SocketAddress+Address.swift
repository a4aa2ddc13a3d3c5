internal import NIOCore
internal import NIOPosix

extension Address {
    /// The address of a socket's end. IPv4 addresses on an IPv6 socket (RFC 4291, 2.5.5.2) appear as IPv4.
    init(_ socketAddress: SocketAddress) {
        let mappedPrefix = "::ffff:"
        var host = socketAddress.ipAddress ?? ""
        if host.hasPrefix(mappedPrefix), host.contains(".") { host.removeFirst(mappedPrefix.count) }
        self.init(scheme: .tcp, host: host, port: socketAddress.port.flatMap(UInt16.init(exactly:)) ?? 0)
    }
}

extension SocketAddress {
    /// Resolves a name or IP address to listen on, within the dial timeout.
    static func resolve(
        host: String,
        port: Int,
        configuration: TransportConfiguration
    ) -> EventLoopFuture<SocketAddress> {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        if let address = try? SocketAddress(ipAddress: host, port: port) {
            return eventLoop.makeSucceededFuture(address)
        }
        let timeout = TimeAmount(clamping: configuration.dialTimeout)
        let promise = eventLoop.makePromise(of: SocketAddress.self)
        let deadline = eventLoop.scheduleTask(in: timeout) { promise.fail(ChannelError.connectTimeout(timeout)) }
        promise.futureResult.whenComplete { _ in deadline.cancel() }
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) {
            try SocketAddress.makeAddressResolvingHost(host, port: port)
        }.whenComplete { promise.completeWith($0) }
        return promise.futureResult
    }
}
