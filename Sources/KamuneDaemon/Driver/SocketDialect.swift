import Kamune
package import KamuneNode
import KamuneSocket
import KamuneStore

/// The Go daemon's protocol on the socket of a node, for several programs at once: each has its own server, verification mode,
/// incognito and end. The storage is the node's.
package actor SocketDialect: NodeServer.Dialect {
    private let environment: DaemonEnvironment
    private let node: @Sendable () async -> Node?
    private var speakers: [Int: (daemon: Daemon, output: QueuedOutput)] = [:]

    /// A dialect of the node that this gives; nil while it is locked.
    package init(_ environment: DaemonEnvironment, node: @escaping @Sendable () async -> Node?) {
        self.environment = environment
        self.node = node
    }

    /// A client has come.
    package func begin(_ client: NodeServer.DialectClient) async {}

    /// Follows a command of the protocol.
    package func take(_ line: [UInt8], named name: String, from client: NodeServer.DialectClient) async -> Bool {
        guard DaemonCommand(rawValue: name) != nil else { return false }
        // Most clients are windows of ours, and never come here.
        let daemon: Daemon
        if let speaker = speakers[client.number] {
            daemon = speaker.daemon
        } else {
            let output = QueuedOutput { await client.send($0) }
            daemon = Daemon(backend: SharedNodeBackend(node: node), output: output, environment: environment)
            speakers[client.number] = (daemon, output)
        }
        await daemon.receive(line)
        return true
    }

    /// A client has gone.
    package func end(_ client: NodeServer.DialectClient) async {
        guard let speaker = speakers.removeValue(forKey: client.number) else { return }
        speaker.output.finish()
        await speaker.daemon.shutDown()
    }
}

/// Gives the one store that a node has.
private struct SharedNodeBackend: DaemonBackend {
    let node: @Sendable () async -> Node?

    func open(path: String, passphrase: JSONSecret?) async throws(DaemonError) -> any DaemonStorage {
        guard let node = await node() else {
            throw DaemonError(.storageOpenFailed, "failed to open storage: the node is locked; unlock it first")
        }
        let location = StoreLocation(path: path).resolved
        guard node.store.location?.resolved == location else {
            throw DaemonError(.storageOpenFailed, "failed to open storage: this Kamune has another one")
        }
        do throws(NodeError) {
            return try await NodeStorage.over(.shared(node, await LocalNode.open(node)), at: location)
        } catch {
            throw DaemonError(.storageOpenFailed, "failed to open storage: \(error.message)")
        }
    }
}

/// Lines that go out in order, through whatever takes them.
final class QueuedOutput: DaemonOutput {
    private let backlog = Backlog(limit: DaemonLimits.waitingOutput)
    private let lines: AsyncStream<[UInt8]>.Continuation

    /// - Parameter write: Writes a line, with its end.
    init(_ write: @escaping @Sendable ([UInt8]) async -> Void) {
        // Its bound is that whoever adds waits for room.
        let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        lines = continuation
        Task { [backlog] in
            for await line in stream {
                await write(line)
                backlog.remove(line.count)
            }
        }
    }

    deinit { lines.finish() }

    func send(_ line: [UInt8]) {
        if backlog.add(line.count + 1) { lines.yield(line + [UInt8(ascii: "\n")]) }
    }

    func waitForRoom() async { await backlog.waitForRoom() }

    /// Nobody will read any more.
    func finish() {
        backlog.close()
        lines.finish()
    }
}
