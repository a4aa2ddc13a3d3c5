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
    /// The file that the socket is; nil at one that the service manager made.
    private let file: FileIdentity?

    private init(_ channel: Listening, _ location: SocketLocation?) {
        self.channel = channel
        self.location = location
        file = location.flatMap { FileIdentity(of: $0.path) }
    }

    /// Waits at the first of several places that can be had. Whoever calls this holds the file that the places are made of, so
    /// a socket that is there is left from a process that is gone.
    ///
    /// - Throws: Why the last of them could not be had.
    package static func start(atFirstOf locations: [SocketLocation]) async throws(SocketFailure) -> LineServer {
        var failure = SocketFailure(directory: nil, error: SystemError(ENOENT))
        for location in locations {
            do throws(SystemError) {
                try location.prepareDirectory()
                unlink(location.path)
                return LineServer(
                    try await bind { try await $0.bind(unixDomainSocketPath: location.path) { accept($0) } }, location)
            } catch {
                failure = SocketFailure(directory: location.directory, error: error)
            }
        }
        throw failure
    }

    /// Waits at a socket that is there already and listens (sd_listen_fds(3), launch_activate_socket(3)).
    package static func start(descriptor: Int32) async throws(SocketFailure) -> LineServer {
        do throws(SystemError) {
            return LineServer(
                try await bind { try await $0.bind(NIOBSDSocket.Handle(descriptor)) { accept($0) } }, nil)
        } catch {
            throw SocketFailure(directory: nil, error: error)
        }
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

    /// Whether whoever looks for the socket finds this one. Somebody may have removed it, or its whole directory, as the
    /// system does with what is temporary.
    package var isInPlace: Bool {
        guard let location else { return true }
        return file != nil && FileIdentity(of: location.path) == file
    }

    /// Stops waiting, and takes the socket away, unless that is another's by now. Connections go on.
    package func close() async {
        let isFirst = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        // Only once, and only this one: it may be that of the next process by now.
        if isFirst, isInPlace, let location { unlink(location.path) }
        try? await channel.channel.close()
    }
}

/// Which file it is, by whatever name.
private struct FileIdentity: Sendable, Equatable {
    private let device: UInt64
    private let number: UInt64
    /// When it was made or changed, in seconds and nanoseconds: the number of a file that was removed is soon another's.
    private let changed: (Int, Int)

    /// The file of this name; nil when there is none.
    init?(of path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        // Signed on some systems, and only compared.
        device = UInt64(truncatingIfNeeded: status.st_dev)
        number = UInt64(truncatingIfNeeded: status.st_ino)
        #if canImport(Darwin)
        changed = (status.st_ctimespec.tv_sec, status.st_ctimespec.tv_nsec)
        #else
        changed = (status.st_ctim.tv_sec, status.st_ctim.tv_nsec)
        #endif
    }

    static func == (a: FileIdentity, b: FileIdentity) -> Bool {
        (a.device, a.number) == (b.device, b.number) && a.changed == b.changed
    }
}

/// Why there can be no socket.
package struct SocketFailure: Error, Sendable {
    /// The directory in which it was to be; nil for one that the service manager made.
    package let directory: String?
    /// What the system says; `EPERM` when the directory is somebody else's, or open to others.
    package let error: SystemError
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
