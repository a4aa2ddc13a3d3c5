import Kamune
package import KamuneCrypto
import KamuneSocket
package import KamuneStore
import KamuneSystem
import Synchronization

/// Serves a node to other processes of the same user, at the socket of its store.
package actor NodeServer {
    /// Answers requests that are not of the node's vocabulary, such as those of the daemon of kamune 0.7.
    package protocol Dialect: Sendable {
        /// A client has come. Called before its first line.
        func begin(_ client: DialectClient) async
        /// Takes a line that asks for something that the node does not know.
        ///
        /// - Returns: Whether the dialect knows it.
        func take(_ line: [UInt8], named name: String, from client: DialectClient) async -> Bool
        /// A client has gone.
        func end(_ client: DialectClient) async
    }

    /// Whoever speaks a dialect.
    package struct DialectClient: Sendable {
        /// Tells clients apart.
        package let number: Int
        /// Writes a line to it.
        package let send: @Sendable ([UInt8]) async -> Void
    }

    private enum State {
        /// Nobody has given the passphrase yet.
        case locked(open: @Sendable (borrowing SecretBytes) async throws(NodeError) -> Node)
        case open(Node)
    }

    private var state: State
    private var server: LineServer
    private let location: StoreLocation
    private let dialect: (any Dialect)?
    private var running: Task<Void, Never>?
    private var watching: Task<Void, Never>?
    private var clients = 0
    /// Those for whom there is no place, and who may still ask how the node stands, and have it end.
    private var visitors = 0
    private var connections: [ObjectIdentifier: LineConnection] = [:]
    private var isClosed = false
    /// Nobody else is let in any more.
    private var isConcluding = false
    private var goneWaiters: [CheckedContinuation<Void, Never>] = []
    /// Whether somebody's passphrase is being tried, and who waits for that.
    private var isUnlocking = false
    private var unlockWaiters: [CheckedContinuation<Void, Never>] = []
    private let onShutdown: @Sendable () -> Void

    /// How many clients there may be at once.
    static let maximumClients = 64
    /// How many more may ask how the node stands, and have it end, for how long each: so that “stop” and “status” always have a
    /// place.
    static let maximumVisitors = 8
    private static let visit = Duration.seconds(10)
    /// How often it is looked whether the socket is still where others find it. One call of the system each time.
    private static let watchInterval = Duration.seconds(10)

    private init(
        _ state: State, _ server: LineServer, _ location: StoreLocation, _ dialect: (any Dialect)?,
        onShutdown: @escaping @Sendable () -> Void
    ) {
        self.state = state
        self.server = server
        self.location = location
        self.dialect = dialect
        self.onShutdown = onShutdown
    }

    /// Serves a node whose store this process holds.
    ///
    /// - Parameters:
    ///   - location: Where its store is, which says where the socket is.
    ///   - descriptor: A socket that the service manager made; nil to make one.
    ///   - onShutdown: Is called when a client asks the node to end.
    /// - Throws: ``NodeError/Code/system`` when there can be no socket.
    package static func start(
        _ node: Node, at location: StoreLocation, descriptor: Int32? = nil, dialect: (any Dialect)? = nil,
        onShutdown: @escaping @Sendable () -> Void = {}
    ) async throws(NodeError) -> NodeServer {
        let server = NodeServer(
            .open(node), try await listen(location, descriptor), location, dialect, onShutdown: onShutdown)
        await server.run()
        return server
    }

    /// Serves a node that must be unlocked first, by whoever knows the passphrase.
    ///
    /// - Parameter open: Opens it.
    package static func start(
        lockedAt location: StoreLocation, descriptor: Int32? = nil, dialect: (any Dialect)? = nil,
        onShutdown: @escaping @Sendable () -> Void = {},
        open: @escaping @Sendable (borrowing SecretBytes) async throws(NodeError) -> Node
    ) async throws(NodeError) -> NodeServer {
        let server = NodeServer(
            .locked(open: open), try await listen(location, descriptor), location, dialect, onShutdown: onShutdown)
        await server.run()
        return server
    }

    private static func listen(
        _ location: StoreLocation, _ descriptor: Int32?
    ) async throws(NodeError) -> LineServer {
        do throws(SocketFailure) {
            if let descriptor { return try await LineServer.start(descriptor: descriptor) }
            return try await LineServer.start(
                atFirstOf: SocketLocation.candidates(for: location.resolved.path))
        } catch {
            guard let directory = error.directory else {
                throw NodeError(.system, "Other windows cannot look through this one: \(error.error).")
            }
            throw NodeError(
                .system,
                error.error.code == EPERM
                    ? "Other windows cannot look through this one: the directory “\(directory)” is not yours alone; have it "
                        + "removed."
                    : "Other windows cannot look through this one: “\(directory)”: \(error.error).")
        }
    }

    private func run() {
        serve(server)
        watching = Task { await watch() }
    }

    private func serve(_ server: LineServer) {
        let earlier = running
        running = Task {
            await server.run { await self.serve($0) }
            await earlier?.value
        }
    }

    // MARK: The socket

    private func watch() async {
        while (try? await SystemTime().sleep(for: Self.watchInterval)) != nil { await renewSocket() }
    }

    /// Makes the socket anew, if somebody has removed it. Who is connected already notices nothing.
    func renewSocket() async {
        guard !isClosed, !isConcluding, !server.isInPlace else { return }
        let former = server
        // Its end may take away whatever has its name, so the next one comes after it.
        await former.close()
        guard !isClosed, !isConcluding else { return }
        // What cannot be had now is tried again the next time.
        guard let new = try? await LineServer.start(atFirstOf: SocketLocation.candidates(for: location.resolved.path))
        else { return }
        guard !isClosed, !isConcluding else { return await new.close() }
        server = new
        serve(new)
    }

    /// The node, unless it is locked.
    var node: Node? {
        if case .open(let node) = state { node } else { nil }
    }

    /// How many other processes look through the node.
    package var clientCount: Int { clients }

    /// Waits until nobody looks through the node any more.
    package func waitUntilAlone() async {
        while clients > 0 { await withCheckedContinuation { goneWaiters.append($0) } }
    }

    /// Lets nobody else in, and waits until nobody looks through the node any more.
    package func conclude() async {
        isConcluding = true
        await server.close()
        await waitUntilAlone()
    }

    /// Serves nobody any more. Who is connected is told by the end of the connection.
    package func close() async {
        isClosed = true
        watching?.cancel()
        await server.close()
        // A client who does not read must not keep the node from ending.
        for connection in connections.values { connection.close() }
        running?.cancel()
        await running?.value
    }

    // MARK: Clients

    private func serve(_ connection: LineConnection) async {
        if isClosed { return }
        guard clients < Self.maximumClients else { return await receiveVisitor(connection) }
        clients += 1
        connections[ObjectIdentifier(connection)] = connection
        await ClientConnection(connection, server: self, dialect: dialect).run()
        connections[ObjectIdentifier(connection)] = nil
        clients -= 1
        let waiters = goneWaiters
        goneWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    /// There is no place for one more, but how the node stands can be asked, and that it ends.
    private func receiveVisitor(_ connection: LineConnection) async {
        guard visitors < Self.maximumVisitors else {
            connection.send(NodeLine.error(.tooManyClients, id: nil))
            await connection.flush()
            return connection.close()
        }
        visitors += 1
        connections[ObjectIdentifier(connection)] = connection
        let timer = Task {
            if (try? await SystemTime().sleep(for: Self.visit)) != nil { connection.close() }
        }
        await ClientConnection(connection, server: self, dialect: nil, isVisitor: true).run()
        timer.cancel()
        connections[ObjectIdentifier(connection)] = nil
        visitors -= 1
    }

    /// Opens a node that is locked.
    func unlock(_ passphrase: borrowing SecretBytes) async throws(NodeError) -> Node {
        // One after another: the store lets only one open it, and what a passphrase takes in memory is needed once.
        while isUnlocking { await withCheckedContinuation { unlockWaiters.append($0) } }
        guard case .locked(let open) = state else {
            guard let node else { throw .gone }
            return node
        }
        isUnlocking = true
        defer {
            isUnlocking = false
            let waiters = unlockWaiters
            unlockWaiters = []
            for waiter in waiters { waiter.resume() }
        }
        let node = try await open(passphrase)
        state = .open(node)
        return node
    }

    func shutdown() { onShutdown() }
}
