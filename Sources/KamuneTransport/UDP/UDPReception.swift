internal import KamuneCrypto
internal import NIOCore
internal import NIOPosix

/// What the sockets of a UDP listener have in common, on their one event loop: the queue of those who come, and one set of
/// limits for all conversations.
final class UDPReception {
    /// How many bytes the system may hold for a socket, if it lets us.
    static let systemBuffer = 4 << 20
    /// After how long a socket that the system has taken from us is tried to be had again: at first, and at the most.
    private static let shortestPause = TimeAmount.milliseconds(100)
    private static let longestPause = TimeAmount.seconds(2)

    let eventLoop: any EventLoop
    let configuration: TransportConfiguration
    let options: UDPOptions
    let queue: AcceptQueue

    /// Those that have conversations, or may have.
    private var sockets: [ObjectIdentifier: UDPChannelHandler] = [:]
    /// Those that only find the address which a datagram was sent to.
    private var wildcards: [UDPWildcardHandler] = []
    private var conversationCount = 0
    /// Those whose peers were not proven when last looked at.
    private var unproven: [UDPConversation] = []
    /// Says which of them makes room for the next.
    private var random: any RandomSource
    /// Whether the listener was closed. Sockets stay open while there are conversations.
    private(set) var isClosing = false

    init(
        eventLoop: any EventLoop, configuration: TransportConfiguration, options: UDPOptions, queue: AcceptQueue,
        random: any RandomSource = SystemRandomSource()
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.options = options
        self.queue = queue
        self.random = random
    }

    // MARK: Conversations

    /// How many conversations there are, and with how many of them the peer is not proven.
    var conversationCounts: (conversations: Int, unproven: Int) {
        (conversationCount, unproven.count { !$0.isProven })
    }

    /// Reserves a place for a conversation, if there is one.
    func reserve() -> Bool {
        guard !isClosing, conversationCount < options.conversationLimit, queue.reserveIfOpen() else { return false }
        makeRoomForUnproven()
        return true
    }

    /// A conversation fills its place.
    func add(_ conversation: UDPConversation, localAddress: SocketAddress?) {
        conversationCount += 1
        unproven.append(conversation)
        queue.fill(conversation.connection(localAddress: localAddress))
    }

    func remove(_ conversation: UDPConversation) {
        conversationCount -= 1
        unproven.removeAll { $0 === conversation }
    }

    /// Drops one of those who have proven nothing, whichever: the oldest would be whoever is nearest to the proof, and to
    /// refuse the newest would lock out everybody while a few datagrams a second go on coming.
    private func makeRoomForUnproven() {
        guard unproven.count >= options.unprovenLimit else { return }
        unproven.removeAll { $0.isProven }
        guard unproven.count >= options.unprovenLimit else { return }
        unproven[Int(random.integer(UInt64.self) % UInt64(unproven.count))].stop(.reset)
    }

    // MARK: Sockets

    /// Binds a socket to an address, or one that finds out the address for each datagram.
    func bind(_ target: SocketAddress) -> EventLoopFuture<any Channel> {
        if target.isAny {
            let wildcard = UDPWildcardHandler(reception: self, address: target)
            return open(wildcard, at: target).assumeIsolated().map { channel in
                wildcard.bound(channel)
                self.wildcards.append(wildcard)
                return channel
            }.nonisolated()
        }
        let socket = UDPChannelHandler(reception: self, address: target)
        return open(socket, at: target).assumeIsolated().map { channel in
            socket.bound(channel)
            self.add(socket)
            return channel
        }.nonisolated()
    }

    /// Undoes that.
    func unbind(_ channel: any Channel) {
        for wildcard in wildcards where wildcard.channel === channel { wildcard.close() }
        for socket in Array(sockets.values) where socket.channel === channel { socket.dismiss() }
    }

    /// Has a handler look after a socket that is to be bound.
    ///
    /// - Parameter holders: Sockets of ours that have the same port, on an address that contains this one or is within it.
    func open(
        _ handler: any ChannelHandler, at address: SocketAddress, beside holders: [any Channel] = []
    ) -> EventLoopFuture<any Channel> {
        let bound = NIOLoopBound(handler, eventLoop: eventLoop)
        let isShared = !holders.isEmpty
        for holder in holders { Self.share(true, holder) }
        let future = DatagramBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let options = channel.syncOptions {
                        // What the system grants may be less.
                        try? options.setOption(.socketOption(.so_rcvbuf), value: .init(Self.systemBuffer))
                        try? options.setOption(.socketOption(.so_sndbuf), value: .init(Self.systemBuffer))
                        try UDPReadBuffers.many.apply(to: options)
                        if isShared { try options.setOption(.socketOption(.so_reuseaddr), value: 1) }
                        // The other family has a socket of its own, at the same port.
                        if address.ipAddress == ListeningAddresses.anyIPv6 {
                            try options.setOption(.ipv6Only, value: 1)
                        }
                    }
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .bind(to: address)
        future.assumeIsolated().whenComplete { result in
            for holder in holders { Self.share(false, holder) }
            if isShared, case .success(let channel) = result { Self.share(false, channel) }
        }
        return future
    }

    /// Whether another socket may be bound to a part of what this one is bound to: only at the moment in which we do so.
    /// Else the system would let other programs take datagrams away.
    private static func share(_ isShared: Bool, _ channel: any Channel) {
        try? channel.syncOptions?.setOption(.socketOption(.so_reuseaddr), value: isShared ? 1 : 0)
    }

    /// Looks after a socket from now on.
    func add(_ socket: UDPChannelHandler) {
        sockets[ObjectIdentifier(socket)] = socket
    }

    /// A socket is not needed any more.
    func remove(_ socket: UDPChannelHandler) {
        sockets[ObjectIdentifier(socket)] = nil
    }

    /// Calls something when a socket may be had again that the system has taken away: an interface had gone, for example.
    ///
    /// - Parameter failures: How often that has failed since there was a socket; the pause doubles with each.
    func afterPause(failures: Int, _ body: @escaping () -> Void) {
        let pause = Self.shortestPause.nanoseconds << min(failures, 16)
        eventLoop.assumeIsolated().scheduleTask(in: min(.nanoseconds(pause), Self.longestPause), body)
    }

    /// Takes no new conversations, and closes every socket with its last one.
    func close() {
        guard !isClosing else { return }
        isClosing = true
        for wildcard in wildcards { wildcard.close() }
        wildcards = []
        for socket in Array(sockets.values) { socket.closeIfDone() }
    }
}

extension ChannelOption where Self == ChannelOptions.Types.SocketOption {
    /// Whether a socket of IPv6 takes nothing of IPv4.
    static var ipv6Only: Self { .init(level: .ipv6, name: .ipv6_v6only) }
}
