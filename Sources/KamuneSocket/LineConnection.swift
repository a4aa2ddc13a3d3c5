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
    private let backlog = Backlog(limit: maximumWaitingBytes)
    /// Whether somebody has read, or is reading: only one may.
    private let isTaken = Mutex(false)

    init(_ channel: NIOAsyncChannel<Line, ByteBuffer>, peer: PeerCredentials) {
        self.channel = channel
        self.peer = peer
        channel.channel.closeFuture.whenComplete { [backlog] _ in backlog.close() }
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
        backlog.close()
    }

    /// Ends the connection for good, whether anybody has read from it or not.
    package func end() async {
        if take() { try? await channel.executeThenClose { _, _ in } }
        close()
    }

    private func take() -> Bool {
        isTaken.withLock { isTaken in
            defer { isTaken = true }
            return !isTaken
        }
    }

    /// Sends a line.
    ///
    /// - Parameter line: With its line feed.
    /// - Returns: Whether there is room for more.
    @discardableResult
    package func send(_ line: [UInt8]) -> Bool {
        guard backlog.add(line.count) else { return false }
        write(line)
        return backlog.hasRoom
    }

    /// Sends a line as soon as there is room for it. Nothing is sent when the connection has ended.
    ///
    /// However many wait to send at once, no more than one line goes beyond what may wait to be read. It is sent also when the
    /// task is cancelled: somebody waits for it.
    ///
    /// - Parameter line: With its line feed.
    package func sendWhenThereIsRoom(_ line: [UInt8]) async {
        while !backlog.addIfThereIsRoom(line.count) {
            if backlog.isClosed { return }
            // Not this task, which may be cancelled, and would then not wait at all.
            await Task { [backlog] in await backlog.waitForRoom() }.value
        }
        write(line)
    }

    private func write(_ line: [UInt8]) {
        channel.channel.writeAndFlush(ByteBuffer(bytes: line)).whenComplete { [backlog] _ in
            backlog.remove(line.count)
        }
    }

    /// Whether there is room for more.
    package var hasRoom: Bool { backlog.hasRoom }

    /// Whether the connection has ended.
    package var isClosed: Bool { backlog.isClosed }

    /// Waits until the other side has read so much that there is room for more, or is gone. Returns also when the task is
    /// cancelled.
    package func waitForRoom() async { await backlog.waitForRoom() }

    /// Waits until the connection has ended. Returns also when the task is cancelled.
    package func waitUntilClosed() async { await backlog.waitUntilClosed() }

    /// Waits until the system has taken everything that was sent, or the other side is gone. Returns also when the task is
    /// cancelled.
    package func flush() async { await backlog.waitUntilEmpty() }

    /// Ends the connection.
    package func close() {
        backlog.close()
        channel.channel.close(promise: nil)
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
