internal import KCP
internal import KamuneBroker
internal import KamuneTraversal
internal import NIOCore
internal import NIOPosix

/// The UDP sockets by which a way to a peer is looked for, on one event loop. One of them carries the connection afterwards.
///
/// A number stands for a socket of IPv4; number 0 has one of IPv6 beside it, at the same port where the system lets us.
final class TraversalSockets {
    let eventLoop: any EventLoop
    let queue: AcceptQueue
    private let reception: UDPReception
    private let configuration: TransportConfiguration
    private let options: UDPOptions
    /// The sockets of IPv4 that are open, by their numbers.
    private var sockets: [Int: Socket] = [:]
    private var ipv6: Socket?
    private var count = 0
    /// What is to be sent by sockets that are not open yet.
    private var unsent: [(datagram: [UInt8], number: Int, destination: SocketAddress)] = []
    private static let unsentLimit = 1024
    private var isClosed = false

    /// Told of what belongs to no conversation: the broker's datagrams, and probes.
    var onDatagram: (([UInt8], Int, IPEndpoint) -> Void)?
    /// Says whether somebody may open a conversation from there.
    var mayOpen: (IPEndpoint) -> Bool = { _ in false }
    /// Those whose datagrams belong to no conversation, whatever they look like.
    var servers: Set<IPEndpoint> = []

    private struct Socket {
        let handler: UDPChannelHandler
        let channel: any Channel
        var port: UInt16? { channel.localAddress?.port.flatMap(UInt16.init(exactly:)) }
    }

    init(eventLoop: any EventLoop, configuration: TransportConfiguration, options: UDPOptions) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.options = options
        queue = AcceptQueue(limit: configuration.pendingConnectionLimit)
        reception = UDPReception(
            eventLoop: eventLoop, configuration: configuration, options: options, queue: queue)
    }

    // MARK: Sockets

    /// Opens the first socket, and the one of IPv6 beside it if there is IPv6.
    ///
    /// - Parameters:
    ///   - address: Where to send from, for that family only; `nil` for wherever the routes lead, by both.
    ///   - port: The port; 0 lets the system choose.
    ///   - isOpen: Called when both are open, or one is, or none could be.
    func openFirst(
        at address: IPAddress?, port: UInt16, then isOpen: @escaping (Result<Void, TransportError>) -> Void
    ) {
        count = 1
        func openIPv6(port: UInt16, failure: TransportError?) {
            let unlessIPv6: Result<Void, TransportError> = failure.map { .failure($0) } ?? .success(())
            let beside = address.map { $0.isIPv6 ? $0 : nil } ?? Self.anyIPv6
            guard let beside else { return isOpen(unlessIPv6) }
            open(0, at: beside, port: port) { [self] result in
                switch result {
                case .success(let socket): ipv6 = socket
                case .failure where port != 0 && failure == nil: return openIPv6(port: 0, failure: nil)
                // A machine without IPv6 has IPv4.
                case .failure: break
                }
                isOpen(ipv6 == nil ? unlessIPv6 : .success(()))
            }
        }
        if let address, address.isIPv6 {
            return openIPv6(port: port, failure: .addressNotAvailable(address: "\(address)"))
        }
        open(0, at: address ?? Self.anyIPv4, port: port) { [self] result in
            switch result {
            case .success(let socket):
                opened(0, socket)
                openIPv6(port: socket.port ?? 0, failure: nil)
            case .failure(let error):
                openIPv6(port: port, failure: error)
            }
        }
    }

    /// Opens more, at ports that the system chooses. Where it has none left there are fewer.
    func openMore(_ more: Int) {
        for number in count..<count + more {
            open(number, at: Self.anyIPv4, port: 0) { [self] result in
                if case .success(let socket) = result { opened(number, socket) }
            }
        }
        count += more
    }

    private static let anyIPv4 = IPAddress(0, 0, 0, 0)
    private static let anyIPv6 = IPAddress(bytes: [UInt8](repeating: 0, count: IPAddress.ipv6Size))

    private func opened(_ number: Int, _ socket: Socket) {
        sockets[number] = socket
        let ready = unsent.filter { $0.number == number }
        unsent.removeAll { $0.number == number }
        for item in ready { write(item.datagram, by: socket, to: item.destination) }
    }

    private func open(
        _ number: Int, at address: IPAddress, port: UInt16,
        then isOpen: @escaping (Result<Socket, TransportError>) -> Void
    ) {
        let name = Address(scheme: .udp, host: "\(address)", port: port)
        guard let target = try? SocketAddress(ipAddress: name.host, port: Int(port)) else {
            return isOpen(.failure(.addressNotAvailable(address: "\(name)")))
        }
        let handler = UDPChannelHandler(reception: reception, address: target)
        let bound = NIOLoopBound((handler, TraversalFilter(number, of: self)), eventLoop: eventLoop)
        DatagramBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (handler, filter) = bound.value
                    if let options = channel.syncOptions {
                        if address.isIPv6 { try options.setOption(.ipv6Only, value: 1) }
                        // What the system grants may be less.
                        try? options.setOption(.socketOption(.so_rcvbuf), value: .init(UDPReception.systemBuffer))
                        try? options.setOption(.socketOption(.so_sndbuf), value: .init(UDPReception.systemBuffer))
                        try UDPReadBuffers.few.apply(to: options)
                    }
                    try channel.pipeline.syncOperations.addHandlers(filter, handler)
                }
            }
            .bind(to: target)
            .assumeIsolated().whenComplete { [self] result in
                switch result {
                case .success(let channel):
                    handler.bound(channel)
                    reception.add(handler)
                    // Nobody may want it any more.
                    if isClosed { handler.closeIfDone() }
                    isOpen(.success(Socket(handler: handler, channel: channel)))
                case .failure(let error):
                    isOpen(.failure(TransportError(listeningOn: name, error)))
                }
            }
    }

    /// The port of the first socket; `nil` if there is none.
    var port: UInt16? { sockets[0]?.port }
    /// The port of the socket of IPv6; `nil` if there is none.
    var ipv6Port: UInt16? { ipv6?.port }

    // MARK: Datagrams

    /// Sends a datagram. What cannot be sent is lost, as datagrams are.
    func send(_ datagram: [UInt8], from number: Int, to destination: IPEndpoint) {
        guard !isClosed,
            let target = try? SocketAddress(ipAddress: "\(destination.address)", port: Int(destination.port))
        else { return }
        if destination.address.isIPv6 {
            if let ipv6 { write(datagram, by: ipv6, to: target) }
        } else if let socket = sockets[number] {
            write(datagram, by: socket, to: target)
        } else if unsent.count < Self.unsentLimit {
            unsent.append((datagram, number, target))
        }
    }

    private func write(_ datagram: [UInt8], by socket: Socket, to target: SocketAddress) {
        guard socket.channel.isActive, socket.channel.isWritable else { return }
        let buffer = socket.channel.allocator.buffer(bytes: datagram)
        socket.channel.writeAndFlush(AddressedEnvelope(remoteAddress: target, data: buffer), promise: nil)
    }

    /// A datagram has arrived.
    ///
    /// - Returns: Whether it belongs to a conversation, or may open one.
    func isOfConversation(_ datagram: ByteBuffer, number: Int, from source: SocketAddress) -> Bool {
        guard let endpoint = IPEndpoint(source) else { return false }
        let bytes = datagram.readableBytesView
        guard servers.contains(endpoint) || bytes.count < KCPHeader.size || PunchDatagram.isLike(bytes) else {
            return isConnected || mayOpen(endpoint)
        }
        onDatagram?(Array(bytes), number, endpoint)
        return false
    }

    /// Whether a connection was made: then its handler knows whose datagrams are its.
    private var isConnected = false

    /// Opens a conversation from a socket. The others are closed, and with the conversation's end this one is.
    func dial(_ remote: IPEndpoint, from number: Int, result: OneShot<EventLoopConnection>) {
        let address = Address(scheme: .udp, host: "\(remote.address)", port: remote.port)
        guard let socket = remote.address.isIPv6 ? ipv6 : sockets[number] else {
            result.resolve(.failure(.addressNotAvailable(address: "\(address)")))
            return
        }
        isConnected = true
        queue.close()
        for (other, socket) in sockets where other != number || remote.address.isIPv6 { socket.handler.dismiss() }
        if !remote.address.isIPv6 { ipv6?.handler.dismiss() }
        UDPDialing(
            address, configuration: configuration, options: options, eventLoop: eventLoop, result: result,
            from: socket.handler, onEnd: close
        ).begin(by: NameResolution.addresses)
    }

    /// Takes nothing new. Sockets with a conversation live until its end.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        isConnected = true
        unsent = []
        onDatagram = nil
        queue.close()
        reception.close()
        // Whichever is left has a conversation, and is read like a listener's from now on.
        for socket in sockets.values + (ipv6.map { [$0] } ?? []) where socket.channel.isActive {
            if let options = socket.channel.syncOptions { try? UDPReadBuffers.many.apply(to: options) }
        }
    }
}

/// Stands before what finds the conversation of a datagram, and takes what belongs to none.
final class TraversalFilter: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias InboundOut = AddressedEnvelope<ByteBuffer>

    private let number: Int
    private weak var sockets: TraversalSockets?

    init(_ number: Int, of sockets: TraversalSockets) {
        self.number = number
        self.sockets = sockets
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let sockets else { return context.fireChannelRead(data) }
        if let size = envelope.metadata?.segmentSize, size > 0, size < envelope.data.readableBytes {
            // The system has joined datagrams of one size: bulk, which only a conversation has, or probes.
            guard PunchDatagram.isLike(envelope.data.readableBytesView.prefix(size)) else {
                return context.fireChannelRead(data)
            }
            var rest = envelope.data
            while rest.readableBytes > 0, let datagram = rest.readSlice(length: min(size, rest.readableBytes)) {
                _ = sockets.isOfConversation(datagram, number: number, from: envelope.remoteAddress)
            }
            return
        }
        guard sockets.isOfConversation(envelope.data, number: number, from: envelope.remoteAddress) else { return }
        context.fireChannelRead(data)
    }
}

extension IPEndpoint {
    /// The end of a socket; `nil` unless it is of IP, and another machine can use it.
    init?(_ socketAddress: SocketAddress) {
        guard let port = socketAddress.port.flatMap(UInt16.init(exactly:)),
            // An address of a link has its interface behind a percent sign, which nobody else can use.
            let text = socketAddress.ipAddress?.split(separator: "%").first,
            let address = IPAddress(parsing: String(text))
        else { return nil }
        self.init(address, port)
    }
}
