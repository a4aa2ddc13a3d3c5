import Kamune
import KamuneDaemon
import KamuneNode
import KamuneStore
import KamuneSystem

/// How a command comes to the node: the one that has the store already, or one of its own, through which others may look
/// meanwhile.
struct NodeWindow: Sendable {
    /// What the command asks.
    let access: any NodeAccess
    /// The node, when it is in this process.
    let own: OwnNode?

    /// A node in this process, and what serves it to others.
    struct OwnNode: Sendable {
        let node: Node
        /// nil where there can be no socket.
        let server: NodeServer?
    }

    /// How long a program that has just taken the store, or is about to let go of it, may take to answer.
    private static let patience = Duration.seconds(5)
    private static let interval = Duration.milliseconds(20)

    /// Comes to the node of a store.
    ///
    /// - Parameters:
    ///   - access: What to do when there is no store.
    ///   - configuration: Of the node, if it is one of our own.
    static func open(
        _ options: StoreOptions, _ access: StoreOpener.Access, in context: CommandContext,
        configuration: NodeConfiguration = .init()
    ) async throws -> NodeWindow {
        var configuration = configuration
        configuration.clock = context.time
        let opener = try StoreOpener(options, context)
        let deadline = context.time.monotonic + patience
        while true {
            if let remote = try await RemoteNode.connect(to: opener.location) {
                do {
                    if remote.isLocked { try await opener.unlock(remote) }
                    opener.tell()
                    return NodeWindow(access: remote, own: nil)
                } catch {
                    await remote.close()
                    throw error
                }
            }
            do {
                let store = try await opener.open(access)
                opener.tell()
                return await own(Node(store: store, configuration: configuration), at: opener.location)
            } catch StoreError.inUse(let process) {
                // It may be about to serve, or to end.
                guard context.time.monotonic < deadline else { throw Failure(.holderSilent(process: process)) }
                try await context.time.sleep(for: interval)
            }
        }
    }

    /// A window on a node of this process's own.
    static func own(_ node: Node, at location: StoreLocation?) async -> NodeWindow {
        var server: NodeServer?
        if let location {
            server = try? await NodeServer.start(
                node, at: location, dialect: SocketDialect(.ofProgram) { node })
        }
        return NodeWindow(access: await LocalNode.open(node), own: OwnNode(node: node, server: server))
    }

    /// Ends the window. A node of our own stays until nobody else looks through it, or a signal asks it to end.
    func close(in context: CommandContext) async {
        await access.close()
        guard let own else { return }
        if let server = own.server {
            let stopping = Task { if await context.signals.first.wait() != nil { await server.close() } }
            if await server.clientCount > 0 {
                context.tell(
                    "Another window looks through this one, which stays until that is closed; Ctrl-C ends both.")
                context.signals.concludeFirst()
                await server.waitUntilAlone()
            }
            // One who has come just now is served; whoever comes later finds no socket, and waits for the store.
            await server.conclude()
            stopping.cancel()
            await server.close()
        }
        await own.node.close()
    }
}

extension StoreOptions {
    /// Comes to the node, lends it, and closes the window.
    ///
    /// - Parameter access: What to do when there is no store.
    func withNode<Result>(
        _ access: StoreOpener.Access = .existing, in context: CommandContext,
        _ body: (any NodeAccess) async throws -> Result
    ) async throws -> Result {
        let window = try await NodeWindow.open(self, access, in: context)
        let result: Result
        do {
            result = try await body(window.access)
        } catch {
            await window.close(in: context)
            throw error
        }
        await window.close(in: context)
        return result
    }
}
