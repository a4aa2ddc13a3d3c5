internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// One end of a connection within the process: two pipes, one for each direction.
final class MemoryConnection: Connection {
    let info: ConnectionInfo
    let budget: MemoryBudget
    private let inbound: FramePipe
    private let outbound: FramePipe
    private let maximumFrameSize: Int
    private let timer: TransportTimer

    /// - Parameter budget: That of what arrives. What leaves is the other end's at once.
    init(
        info: ConnectionInfo, budget: MemoryBudget, inbound: FramePipe, outbound: FramePipe,
        configuration: TransportConfiguration
    ) {
        self.info = info
        self.budget = budget
        self.inbound = inbound
        self.outbound = outbound
        maximumFrameSize = configuration.maximumFrameSize
        timer = TransportTimer(eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let read = TimeAmount(clamping: configuration.readTimeout)
        let write = TimeAmount(clamping: configuration.writeTimeout)
        if configuration.readTimeout != nil || configuration.writeTimeout != nil {
            timer.start(after: min(read, write)) { [weak self] now in
                self?.look(at: now, read: read, write: write)
            }
        }
    }

    deinit {
        abort()
    }

    func send(_ frames: [[UInt8]]) async throws(TransportError) {
        try frames.checkSizes(limit: maximumFrameSize)
        if !frames.isEmpty { try await outbound.send(frames) }
    }

    func enqueue(_ frames: [[UInt8]]) throws(TransportError) {
        try frames.checkSizes(limit: maximumFrameSize)
        if !frames.isEmpty { try outbound.enqueue(frames) }
    }

    var isCongested: Bool { outbound.isFull }

    func waitForRoom() async throws(TransportError) {
        try await outbound.send([])
    }

    func finishSending() {
        outbound.finish(refusing: .closedLocally)
    }

    func receive() async throws(TransportError) -> [[UInt8]]? {
        try await inbound.receive()
    }

    func close() async {
        // What was sent is in the peer's hands already, so there is nothing to wait for.
        timer.stop()
        outbound.finish(refusing: .closedLocally)
        inbound.fail(.closedLocally, refusing: .reset, discarding: true)
    }

    func abort() {
        end(reporting: .closedLocally)
    }

    private func end(reporting error: TransportError) {
        timer.stop()
        // At both ends sending fails before the receiver learns of it, who may be about to send.
        outbound.refuse(error)
        inbound.refuse(.reset)
        outbound.fail(.reset, refusing: error)
        inbound.fail(error, refusing: .reset, discarding: true)
    }

    /// Ends waits that have lasted too long, and says when to look again.
    private func look(at now: NIODeadline, read: TimeAmount, write: TimeAmount) -> NIODeadline? {
        let readDeadline = (inbound.receiverWaitingSince ?? now) + read
        if readDeadline <= now {
            end(reporting: .timedOut(.read))
            return nil
        }
        let writeDeadline = (outbound.senderWaitingSince ?? now) + write
        if writeDeadline <= now {
            end(reporting: .timedOut(.write))
            return nil
        }
        return min(readDeadline, writeDeadline)
    }
}
