internal import KCP
internal import KamuneCrypto
internal import NIOCore

/// The end of the pipeline of a UDP socket at one address: finds the conversation of each datagram that arrives, opens new
/// ones for a listener, and gathers what all of them send into few calls of the system.
///
/// A listener's conversations outlive their socket: when the system takes it away, because the interface is gone for a
/// moment, for example, another one is bound.
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
    /// The listener that takes conversations which peers open; `nil` for a socket that was made to dial.
    private let reception: UDPReception?
    /// What a listener's socket is bound to.
    private var address: SocketAddress?
    /// Called when a listener's socket is gone for good.
    private let onGone: (UDPChannelHandler) -> Void

    private var context: ChannelHandlerContext?
    private var conversations: [Key: UDPConversation] = [:]
    /// Those that got a datagram in the batch that is being read.
    private var touched: [UDPConversation] = []
    /// The conversation of the last datagram, which is mostly that of the next.
    private var latest: (key: Key, conversation: UDPConversation)?
    /// How the socket is read, and how many datagrams this turn of reading has brought.
    private var readBuffers: UDPReadBuffers
    private var datagramsRead = 0
    private var hasUnflushedWrites = false
    private var turns = 0
    /// Whether a listener's socket is bound, and how often it could not be since it last was.
    private var isBound = false
    private var failures = 0
    /// Whether the socket is not needed any more.
    private var isDone = false
    /// Where to find the socket for all addresses beside which this one is bound.
    private var holder: (() -> (any Channel)?)?
    /// Answers to datagrams that came before there was a socket to send them by.
    private var unsentAnswers: [(datagram: ByteBuffer, address: SocketAddress)] = []
    private static let unsentAnswerLimit = 16

    /// A socket that was made to dial.
    init(eventLoop: any EventLoop, configuration: TransportConfiguration, options: UDPOptions) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.options = options
        reception = nil
        address = nil
        onGone = { _ in }
        readBuffers = .few
    }

    /// A socket of a listener.
    init(
        reception: UDPReception, address: SocketAddress?, onGone: @escaping (UDPChannelHandler) -> Void = { _ in }
    ) {
        eventLoop = reception.eventLoop
        configuration = reception.configuration
        options = reception.options
        self.reception = reception
        self.address = address
        self.onGone = onGone
        readBuffers = .many
    }

    // MARK: Life of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        channelIsGone()
    }

    func channelInactive(context: ChannelHandlerContext) {
        channelIsGone()
        context.fireChannelInactive()
    }

    func channelActive(context: ChannelHandlerContext) {
        turn {
            for (datagram, address) in unsentAnswers { write(datagram, datagramSize: nil, to: address) }
            unsentAnswers = []
            for conversation in Array(conversations.values) { conversation.pump() }
        }
        context.fireChannelActive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A socket that dials learns that nobody is there. One that listens hears of strangers, and goes on.
        guard reception == nil, error is IOError else { return }
        for conversation in Array(conversations.values) {
            let error = TransportError(dialing: Address(udp: conversation.remoteAddress), error)
            switch error {
            case .refused: conversation.fail(conversation.hasHeard ? .reset : error)
            case .unreachable where !conversation.hasHeard: conversation.fail(error)
            default: break
            }
        }
    }

    private func channelIsGone() {
        guard context != nil else { return }
        context = nil
        guard reception != nil, !isDone else {
            endAll(.reset)
            return isGone()
        }
        // Whoever tries to bind it hears that it failed.
        guard isBound else { return }
        isBound = false
        lostSocket()
    }

    /// There is no socket: the conversations, if there are any, wait for the next one.
    private func lostSocket() {
        if isDone || conversations.isEmpty && holder != nil { isGone() } else { reopen() }
    }

    private func isGone() {
        isDone = true
        reception?.remove(self)
        onGone(self)
    }

    func endAll(_ error: TransportError) {
        for conversation in Array(conversations.values) { conversation.stop(error) }
    }

    /// Ends everything, for others to have the place.
    func dismiss() {
        isDone = true
        endAll(.reset)
        close()
    }

    /// Closes a socket on which nothing is left to be said, and nothing new to be heard.
    func closeIfDone() {
        guard conversations.isEmpty, reception?.isClosing ?? true else { return }
        isDone = true
        close()
    }

    private func close() {
        if let context { context.close(promise: nil) } else if reception != nil { isGone() }
    }

    // MARK: The socket of a listener

    /// The socket, while there is one.
    var channel: (any Channel)? { context?.channel }

    /// Binds a socket.
    ///
    /// - Parameter holder: Finds the socket for all addresses that keeps the port, if it is there.
    func bind(beside holder: @escaping () -> (any Channel)?) {
        self.holder = holder
        open()
    }

    /// The socket is bound.
    func bound(_ channel: any Channel) {
        isBound = true
        failures = 0
        address = channel.localAddress ?? address
    }

    private func open() {
        guard let reception, let address else { return }
        let holders = holder?().map { [$0] } ?? []
        reception.open(self, at: address, beside: holders).assumeIsolated().whenComplete { [self] result in
            switch result {
            case .success(let channel) where channel.isActive:
                bound(channel)
                if isDone { channel.close(promise: nil) }
            case .success, .failure:
                // It may be gone again already, by what the conversations have sent at once.
                context = nil
                failures += 1
                lostSocket()
            }
        }
    }

    private func reopen() {
        reception?.afterPause(failures: failures) { [self] in
            if isDone { isGone() } else { open() }
        }
    }

    // MARK: Conversations

    /// Opens a conversation with a peer, of our own accord.
    func open(to address: SocketAddress, for dialing: UDPDialing) -> UDPConversation {
        var random = SystemRandomSource()
        return add(conversationID: random.integer(), address: address, dialing: dialing)
    }

    private func add(conversationID: UInt32, address: SocketAddress, dialing: UDPDialing? = nil) -> UDPConversation {
        let conversation = UDPConversation(
            conversationID: conversationID,
            remoteAddress: address,
            handler: self,
            dialing: dialing
        )
        conversations[Key(address: address, conversationID: conversationID)] = conversation
        return conversation
    }

    func remove(_ conversation: UDPConversation) {
        let key = Key(address: conversation.remoteAddress, conversationID: conversation.conversationID)
        guard conversations[key] === conversation else { return }
        conversations[key] = nil
        if latest?.conversation === conversation { latest = nil }
        if conversation.isAccepted { reception?.remove(conversation) }
        closeIfDone()
    }

    /// Opens the conversation that a datagram from a stranger begins, if it does and there is room.
    private func accept(_ datagram: ByteBuffer, from address: SocketAddress) -> UDPConversation? {
        guard let reception, !reception.isClosing, !isDone else { return nil }
        let opening = UDPOpening(
            Array(datagram.readableBytesView), firstFrame: options.firstFrame, window: options.receiveWindow)
        switch opening {
        case .nothing:
            return nil
        case .answer(let answer):
            // Goes out after the batch that is being read; what the system cannot take, nobody waits for.
            let datagram = allocator.buffer(bytes: answer)
            if isWritable {
                write(datagram, datagramSize: nil, to: address)
            } else if !isBound, unsentAnswers.count < Self.unsentAnswerLimit {
                unsentAnswers.append((datagram, address))
            }
            return nil
        case .conversation(let conversationID, let forgotten):
            guard reception.reserve() else { return nil }
            let conversation = add(conversationID: conversationID, address: address)
            reception.add(conversation, localAddress: self.address)
            if let forgotten { conversation.take(allocator.buffer(bytes: forgotten)) }
            return conversation
        }
    }

    /// Whether anybody has shown that they receive what is sent to them from here.
    var hasProvenConversation: Bool { conversations.values.contains { $0.isProven } }

    /// The conversation with a peer of a number.
    func conversation(_ conversationID: UInt32, with address: SocketAddress) -> UDPConversation? {
        conversations[Key(address: address, conversationID: conversationID)]
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        take(unwrapInboundIn(data))
    }

    /// Takes what one message of the system has brought; ``finishReading()`` follows.
    func take(_ envelope: AddressedEnvelope<ByteBuffer>) {
        var envelope = envelope
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
        finishReading()
        context.fireChannelReadComplete()
    }

    /// Deals with the batch that was read.
    func finishReading() {
        if datagramsRead >= UDPReadBuffers.bulk { enlargeReadBuffers() }
        datagramsRead = 0
        let touched = touched
        self.touched.removeAll(keepingCapacity: touched.count < 256)
        for conversation in touched { conversation.deliver() }
        // Tasks that were woken by this on this very thread run before, so that what they answer and what acknowledges the
        // question is one datagram.
        eventLoop.assumeIsolated().execute {
            self.turn { for conversation in touched { conversation.pump() } }
        }
    }

    // MARK: Writing

    var isWritable: Bool { context.map { $0.channel.isActive && $0.channel.isWritable } ?? false }

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
