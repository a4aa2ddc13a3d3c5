internal import KCP
internal import NIOCore

/// One conversation of a UDP socket: carries the bytes of a connection by a KCP machine, and keeps its timer.
///
/// One that we have opened is a candidate until the peer has answered: see ``UDPDialing``.
final class UDPConversation: FrameCarrier {
    /// The datagrams made at once, in one allocation and for one call of the system.
    private static let batchSize = 48
    /// The most bytes that the system takes as one message to cut into datagrams.
    private static let messageCeiling = 65_000

    let conversationID: UInt32
    let remoteAddress: SocketAddress
    /// Whether the peer has opened it.
    let isAccepted: Bool
    let end: ConnectionEnd
    /// Outlives every conversation that has not ended: it ends them when the channel goes.
    private unowned let handler: UDPChannelHandler

    private var machine: KCPConversation
    private let datagramSize: Int
    private var hasEnded = false
    /// What the conversation is a candidate of; `nil` once it carries its connection.
    private var dialing: UDPDialing?
    /// What was taken from the outbox and did not fit the machine yet.
    private var unsent: ByteBuffer?
    private var wakeUp: (at: NIODeadline, task: Scheduled<Void>)?
    /// Whether the peer seems to be gone.
    private var isDoubtful = false
    /// What the budget was told of the machine.
    private var heldByMachine = 0

    /// - Parameters:
    ///   - dialing: What the conversation is a candidate of; `nil` for one that the peer has opened.
    init(
        conversationID: UInt32,
        remoteAddress: SocketAddress,
        handler: UDPChannelHandler,
        dialing: UDPDialing?
    ) {
        self.conversationID = conversationID
        self.remoteAddress = remoteAddress
        self.handler = handler
        self.dialing = dialing
        isAccepted = dialing == nil
        end =
            dialing?.end
            ?? ConnectionEnd(
                eventLoop: handler.eventLoop, configuration: handler.configuration, isAccepted: isAccepted)
        let policy = handler.options.policy(for: handler.configuration, isAccepted: isAccepted)
        datagramSize = policy.maximumDatagramSize
        machine = KCPConversation(
            conversationID: conversationID, configuration: policy, now: KCPInstant(handler.eventLoop.now))
        if isAccepted { end.start(self) }
    }

    /// A handle on the connection. To be made once, and of a conversation that the peer has opened.
    func connection(localAddress: SocketAddress?) -> EventLoopConnection {
        // A listener's socket is one for all its sessions, and what is due by the clock must not wait for their ciphers.
        EventLoopConnection(end, info: info(localAddress: localAddress), lendsEventLoop: false)
    }

    /// What is known of the connection.
    var info: ConnectionInfo { info(localAddress: handler.channel?.localAddress) }

    private func info(localAddress: SocketAddress?) -> ConnectionInfo {
        ConnectionInfo(
            transport: "udp",
            localAddress: localAddress.map { "\(Address(udp: $0))" } ?? "unknown",
            remoteAddress: "\(Address(udp: remoteAddress))",
            remoteNetwork: Network(remoteAddress),
            isAddressProven: isProven
        )
    }

    /// Whether the peer has shown that it receives at its address.
    var isProven: Bool { machine.isPeerReachable }
    /// Whether anything valid has arrived.
    var hasHeard: Bool { machine.statistics.datagramsReceived > 0 }

    // MARK: Receiving

    /// Takes in a datagram. What it brings is dealt with by ``deliver()`` and ``pump()``, after the last of a batch.
    func take(_ datagram: ByteBuffer) {
        guard !hasEnded else { return }
        datagram.withUnsafeReadableBytes { bytes in
            // What is refused is as if it had not come: noise, or a forger.
            try? machine.receivedDatagram(bytes.bytes, now: now)
        }
    }

    /// Hands what has arrived to whoever receives.
    func deliver() {
        if let dialing, hasHeard {
            self.dialing = nil
            dialing.heard(self)
        }
        guard dialing == nil, !hasEnded else { return }
        if !end.isReadPaused, machine.readableByteCount > 0 { machine.readAll(end.received) }
        count()
    }

    func readOn() {
        handler.turn {
            deliver()
            pump()
        }
    }

    /// Tells the budget what the machine holds, and the machine what it may.
    private func count() {
        guard !hasEnded, dialing == nil else { return }
        let held = machine.heldByteCount
        if held != heldByMachine { end.budget.add(held - heldByMachine) }
        heldByMachine = held
        machine.limitReceiving(to: held + end.budget.room)
    }

    // MARK: Sending

    func flush() {
        handler.turn { pump() }
    }

    /// Hands the outbox to the machine and the machine's datagrams to the socket.
    func pump() {
        guard !hasEnded else { return }
        fillMachine()
        while handler.isWritable, sendBatch() { fillMachine() }
        guard machine.state == .alive else {
            // Nothing was heard for the limit of time, or the peer's address leads nowhere.
            return fail(.timedOut(.write))
        }
        count()
        finishIfDrained()
        checkDoubt()
        scheduleWakeUp()
    }

    /// Sends bytes of the connection, which a candidate is not given by the outbox.
    func write(_ bytes: [UInt8]) {
        var buffer = unsent.take() ?? handler.allocator.buffer(capacity: bytes.count)
        buffer.writeBytes(bytes)
        unsent = buffer
        fillMachine()
    }

    /// Gives the machine what it has room for.
    private func fillMachine() {
        while true {
            guard var buffer = unsent.take() ?? (dialing == nil ? end.outbound.take() : nil) else { return }
            let written = buffer.withUnsafeReadableBytes { machine.write($0.bytes) }
            buffer.moveReaderIndex(forwardBy: written)
            guard buffer.readableBytes == 0 else {
                unsent = buffer
                return
            }
            guard dialing == nil else { return }
            BufferPool.writing.give(buffer)
            guard end.outbound.wrote() else { return }
        }
    }

    /// Sends up to a batch of datagrams.
    ///
    /// - Returns: Whether there may be more.
    private func sendBatch() -> Bool {
        let now = now
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

    /// There is no end of a stream in KCP that the peer could answer by its own. So once everything of ours has arrived,
    /// the receiver gets the end too.
    private func finishIfDrained() {
        guard dialing == nil, end.isFinishing, unsent == nil, end.outbound.isEmpty, machine.unacknowledgedByteCount == 0
        else { return }
        end.finishOutput { end.inputEnded() }
    }

    // MARK: Time

    private var now: KCPInstant { KCPInstant(handler.eventLoop.now) }

    private func scheduleWakeUp() {
        // While the socket takes nothing, the channel says when it does again.
        guard !hasEnded, handler.isWritable,
            let deadline = [machine.nextDeadline, isDoubtful ? nil : doubtDeadline].compactMap({ $0 }).min()
        else { return }
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

    /// When the peer will seem to be gone, if nothing is heard and somebody wants to know.
    private var doubtDeadline: KCPInstant? {
        guard dialing == nil, end.doubtObserver != nil, let limit = end.configuration.doubtTimeout else { return nil }
        return machine.unansweredSince.map { $0.advanced(by: limit) }
    }

    private func checkDoubt() {
        let isDoubtful = doubtDeadline.map { $0 <= now } ?? false
        guard isDoubtful != self.isDoubtful else { return }
        self.isDoubtful = isDoubtful
        end.doubtObserver?(isDoubtful)
    }

    /// The machine has a limit of its own.
    func stalledSince(_ now: NIODeadline) -> NIODeadline? { nil }

    // MARK: Ending

    /// Something has broken the conversation.
    func fail(_ error: TransportError) {
        if dialing != nil { stop(error) } else { end.fail(error) }
    }

    /// How long the peer is answered after everything of ours has arrived.
    var lingering: TimeAmount? { .seconds(2) }

    /// Ends the conversation. The peer hears nothing of it.
    func breakOff() {
        stop(.closedLocally)
    }

    /// Ends the conversation, for a reason that those learn who do not know a better one.
    func stop(_ error: TransportError) {
        guard !hasEnded else { return }
        hasEnded = true
        wakeUp?.task.cancel()
        wakeUp = nil
        unsent = nil
        if let dialing {
            self.dialing = nil
            dialing.failed(self, error)
        } else {
            end.carrierEnded(error)
        }
        end.budget.remove(heldByMachine)
        heldByMachine = 0
        handler.remove(self)
    }
}

extension KCPInstant {
    /// A time of an event loop's clock.
    init(_ time: NIODeadline) {
        self.init(microseconds: time.uptimeNanoseconds / 1000)
    }
}
