internal import KCP
internal import KamuneCrypto
internal import NIOCore

/// The end of a UDP socket's pipeline: finds the conversation of each datagram that arrives, opens new ones for a
/// listener, and gathers what all of them send into few calls of the system.
final class UDPChannelHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    /// A conversation number alone could be guessed; an address alone would let whoever forges it end what is there.
    private struct Key: Hashable {
        let address: SocketAddress
        let conversationID: UInt32
    }

    let eventLoop: any EventLoop
    let configuration: TransportConfiguration
    let options: UDPOptions
    let allocator = ByteBufferAllocator()
    /// Where conversations go that peers open; `nil` for a socket that was made to dial.
    private let queue: AcceptQueue?

    private var context: ChannelHandlerContext?
    private var conversations: [Key: UDPConversation] = [:]
    /// Those whose peers were not proven when last looked at.
    private var unproven: [UDPConversation] = []
    /// Says which of them makes room for the next.
    private var random: any RandomSource
    /// Those that got a datagram in the batch that is being read.
    private var touched: [UDPConversation] = []
    /// The conversation of the last datagram, which is mostly that of the next.
    private var latest: (key: Key, conversation: UDPConversation)?
    /// How the socket is read, and how many datagrams this turn of reading has brought.
    private var readBuffers: UDPReadBuffers
    private var datagramsRead = 0
    private var hasUnflushedWrites = false
    private var turns = 0
    /// Whether the listener was closed. The socket stays open while there are conversations.
    private var isClosing = false

    init(
        eventLoop: any EventLoop, configuration: TransportConfiguration, options: UDPOptions, queue: AcceptQueue?,
        random: any RandomSource = SystemRandomSource()
    ) {
        self.random = random
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.options = options
        self.queue = queue
        readBuffers = queue == nil ? .few : .many
    }

    // MARK: Life of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        endAll(.reset)
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        endAll(.reset)
        queue?.close()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A socket that dials learns that nobody listens there. One that listens hears of strangers, and goes on.
        guard queue == nil, error is IOError else { return }
        for conversation in conversations.values {
            let error = TransportError(dialing: Address(udp: conversation.remoteAddress), error)
            guard case .refused = error else { continue }
            conversation.end.fail(conversation.hasHeard ? .reset : error)
        }
    }

    func endAll(_ error: TransportError) {
        for conversation in Array(conversations.values) { conversation.stop(error) }
    }

    /// Stops to take new conversations, and closes the socket with the last one.
    func close() {
        isClosing = true
        closeIfDone()
    }

    private func closeIfDone() {
        if conversations.isEmpty, isClosing || queue == nil { context?.close(promise: nil) }
    }

    // MARK: Conversations

    /// Opens a conversation with a peer, of our own accord.
    func open(to address: SocketAddress) -> UDPConversation {
        add(conversationID: random.integer(), address: address, isAccepted: false)
    }

    private func add(conversationID: UInt32, address: SocketAddress, isAccepted: Bool) -> UDPConversation {
        let conversation = UDPConversation(
            conversationID: conversationID,
            remoteAddress: address,
            handler: self,
            isAccepted: isAccepted
        )
        conversations[Key(address: address, conversationID: conversationID)] = conversation
        return conversation
    }

    func remove(_ conversation: UDPConversation) {
        let key = Key(address: conversation.remoteAddress, conversationID: conversation.conversationID)
        guard conversations[key] === conversation else { return }
        conversations[key] = nil
        if latest?.conversation === conversation { latest = nil }
        unproven.removeAll { $0 === conversation }
        closeIfDone()
    }

    /// Opens the conversation that a datagram from a stranger begins, if it does and there is room.
    private func accept(_ datagram: ByteBuffer, from address: SocketAddress) -> UDPConversation? {
        guard let queue, !isClosing, let context else { return nil }
        let opening = UDPOpening(
            Array(datagram.readableBytesView), firstFrame: options.firstFrame, window: options.receiveWindow)
        switch opening {
        case .nothing:
            return nil
        case .answer(let answer):
            // Goes out after the batch that is being read; what the system cannot take, nobody waits for.
            if isWritable { write(allocator.buffer(bytes: answer), datagramSize: nil, to: address) }
            return nil
        case .conversation(let conversationID, let forgotten):
            guard conversations.count < options.conversationLimit, queue.reserveIfOpen() else { return nil }
            makeRoomForUnproven()
            let conversation = add(conversationID: conversationID, address: address, isAccepted: true)
            unproven.append(conversation)
            queue.fill(conversation.connection(localAddress: context.localAddress))
            if let forgotten { conversation.take(allocator.buffer(bytes: forgotten)) }
            return conversation
        }
    }

    /// How many conversations there are, and with how many of them the peer is not proven.
    var conversationCounts: (conversations: Int, unproven: Int) {
        (conversations.count, unproven.count { !$0.isProven })
    }

    /// Drops one of those who have proven nothing, whichever: the oldest would be whoever is nearest to the proof, and to
    /// refuse the newest would lock out everybody while a few datagrams a second go on coming.
    private func makeRoomForUnproven() {
        guard unproven.count >= options.unprovenLimit else { return }
        unproven.removeAll { $0.isProven }
        guard unproven.count >= options.unprovenLimit else { return }
        unproven[Int(random.integer(UInt64.self) % UInt64(unproven.count))].stop(.reset)
    }

    /// The conversation with a peer of a number.
    func conversation(_ conversationID: UInt32, with address: SocketAddress) -> UDPConversation? {
        conversations[Key(address: address, conversationID: conversationID)]
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var envelope = unwrapInboundIn(data)
        guard let size = envelope.metadata?.segmentSize, size > 0, size < envelope.data.readableBytes else {
            return take(envelope.data, from: envelope.remoteAddress)
        }
        // The system has joined datagrams of one size, the last of which may be smaller.
        while envelope.data.readableBytes > 0,
            let datagram = envelope.data.readSlice(length: min(size, envelope.data.readableBytes))
        {
            take(datagram, from: envelope.remoteAddress)
        }
    }

    private func take(_ datagram: ByteBuffer, from address: SocketAddress) {
        datagramsRead += 1
        // What fills its room was perhaps cut off. The peer will send it again.
        if case .few = readBuffers, datagram.readableBytes >= readBuffers.messageSize { enlargeReadBuffers() }
        guard
            let header = datagram.withUnsafeReadableBytes({ try? KCPSegment.peek($0.bytes) }),
            let conversation = conversation(header.conversationID, of: datagram, from: address)
        else { return }
        conversation.take(datagram)
        if touched.last !== conversation, !touched.contains(where: { $0 === conversation }) {
            touched.append(conversation)
        }
    }

    private func conversation(
        _ conversationID: UInt32, of datagram: ByteBuffer, from address: SocketAddress
    ) -> UDPConversation? {
        let key = Key(address: address, conversationID: conversationID)
        if let latest, latest.key == key { return latest.conversation }
        guard let conversation = conversations[key] ?? accept(datagram, from: address) else { return nil }
        latest = (key, conversation)
        return conversation
    }

    private func enlargeReadBuffers() {
        guard case .few = readBuffers, let options = context?.channel.syncOptions else { return }
        readBuffers = .many
        // As before if the system does not let us.
        try? readBuffers.apply(to: options)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if datagramsRead >= UDPReadBuffers.bulk { enlargeReadBuffers() }
        datagramsRead = 0
        let touched = touched
        self.touched.removeAll(keepingCapacity: touched.count < 256)
        for conversation in touched { conversation.deliver() }
        // Tasks that were woken by this on this very thread run before, so that what they answer and what acknowledges the
        // question is one datagram.
        context.eventLoop.assumeIsolated().execute {
            self.turn { for conversation in touched { conversation.pump() } }
        }
        context.fireChannelReadComplete()
    }

    // MARK: Writing

    var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Whether the system cuts a message into datagrams (`UDP_SEGMENT`), as far as is known.
    private(set) var canJoinDatagrams = UDPChannelHandler.systemMayJoinDatagrams

    #if os(Linux)
    private static let systemMayJoinDatagrams = true
    #else
    private static let systemMayJoinDatagrams = false
    #endif

    /// Writes a datagram, or several of `datagramSize` bytes each, the last of which may be smaller.
    func write(_ message: ByteBuffer, datagramSize: Int?, to address: SocketAddress) {
        guard let context else { return }
        hasUnflushedWrites = true
        var envelope = AddressedEnvelope(remoteAddress: address, data: message)
        guard let datagramSize else { return context.write(wrapOutboundOut(envelope), promise: nil) }
        envelope.metadata = .init(ecnState: .transportNotCapable, packetInfo: nil, segmentSize: datagramSize)
        let promise = context.eventLoop.makePromise(of: Void.self)
        // What is lost by that is sent again.
        promise.futureResult.assumeIsolated().whenFailure { _ in self.canJoinDatagrams = false }
        context.write(wrapOutboundOut(envelope), promise: promise)
    }

    /// Does something with conversations; all that they write meanwhile goes out together.
    func turn(_ body: () -> Void) {
        turns &+= 1
        body()
        turns &-= 1
        guard turns == 0, hasUnflushedWrites else { return }
        hasUnflushedWrites = false
        context?.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            turn { for conversation in Array(conversations.values) { conversation.pump() } }
        }
        context.fireChannelWritabilityChanged()
    }
}
