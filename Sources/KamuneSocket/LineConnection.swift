import NIOCore
import NIOPosix
import Synchronization

/// Lines between two processes of one user.
///
/// What is sent is queued, and counted; ``send(_:)`` never waits, and says when too much waits for a reader who does not
/// read. What comes is taken line by line, and whoever sends faster than it is taken is made to wait by the system.
package final class LineConnection: Sendable {
    /// How many bytes a line has at most, 1 MiB.
    package static let maximumLineSize = 1 << 20
    /// How many bytes may wait to be read by the other side, 4 MiB.
    package static let maximumWaitingBytes = 4 << 20

    /// Who is at the other end.
    package let peer: PeerCredentials

    private let channel: NIOAsyncChannel<Line, ByteBuffer>

    private struct State {
        var waitingBytes = 0
        var isClosed = false
        /// Whether somebody has read, or is reading: only one may.
        var isTaken = false
        var waiters: [CheckedContinuation<Void, Never>] = []
        /// Those who wait for the end alone.
        var closeWaiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    init(_ channel: NIOAsyncChannel<Line, ByteBuffer>, peer: PeerCredentials) {
        self.channel = channel
        self.peer = peer
        channel.channel.closeFuture.whenComplete { [weak self] _ in self?.hasClosed() }
    }

    /// Hands every line that comes to `body`, one after another, until the other side ends or ``close()`` is called.
    package func receive(
        isolation: isolated (any Actor)? = #isolation, _ body: (Line) async -> Void
    ) async {
        guard take() else { return }
        do {
            try await channel.executeThenClose { inbound, _ in
                for try await line in inbound { await body(line) }
            }
        } catch {
            // The connection is gone; there is nobody to tell.
        }
        hasClosed()
    }

    /// Ends the connection for good, whether anybody has read from it or not.
    package func end() async {
        if take() { try? await channel.executeThenClose { _, _ in } }
        close()
    }

    private func take() -> Bool {
        state.withLock { state in
            defer { state.isTaken = true }
            return !state.isTaken
        }
    }

    /// Sends a line.
    ///
    /// - Parameter line: With its line feed.
    /// - Returns: Whether there is room for more.
    @discardableResult
    package func send(_ line: [UInt8]) -> Bool {
        let hasRoom = state.withLock { state -> Bool? in
            guard !state.isClosed else { return nil }
            state.waitingBytes += line.count
            return state.waitingBytes < Self.maximumWaitingBytes
        }
        guard let hasRoom else { return false }
        write(line)
        return hasRoom
    }

    /// Sends a line as soon as there is room for it. Nothing is sent when the connection has ended.
    ///
    /// However many wait to send at once, no more than one line goes beyond what may wait to be read.
    ///
    /// - Parameter line: With its line feed.
    package func sendWhenThereIsRoom(_ line: [UInt8]) async {
        while true {
            let isTaken = state.withLock { state in
                guard !state.isClosed, state.waitingBytes < Self.maximumWaitingBytes else { return false }
                state.waitingBytes += line.count
                return true
            }
            if isTaken { return write(line) }
            if isClosed { return }
            await waitForRoom()
        }
    }

    private func write(_ line: [UInt8]) {
        channel.channel.writeAndFlush(ByteBuffer(bytes: line)).whenComplete { [weak self] _ in
            self?.hasSent(line.count)
        }
    }

    /// Whether there is room for more.
    package var hasRoom: Bool {
        state.withLock { !$0.isClosed && $0.waitingBytes < Self.maximumWaitingBytes }
    }

    /// Whether the connection has ended.
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Waits until the other side has read so much that there is room for more, or is gone.
    package func waitForRoom() async {
        await wait { $0.waitingBytes < Self.maximumWaitingBytes }
    }

    /// Waits until the connection has ended.
    package func waitUntilClosed() async {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                if !state.isClosed { state.closeWaiters.append(continuation) }
                return state.isClosed
            }
            if isClosed { continuation.resume() }
        }
    }

    /// Waits until the system has taken everything that was sent, or the other side is gone.
    package func flush() async {
        await wait { $0.waitingBytes == 0 }
    }

    private func wait(until condition: @escaping @Sendable (borrowing State) -> Bool) async {
        while true {
            let isDone = state.withLock { $0.isClosed || condition($0) }
            if isDone { return }
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state in
                    if state.isClosed || condition(state) { return true }
                    state.waiters.append(continuation)
                    return false
                }
                if isDone { continuation.resume() }
            }
        }
    }

    /// Ends the connection.
    package func close() {
        hasClosed()
        channel.channel.close(promise: nil)
    }

    private func hasSent(_ count: Int) {
        let waiters = state.withLock { state in
            state.waitingBytes -= count
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func hasClosed() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { (state.waiters, state.closeWaiters) = ([], []) }
            return state.waiters + state.closeWaiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

extension NIOAsyncChannel where Inbound == Line, Outbound == ByteBuffer {
    /// A channel of lines.
    ///
    /// - Parameter limit: How many bytes a line has at most.
    init(lines channel: any Channel, limit: Int = LineConnection.maximumLineSize) throws {
        try channel.pipeline.syncOperations.addHandler(
            ByteToMessageHandler(LineDecoder(limit: limit)))
        try self.init(wrappingChannelSynchronously: channel)
    }
}
