internal import KCP
internal import NIOCore

/// One conversation of a UDP socket, on the socket's event loop: moves bytes between its KCP machine and the pipe and the
/// outbox that tasks use, and keeps its timer.
final class UDPConversation {
    /// How far our end has come.
    private enum Phase {
        case open
        /// Nothing more is said; what is queued goes out, and what arrives is still received.
        case finishing
        /// All that was acknowledged: the receiver was told the end, because nobody ever will.
        case finished
        /// What is queued goes out, then nothing more is said.
        case closing
        /// Everything was acknowledged. For a moment the peer still gets answers to what it repeats.
        case lingering
        case ended
    }

    /// How long the peer is answered after everything of ours has arrived.
    private static let lingering = TimeAmount.seconds(2)
    /// The datagrams made at once, in one allocation and for one call of the system.
    private static let batchSize = 48
    /// The most bytes that the system takes as one message to cut into datagrams.
    private static let messageCeiling = 65_000

    let conversationID: UInt32
    let remoteAddress: SocketAddress
    let inbound: FramePipe
    let outbound: Outbox
    let startedAt = NIODeadline.now()
    /// Outlives every conversation that has not ended: it ends them when the channel goes.
    private unowned let handler: UDPChannelHandler
    private let configuration: TransportConfiguration
    private let timer: TransportTimer
    private let readTimeout: TimeAmount

    private var machine: KCPConversation
    private let datagramSize: Int
    private var decoder: FrameDecoder
    private var phase = Phase.open
    private var isReadPaused = false
    /// What was taken from the outbox and did not fit the machine yet.
    private var unsent: ByteBuffer?
    private var wakeUp: (at: NIODeadline, task: Scheduled<Void>)?
    private var closers: [OneShot<Void>] = []

    init(
        conversationID: UInt32,
        remoteAddress: SocketAddress,
        handler: UDPChannelHandler,
        isAccepted: Bool
    ) {
        self.conversationID = conversationID
        self.remoteAddress = remoteAddress
        self.handler = handler
        configuration = handler.configuration
        inbound = FramePipe(limit: configuration.inboundBufferLimit)
        outbound = Outbox(limit: configuration.outboundBufferLimit)
        timer = TransportTimer(eventLoop: handler.eventLoop)
        readTimeout = TimeAmount(clamping: configuration.readTimeout)
        decoder = FrameDecoder(maximumFrameSize: configuration.maximumFrameSize)
        let policy = handler.options.policy(for: configuration, isAccepted: isAccepted)
        datagramSize = min(max(policy.maximumDatagramSize, 48), 65_507)
        machine = KCPConversation(conversationID: conversationID, configuration: policy, now: .now())
        if configuration.readTimeout != nil {
            let bound = NIOLoopBound(self, eventLoop: handler.eventLoop)
            timer.start(after: readTimeout) { now in bound.value.look(at: now) }
        }
    }

    /// Whether the peer has shown that it receives at its address.
    var isProven: Bool { machine.isPeerReachable }
    /// Whether anything valid has arrived.
    var hasHeard: Bool { machine.statistics.datagramsReceived > 0 }

    // MARK: Datagrams

    /// Takes in a datagram. What it brings is dealt with by ``deliver()`` and ``pump()``, after the last of a batch.
    func take(_ datagram: ByteBuffer) {
        guard !hasEnded else { return }
        datagram.withUnsafeReadableBytes { bytes in
            // What is refused is as if it had not come: noise, or a forger.
            try? machine.receivedDatagram(bytes.bytes, now: .now())
        }
    }

    private var hasEnded: Bool {
        if case .ended = phase { true } else { false }
    }

    /// Delivers what has arrived, and sends what may go out now.
    func update() {
        guard !hasEnded else { return }
        deliver()
        pump()
    }

    /// Hands what has arrived to whoever receives.
    func deliver() {
        switch phase {
        case .ended: return
        case .finished, .closing, .lingering:
            // Read, so that the window stays open for what carries our acknowledgements.
            machine.readAll { _ in }
            return
        case .open, .finishing: break
        }
        guard !isReadPaused, machine.readableByteCount > 0 else { return }
        var frames: [[UInt8]] = []
        let result = Result { () throws(TransportError) in
            try machine.readAll { bytes throws(TransportError) in try decoder.decode(bytes, into: &frames) }
        }
        if !frames.isEmpty, !inbound.offer(frames) { isReadPaused = true }
        if case .failure(let error) = result { fail(error) }
    }

    /// The pipe has room again.
    func readOn() {
        isReadPaused = false
        update()
    }

    /// Hands the outbox to the machine and the machine's datagrams to the socket.
    func pump() {
        guard !hasEnded else { return }
        fillMachine()
        while handler.isWritable, sendBatch() { fillMachine() }
        guard machine.state == .alive else {
            // Nothing was heard for the limit of time, or the peer's address leads nowhere.
            fail(.timedOut(.write))
            return
        }
        finishIfDrained()
        scheduleWakeUp()
    }

    private func fillMachine() {
        while true {
            guard var buffer = unsent ?? outbound.take() else { return }
            unsent = nil
            let written = buffer.withUnsafeReadableBytes { machine.write($0.bytes) }
            buffer.moveReaderIndex(forwardBy: written)
            guard buffer.readableBytes == 0 else {
                unsent = buffer
                return
            }
            BufferPool.writing.give(buffer)
            guard outbound.wrote() else { return }
        }
    }

    /// Sends up to a batch of datagrams.
    ///
    /// - Returns: Whether there may be more.
    private func sendBatch() -> Bool {
        let now = KCPInstant.now()
        var sizes: [Int] = []
        var slab: ByteBuffer?
        while sizes.count < Self.batchSize {
            var buffer = slab ?? handler.allocator.buffer(capacity: datagramSize)
            slab = nil
            // Most updates send a single datagram; one that does not may send many.
            if sizes.count == 1 { buffer.reserveCapacity(minimumWritableBytes: datagramSize * (Self.batchSize - 1)) }
            let size = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: datagramSize) { bytes in
                machine.nextDatagram(into: bytes, now: now)
            }
            slab = buffer
            guard size > 0 else { break }
            sizes.append(size)
        }
        if var slab { send(sizes, of: &slab) }
        return sizes.count == Self.batchSize
    }

    /// Writes datagrams that lie one behind the other, those of equal size and a smaller last one as one message.
    private func send(_ sizes: [Int], of slab: inout ByteBuffer) {
        var first = 0
        while first < sizes.count {
            let size = sizes[first]
            var total = size
            var next = first + 1
            while next < sizes.count, sizes[next] <= size, total + sizes[next] <= Self.messageCeiling,
                handler.canJoinDatagrams
            {
                total += sizes[next]
                next += 1
                if sizes[next - 1] < size { break }
            }
            guard let message = slab.readSlice(length: total) else { return }
            handler.write(message, datagramSize: next - first > 1 ? size : nil, to: remoteAddress)
            first = next
        }
    }

    // MARK: Time

    private func scheduleWakeUp() {
        guard let deadline = machine.nextDeadline else { return }
        let (nanoseconds, overflow) = deadline.microseconds.multipliedReportingOverflow(by: 1000)
        guard !overflow, nanoseconds < UInt64(Int64.max) else { return }
        let time = NIODeadline.uptimeNanoseconds(nanoseconds)
        if let wakeUp {
            // One that comes too early does no harm, and deadlines mostly move away.
            guard time < wakeUp.at else { return }
            wakeUp.task.cancel()
        }
        let task = handler.eventLoop.assumeIsolated().scheduleTask(deadline: time) { [weak self] in
            guard let self else { return }
            wakeUp = nil
            handler.turn { pump() }
        }
        wakeUp = (time, task)
    }

    /// Ends a receiver's wait that has lasted too long, and says when to look again.
    private func look(at now: NIODeadline) -> NIODeadline? {
        switch phase {
        case .open, .finishing: break
        case .finished, .closing, .lingering, .ended: return nil
        }
        let deadline = (inbound.receiverWaitingSince ?? now) + readTimeout
        guard deadline <= now else { return deadline }
        fail(.timedOut(.read))
        return nil
    }

    // MARK: Ending

    /// Ends our direction. There is no end of a stream in KCP that the peer could answer by its own; so once everything
    /// of ours has arrived, the receiver gets the end.
    func finishSending() {
        guard case .open = phase else { return }
        phase = .finishing
        update()
    }

    /// Closes after everything was acknowledged.
    func close(_ closer: OneShot<Void>) {
        switch phase {
        case .lingering, .ended:
            closer.resolve(.success(()))
        case .closing:
            closers.append(closer)
        case .open, .finishing, .finished:
            closers.append(closer)
            phase = .closing
            timer.stop()
            handler.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(clamping: configuration.closeTimeout)) {
                if case .closing = self.phase { self.end(.closedLocally) }
            }
            update()
        }
    }

    private func finishIfDrained() {
        guard unsent == nil, outbound.isEmpty, machine.unacknowledgedByteCount == 0 else { return }
        switch phase {
        case .open, .finished, .lingering, .ended: return
        case .finishing:
            phase = .finished
            inbound.finish(refusing: .closedLocally)
            return
        case .closing: break
        }
        phase = .lingering
        resolveClosers()
        handler.eventLoop.assumeIsolated().scheduleTask(in: Self.lingering) { self.end(.closedLocally) }
    }

    /// Nobody refers to the connection any more. If it was not closed, that ends it.
    func drop() {
        switch phase {
        case .open, .finishing, .finished: end(.closedLocally)
        case .closing, .lingering, .ended: break
        }
    }

    /// Ends the conversation because of an error.
    func fail(_ error: TransportError) {
        end(error)
    }

    /// Ends the conversation at once. The peer hears nothing of it.
    func end(_ error: TransportError) {
        guard !hasEnded else { return }
        phase = .ended
        timer.stop()
        wakeUp?.task.cancel()
        wakeUp = nil
        unsent = nil
        outbound.fail(error)
        inbound.fail(error)
        resolveClosers()
        handler.remove(self)
    }

    private func resolveClosers() {
        for closer in closers { closer.resolve(.success(())) }
        closers = []
    }
}

extension KCPInstant {
    /// The time of the event loops' clock.
    static func now() -> KCPInstant {
        KCPInstant(microseconds: NIODeadline.now().uptimeNanoseconds / 1000)
    }
}
