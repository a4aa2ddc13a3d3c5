internal import KCP
internal import NIOCore

/// The end of the pipeline of a socket that is bound to all addresses of a family.
///
/// A machine with several addresses has to answer from the one that was asked, and a socket that is bound to none of them
/// answers from whichever the system chooses. So this one answers nobody: for each address that a datagram was sent to it
/// has a socket bound to just that, hands it the datagram, and what follows arrives there. Nobody has to be told when
/// addresses come or go. All the while this socket keeps the port, on addresses too that are not there yet.
final class UDPWildcardHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let reception: UDPReception
    /// What the socket is bound to.
    private var address: SocketAddress
    private var context: ChannelHandlerContext?
    private var isBound = false
    private var failures = 0
    private var isDone = false
    private var sockets: [SocketAddress: UDPChannelHandler] = [:]
    /// When each was last needed here, counted in datagrams.
    private var uses: [SocketAddress: UInt64] = [:]
    private var useCount: UInt64 = 0
    /// Those that got a datagram in the batch that is being read.
    private var touched: [UDPChannelHandler] = []

    init(reception: UDPReception, address: SocketAddress) {
        self.reception = reception
        self.address = address
    }

    // MARK: Life of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        if isBound { reopen() }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // It hears of strangers, and goes on.
    }

    /// The socket, while there is one.
    var channel: (any Channel)? { context?.channel }

    /// The socket is bound: it is to tell where datagrams were sent to.
    func bound(_ channel: any Channel) {
        isBound = true
        failures = 0
        address = channel.localAddress ?? address
        try? channel.syncOptions?.setOption(.receivePacketInfo, value: true)
    }

    /// The system has taken the socket away.
    private func reopen() {
        isBound = false
        guard !isDone else { return }
        reception.afterPause(failures: failures) { [self] in
            guard !isDone else { return }
            let holders = sockets.values.compactMap(\.channel)
            reception.open(self, at: address, beside: holders).assumeIsolated().whenComplete { [self] result in
                switch result {
                case .success(let channel):
                    self.bound(channel)
                    if isDone { channel.close(promise: nil) }
                case .failure:
                    failures += 1
                    reopen()
                }
            }
        }
    }

    /// Closes the socket for good; those of single addresses live on.
    func close() {
        isDone = true
        context?.close(promise: nil)
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let target = target(of: envelope) else { return }
        let socket: UDPChannelHandler
        if let known = sockets[target] {
            socket = known
        } else {
            guard opensSomething(envelope), isOneHost(target), let made = open(target, in: context) else { return }
            socket = made
        }
        useCount += 1
        uses[target] = useCount
        socket.take(envelope)
        if !touched.contains(where: { $0 === socket }) { touched.append(socket) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        let touched = touched
        self.touched = []
        for socket in touched { socket.finishReading() }
        context.fireChannelReadComplete()
    }

    /// Where a datagram was sent to; `nil` if the system does not say.
    private func target(of envelope: InboundIn) -> SocketAddress? {
        guard let information = envelope.metadata?.packetInfo, let port = address.port.flatMap(UInt16.init(exactly:))
        else { return nil }
        return information.destinationAddress.with(port: port, interface: information.interfaceIndex)
    }

    /// Whether a datagram deserves a socket: noise does not.
    private func opensSomething(_ envelope: InboundIn) -> Bool {
        let size = envelope.metadata?.segmentSize ?? envelope.data.readableBytes
        let first = Array(envelope.data.readableBytesView.prefix(size))
        let options = reception.options
        return UDPOpening(first, firstFrame: options.firstFrame, window: options.receiveWindow) != .nothing
    }

    /// Whether an address is that of one host, and not of all in its network.
    private func isOneHost(_ address: SocketAddress) -> Bool {
        if address.isMulticast || address.ipAddress == "255.255.255.255" { return false }
        let devices = (try? System.enumerateDevices()) ?? []
        // A device that has no address for all says its own in that place.
        return devices.contains { $0.address?.ipAddress == address.ipAddress }
            || !devices.contains { $0.broadcastAddress?.ipAddress == address.ipAddress }
    }

    // MARK: Sockets

    private func open(_ target: SocketAddress, in context: ChannelHandlerContext) -> UDPChannelHandler? {
        guard !isDone, makeRoom() else { return nil }
        let socket = UDPChannelHandler(reception: reception, address: target) { [weak self] socket in
            self?.removed(socket, target)
        }
        sockets[target] = socket
        reception.add(socket)
        socket.bind { [weak self] in self?.channel }
        return sockets[target]
    }

    private func removed(_ socket: UDPChannelHandler, _ target: SocketAddress) {
        guard sockets[target] === socket else { return }
        sockets[target] = nil
        uses[target] = nil
    }

    /// Sees that there is room for one more: that which was needed last the longest ago has to go, if nobody has proven
    /// there that they receive what is sent to them.
    private func makeRoom() -> Bool {
        guard sockets.count >= reception.options.addressLimit else { return true }
        let candidates = sockets.filter { !$0.value.hasProvenConversation }
        guard let idle = candidates.min(by: { uses[$0.key, default: 0] < uses[$1.key, default: 0] })
        else { return false }
        idle.value.dismiss()
        return true
    }
}
