import Foundation
import KamuneCrypto
import KamuneSocket
import KamuneSystem
import Synchronization

/// Opens a node that was begun without a passphrase.
package struct Unlock: Codable, Sendable {
    package static let name = "node.unlock"
    var passphrase: SecretText
}

/// Ends the node, whoever looks through it.
package struct Shutdown: Codable, Sendable {
    package static let name = "node.shutdown"
}

/// Has this client's conversations leave no trace: it looks through a node of its own from now on, with a store in memory.
package struct GoIncognito: Codable, Sendable {
    package static let name = "node.incognito"
    /// What others are told to call us.
    var ownName: String?
}

/// One process that looks through the node: reads what it asks for, has that done, and writes answers and events.
actor ClientConnection {
    private let connection: LineConnection
    private let server: NodeServer
    private let dialect: (any NodeServer.Dialect)?
    /// Whether it may ask for nothing but ``visitorRequests``, and for the end of the node.
    private let isVisitor: Bool
    private let sink: ConnectionSink
    private let client: NodeClient
    private var node: Node?
    /// The node is this client's alone.
    private var isIncognito = false
    private var requests: [UInt64: Task<Void, Never>] = [:]
    private var lastRequest: UInt64 = 0
    private var isGone = false
    private var waitsForRoom: CheckedContinuation<Void, Never>?
    /// What is done in the order in which it was asked for: the last of it.
    private var ordered: Task<Void, Never>?

    /// How many requests of one client may be under way before no more are read.
    private static let maximumInFlight = 64
    /// What “kamune status” asks for.
    private static let visitorRequests: Set = [GetNodeStatus.name, ListContacts.name]

    init(
        _ connection: LineConnection, server: NodeServer, dialect: (any NodeServer.Dialect)?, isVisitor: Bool = false
    ) {
        self.isVisitor = isVisitor
        self.connection = connection
        self.server = server
        self.dialect = dialect
        let sink = ConnectionSink(connection)
        self.sink = sink
        // What leaves no trace is taken when the client's side of the socket has it.
        client = NodeClient(
            NodeClient.Sink(put: { sink.put($0, $1) }, waitUntilTaken: { await connection.flush() }))
    }

    /// Serves the client until it goes.
    func run() async {
        node = await server.node
        if let node { await node.join(client) }
        connection.send(
            NodeLine.greeting(
                NodeLine.Greeting(
                    version: NodeVersion.text, pid: String(getpid()), vocabulary: NodeVocabulary.version,
                    locked: node == nil, full: isVisitor ? true : nil)))
        let speaker = NodeServer.DialectClient(number: client.number) { [connection] line in
            await connection.sendWhenThereIsRoom(line)
        }
        // Not after the last line was taken: it may wait for a request that ends only because it is cancelled.
        let end = Task {
            await connection.waitUntilClosed()
            self.hasGone()
        }
        await dialect?.begin(speaker)
        await connection.receive { await self.take($0, speaker) }
        hasGone()
        await dialect?.end(speaker)
        if let node { await node.leave(client) }
        if isIncognito { await node?.close() }
        connection.close()
        await end.value
    }

    /// What nobody waits for any more is not worth waiting for either.
    private func hasGone() {
        isGone = true
        for request in requests.values { request.cancel() }
    }

    /// This client looks through the node from now on.
    private func enter(_ node: Node) async {
        guard self.node == nil else { return }
        self.node = node
        await node.join(client)
    }

    private func take(_ line: Line, _ speaker: NodeServer.DialectClient) async {
        guard case .bytes(let bytes) = line else {
            return await answer(
                NodeLine.error(
                    NodeError(.tooLarge, "A line has at most \(LineConnection.maximumLineSize) bytes."), id: nil))
        }
        guard let head = NodeLine.head(bytes), head.type == "cmd", let name = head.cmd else {
            return await answer(
                NodeLine.error(
                    NodeError(.malformed, "This is no request: a JSON object with “type”, “cmd”, “id” and “params”."),
                    id: NodeLine.head(bytes)?.id))
        }
        if isVisitor, name != Shutdown.name, !Self.visitorRequests.contains(name) {
            return await answer(NodeLine.error(.tooManyClients, id: head.id))
        }
        switch name {
        case Unlock.name: await unlock(bytes, head.id)
        case GoIncognito.name: await goIncognito(bytes, head.id)
        case Shutdown.name:
            await answer(NodeLine.answer(Done(), id: head.id))
            await connection.flush()
            await server.shutdown()
        default: await begin(name, bytes, head.id, speaker)
        }
    }

    private func unlock(_ line: [UInt8], _ id: String?) async {
        do throws(NodeError) {
            let request = try NodeLine.parameters(Unlock.self, in: line)
            await enter(try await server.unlock(request.passphrase.copy()))
            await answer(NodeLine.answer(Done(), id: id))
        } catch {
            await answer(NodeLine.error(error, id: id))
        }
    }

    private func goIncognito(_ line: [UInt8], _ id: String?) async {
        do throws(NodeError) {
            let request = try NodeLine.parameters(GoIncognito.self, in: line)
            guard let node else { throw NodeError(.locked, "The node is locked; unlock it first.") }
            guard !isIncognito, requests.isEmpty else {
                throw NodeError(.misuse, "This is asked for once, and before anything else.")
            }
            let own = try await node.incognito(name: request.ownName)
            isIncognito = true
            await node.leave(client)
            self.node = own
            await own.join(client)
            await answer(NodeLine.answer(Done(), id: id))
        } catch {
            await answer(NodeLine.error(error, id: id))
        }
    }

    private func begin(
        _ name: String, _ line: [UInt8], _ id: String?, _ speaker: NodeServer.DialectClient
    ) async {
        guard let type = NodeVocabulary.request(named: name) else {
            if let dialect, await dialect.take(line, named: name, from: speaker) { return }
            return await answer(
                NodeLine.error(NodeError(.unknownRequest, "There is no request “\(name.prefix(64))”."), id: id))
        }
        // Another client may have unlocked it.
        if node == nil, let node = await server.node { await enter(node) }
        guard let node else {
            return await answer(NodeLine.error(NodeError(.locked, "The node is locked; unlock it first."), id: id))
        }
        if requests.count >= Self.maximumInFlight { await withCheckedContinuation { waitsForRoom = $0 } }
        lastRequest += 1
        let number = lastRequest
        let earlier = type.isOrdered ? ordered : nil
        let task = Task {
            await earlier?.value
            await perform(type, line, id, on: node)
            requests[number] = nil
            waitsForRoom.take()?.resume()
        }
        requests[number] = task
        if isGone { task.cancel() }
        if type.isOrdered { ordered = task }
    }

    private func perform(
        _ type: any NodeRequest.Type, _ line: [UInt8], _ id: String?, on node: Node
    ) async {
        func answer<Request: NodeRequest>(_ type: Request.Type) async -> [UInt8] {
            do throws(NodeError) {
                let request = try NodeLine.parameters(type, in: line)
                return NodeLine.answer(try await request.perform(on: node, for: client), id: id)
            } catch {
                return NodeLine.error(error, id: id)
            }
        }
        await self.answer(await answer(type))
    }

    /// An answer is never left out: the client waits for it, and we for the client.
    private func answer(_ line: [UInt8]) async {
        await connection.sendWhenThereIsRoom(line)
    }
}

/// Writes events to a client; one who does not read is told so, and is spared what would be too much.
private final class ConnectionSink: Sendable {
    private let connection: LineConnection
    private let isLagging = Mutex(false)

    init(_ connection: LineConnection) {
        self.connection = connection
    }

    func put(_ shared: SharedEvents, _ indices: [Int]) {
        isLagging.withLock { isLagging in
            for index in indices {
                guard connection.hasRoom else {
                    guard !isLagging else { return }
                    isLagging = true
                    // Told as soon as there is room, whether more happens or not.
                    Task { await self.tellLagging() }
                    return
                }
                if isLagging { return }
                connection.send(shared.line(at: index))
            }
        }
    }

    private func tellLagging() async {
        await connection.waitForRoom()
        isLagging.withLock { isLagging in
            isLagging = false
            connection.send(NodeLine.event(.lagged))
        }
    }
}
