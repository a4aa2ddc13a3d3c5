import Foundation
public import KamuneCrypto
import KamuneSocket
public import KamuneStore
package import KamuneSystem
import Synchronization

/// A window on a node in another process of the same user.
public final class RemoteNode: NodeAccess {
    /// What the node tells.
    public let events = NodeEvents()
    /// The process of the node.
    public let process: Int
    private let connection: LineConnection
    private let state: Mutex<State>
    /// Whether there is no place for this one but to look.
    private let isFull: Bool

    private struct State {
        var lastID: UInt64 = 0
        var waiting: [String: CheckedContinuation<Result<[UInt8], NodeError>, Never>] = [:]
        var isOver = false
        var isLocked: Bool
    }

    private init(_ connection: LineConnection, _ greeting: NodeLine.Greeting) {
        self.connection = connection
        process = Int(greeting.pid) ?? 0
        isFull = greeting.full ?? false
        state = Mutex(State(isLocked: greeting.locked ?? false))
    }

    /// Connects to the node that holds a store.
    ///
    /// - Parameter isVisit: Whether nothing but the node's status and contacts are asked for, and its end: for that there is
    ///   a place also when there is none for others.
    /// - Returns: nil when nobody answers there.
    /// - Throws: ``NodeError/Code/incompatibleNode`` when it is of another version, ``NodeError/Code/tooManyClients``.
    public static func connect(
        to location: StoreLocation, within limit: Duration = .seconds(5), isVisit: Bool = false
    ) async throws(NodeError) -> RemoteNode? {
        let time = SystemTime()
        let deadline = time.monotonic + visitPatience
        while true {
            let found = await attempt(location, limit, isVisit)
            // Every visit is over soon.
            guard isVisit, case .failure(let error) = found, error.code == .tooManyClients, time.monotonic < deadline
            else { return try found.get() }
            if (try? await time.sleep(for: visitInterval)) == nil { return try found.get() }
        }
    }

    private static func attempt(
        _ location: StoreLocation, _ limit: Duration, _ isVisit: Bool
    ) async -> Result<RemoteNode?, NodeError> {
        do throws(NodeError) {
            return .success(try await connectOnce(to: location, within: limit, isVisit: isVisit))
        } catch {
            return .failure(error)
        }
    }

    /// How long, and how often, a visit is tried: longer than those take who are there.
    private static let visitPatience = Duration.seconds(12)
    private static let visitInterval = Duration.milliseconds(100)

    private static func connectOnce(
        to location: StoreLocation, within limit: Duration, isVisit: Bool
    ) async throws(NodeError) -> RemoteNode? {
        for place in SocketLocation.candidates(for: location.resolved.path) {
            guard let connection = await LineClient.connect(to: place) else { continue }
            switch await greet(connection, within: limit) {
            case .success(let node):
                guard isVisit || !node.isFull else {
                    await node.close()
                    throw .tooManyClients
                }
                return node
            case .failure(let error):
                connection.close()
                throw error
            case nil: connection.close()
            }
        }
        return nil
    }

    /// The directory in which a node's socket cannot be found, since it is somebody else's, or open to others; nil when that is
    /// not what is wrong.
    public static func obstructedDirectory(for location: StoreLocation) -> String? {
        let places = SocketLocation.candidates(for: location.resolved.path)
        guard !places.contains(where: \.isTrusted) else { return nil }
        return places.first(where: \.isObstructed)?.directory
    }

    /// What comes first of a node.
    private typealias Greeted = Result<RemoteNode, NodeError>

    /// Waits for the greeting; nil when none comes in time.
    private static func greet(_ connection: LineConnection, within limit: Duration) async -> Greeted? {
        let (greetings, continuation) = AsyncStream.makeStream(of: Greeted.self, bufferingPolicy: .bufferingOldest(1))
        let timer = Task {
            try? await SystemTime().sleep(for: limit)
            continuation.finish()
        }
        Task {
            await receive(connection) { _ = continuation.yield($0) }
            continuation.finish()
        }
        defer { timer.cancel() }
        for await greeting in greetings { return greeting }
        return nil
    }

    private static func receive(
        _ connection: LineConnection, _ greeted: @Sendable (Greeted) -> Void
    ) async {
        var node: RemoteNode?
        await connection.receive { line in
            // Whoever waits for an answer that is too long would wait for ever.
            guard case .bytes(let bytes) = line else { return connection.close() }
            guard let head = NodeLine.head(bytes) else { return }
            if let node { return node.take(head, bytes) }
            switch (head.evt, try? NodeLine.data(NodeLine.Greeting.self, in: bytes)) {
            case ("ready", let greeting?) where greeting.vocabulary == NodeVocabulary.version:
                let made = RemoteNode(connection, greeting)
                node = made
                greeted(.success(made))
            case ("error", _):
                let data = try? NodeLine.data(NodeLine.ErrorData.self, in: bytes)
                greeted(.failure(NodeError(data?.code ?? .other, data?.error ?? "The node refuses.")))
            default:
                greeted(
                    .failure(
                        NodeError(
                            .incompatibleNode,
                            "The Kamune that has the store is of another version; end it, and begin anew.")))
            }
        }
        node?.hasEnded()
    }

    /// Whether the node must be unlocked first.
    public var isLocked: Bool { state.withLock { $0.isLocked } }

    /// Unlocks the node.
    ///
    /// - Throws: ``NodeError/Code/wrongPassphrase`` and the like.
    public func unlock(_ passphrase: consuming SecretBytes) async throws(NodeError) {
        let request = Unlock(passphrase: SecretText(passphrase))
        _ = try await exchange { NodeLine.command(Unlock.name, request, id: $0) }
        state.withLock { $0.isLocked = false }
    }

    /// Has the conversations of this window leave no trace: from now on it looks through a node of its own, whose store is in
    /// memory. To be called before anything is asked.
    ///
    /// - Parameter name: What others are told to call us; nil for the name that the store has.
    public func goIncognito(name: String?) async throws(NodeError) {
        _ = try await exchange { NodeLine.command(GoIncognito.name, GoIncognito(ownName: name), id: $0) }
    }

    /// Has the node end, whoever looks through it.
    public func shutDown() async throws(NodeError) {
        _ = try await exchange { NodeLine.command(Shutdown.name, Shutdown(), id: $0) }
    }

    /// Waits until the node has gone, or the time is over.
    ///
    /// - Returns: Whether it has gone.
    package func waitUntilGone(for limit: Duration, by time: any TimeSource) async -> Bool {
        let timer = Task {
            if (try? await time.sleep(for: limit)) != nil { events.finish() }
        }
        while await !events.next(atMost: 1_024).isEmpty {}
        timer.cancel()
        return state.withLock { $0.isOver }
    }

    /// Asks for something.
    public func ask<Request: NodeRequest>(_ request: Request) async throws(NodeError) -> Request.Answer {
        let line = try await exchange { NodeLine.request(request, id: $0) }
        return try NodeLine.data(Request.Answer.self, in: line)
    }

    private func exchange(_ makeLine: (String) -> [UInt8]) async throws(NodeError) -> [UInt8] {
        let id = state.withLock { state in
            state.lastID += 1
            return String(state.lastID)
        }
        let line = makeLine(id)
        guard !line.isEmpty else {
            throw NodeError(.invalidParameter, "The request has a number that is none.")
        }
        guard line.count <= LineConnection.maximumLineSize else {
            throw NodeError(.tooLarge, "This is more than one request can hold.")
        }
        await connection.waitForRoom()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let failure = state.withLock { state -> NodeError? in
                    if state.isOver { return .gone }
                    // The handler has run already, and found nobody.
                    if Task.isCancelled { return Self.cancelled }
                    state.waiting[id] = continuation
                    return nil
                }
                if let failure {
                    continuation.resume(returning: .failure(failure))
                } else {
                    connection.send(line)
                }
            }
        } onCancel: {
            // Whether it is done all the same is unknown, as it is when the node ends.
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(returning: .failure(Self.cancelled))
        }
        return try result.get()
    }

    private static let cancelled = NodeError(.cancelled, "The request was cancelled.")

    private func take(_ head: NodeLine.Head, _ line: [UInt8]) {
        if let id = head.id, let continuation = state.withLock({ $0.waiting.removeValue(forKey: id) }) {
            if head.evt == "error" {
                let data = try? NodeLine.data(NodeLine.ErrorData.self, in: line)
                continuation.resume(
                    returning: .failure(NodeError(data?.code ?? .other, data?.error ?? "The node refuses.")))
            } else {
                continuation.resume(returning: .success(line))
            }
            return
        }
        guard let kind = head.evt.flatMap(NodeEvent.Kind.init), let data = try? NodeLine.data(EventData.self, in: line),
            let event = NodeEvent(kind, data)
        else { return }
        events.add([event])
    }

    private func hasEnded() {
        let waiting = state.withLock { state in
            state.isOver = true
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume(returning: .failure(NodeError.gone)) }
        events.finish()
    }

    /// Ends the window.
    public func close() async {
        connection.close()
        hasEnded()
    }
}
