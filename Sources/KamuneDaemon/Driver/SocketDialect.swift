import Kamune
package import KamuneNode
import KamuneStore
import KamuneSystem
import Synchronization

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
    private struct State {
        var pending = 0
        var isOver = false
        var lastWaiter: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]

        var isFull: Bool { !isOver && pending > DaemonLimits.waitingOutput }

        mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
            guard !isFull else { return [] }
            defer { waiters = [:] }
            return Array(waiters.values)
        }
    }

    private let state = Mutex(State())
    private let lines: AsyncStream<[UInt8]>.Continuation

    /// - Parameter write: Writes a line, with its end.
    init(_ write: @escaping @Sendable ([UInt8]) async -> Void) {
        // Its bound is that whoever adds waits for room.
        let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        lines = continuation
        Task { [weak self] in
            for await line in stream {
                await write(line)
                self?.wrote(line.count)
            }
        }
    }

    deinit { lines.finish() }

    func send(_ line: [UInt8]) {
        guard
            state.withLock({ state in
                if !state.isOver { state.pending += line.count + 1 }
                return !state.isOver
            })
        else { return }
        lines.yield(line + [UInt8(ascii: "\n")])
    }

    private func wrote(_ count: Int) {
        let waiters = state.withLock { state in
            state.pending -= count
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    func waitForRoom() async {
        let number = state.withLock { state -> UInt64? in
            guard state.isFull else { return nil }
            state.lastWaiter += 1
            return state.lastWaiter
        }
        guard let number else { return }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    guard state.isFull, !Task.isCancelled else { return false }
                    state.waiters[number] = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
        }
    }

    /// Nobody will read any more.
    func finish() {
        let waiters = state.withLock { state in
            state.isOver = true
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
        lines.finish()
    }
}
