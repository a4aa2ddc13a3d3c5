package import KamuneSystem
import NIOCore
import NIOPosix
import Synchronization

/// Waits for other processes of the same user at a local socket.
package final class LineServer: Sendable {
    /// Where it waits; nil at a socket that the service manager made.
    package let location: SocketLocation?

    /// A connection that nobody has looked at yet. Unlike what reads and writes lines, it may be dropped.
    private struct Accepted: Sendable {
        let channel: any Channel
    }

    private typealias Listening = NIOAsyncChannel<Accepted, Never>

    private let channel: Listening
    private let isClosed = Mutex(false)

    private init(_ channel: Listening, _ location: SocketLocation?) {
        self.channel = channel
        self.location = location
    }

    /// Waits at the first of several places that can be had. Whoever calls this holds the file that the places are made of, so
    /// a socket that is there is left from a process that is gone.
    ///
    /// - Throws: Why the last of them could not be had.
    package static func start(atFirstOf locations: [SocketLocation]) async throws(SystemError) -> LineServer {
        var failure = SystemError(ENOENT)
        for location in locations {
            do throws(SystemError) {
                try location.prepareDirectory()
                unlink(location.path)
                return LineServer(
                    try await bind { try await $0.bind(unixDomainSocketPath: location.path) { accept($0) } }, location)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// Waits at a socket that is there already and listens (sd_listen_fds(3), launch_activate_socket(3)).
    package static func start(descriptor: Int32) async throws(SystemError) -> LineServer {
        LineServer(try await bind { try await $0.bind(NIOBSDSocket.Handle(descriptor)) { accept($0) } }, nil)
    }

    private static func bind(
        _ body: (ServerBootstrap) async throws -> Listening
    ) async throws(SystemError) -> Listening {
        do {
            return try await body(
                ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                    .serverChannelOption(.backlog, value: backlog)
                    .serverChannelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(AcceptRest())
                        }
                    }
                    // Until there is somebody to read it.
                    .childChannelOption(.autoRead, value: false))
        } catch let error as IOError {
            throw SystemError(error.errnoCode)
        } catch {
            throw SystemError(EIO)
        }
    }

    private static let backlog: Int32 = 64

    private static func accept(_ channel: any Channel) -> EventLoopFuture<Accepted> {
        channel.eventLoop.makeSucceededFuture(Accepted(channel: channel))
    }

    /// Hands every process that connects to `serve`, side by side, until ``close()``. Processes of other users are turned
    /// away. Returns when all that were served are done.
    package func run(_ serve: @escaping @Sendable (LineConnection) async -> Void) async {
        do {
            try await channel.executeThenClose { inbound in
                try await withThrowingDiscardingTaskGroup { group in
                    for try await client in inbound {
                        group.addTask { await Self.serve(client.channel, serve) }
                    }
                }
            }
        } catch {
            // The socket is closed.
        }
    }

    private static func serve(
        _ channel: any Channel, _ serve: @Sendable (LineConnection) async -> Void
    ) async {
        guard let peer = await PeerCredentials.ofPeer(at: channel), peer.isOwnUser else {
            try? await channel.close()
            return
        }
        let lines = try? await channel.eventLoop.submit { try NIOAsyncChannel<Line, ByteBuffer>(lines: channel) }.get()
        guard let lines else { return }
        let connection = LineConnection(lines, peer: peer)
        try? await channel.setOption(.autoRead, value: true).get()
        await serve(connection)
        await connection.end()
    }

    /// Stops waiting, and takes the socket away. Connections go on.
    package func close() async {
        let isFirst = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        // Only once: by the next time the socket may be that of the next process.
        if isFirst, let location { unlink(location.path) }
        try? await channel.channel.close()
    }
}

/// Connects to the process that holds a file.
package enum LineClient {
    /// How long an answer may be, in bytes: whoever holds the store is trusted, and has long lists.
    private static let answerLimit = 64 << 20

    /// How often, and how long after the last time, a socket is tried again at which so many wait to be let in that there is no
    /// room for one more, or that has ended before it was known whose it is.
    private static let attempts = 100
    private static let interval = Duration.milliseconds(10)

    /// Connects to a socket.
    ///
    /// - Returns: nil when nobody of the same user waits there.
    package static func connect(to location: SocketLocation) async -> LineConnection? {
        guard location.isTrusted else { return nil }
        for attempt in 0..<attempts {
            if attempt > 0, (try? await SystemTime().sleep(for: interval)) == nil { return nil }
            let channel: NIOAsyncChannel<Line, ByteBuffer>
            do {
                channel = try await open(location)
            } catch let error as IOError where error.errnoCode == EAGAIN {
                continue
            } catch {
                return nil
            }
            if let peer = await PeerCredentials.ofPeer(at: channel.channel) {
                if peer.isOwnUser { return LineConnection(channel, peer: peer) }
                try? await channel.executeThenClose { _, _ in }
                return nil
            }
            try? await channel.executeThenClose { _, _ in }
        }
        return nil
    }

    private static func open(_ location: SocketLocation) async throws -> NIOAsyncChannel<Line, ByteBuffer> {
        try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            // One who says why it refuses, and ends at once, must still be asked who it is.
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(unixDomainSocketPath: location.path) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<Line, ByteBuffer>(lines: channel, limit: answerLimit)
                }
            }
    }
}
