import Kamune
import KamuneDaemon
import KamuneNode
import KamuneStore
import KamuneSystem
import KamuneTerminal

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
    ///   - isVisit: See ``RemoteNode/connect(to:within:isVisit:)``.
    static func open(
        _ options: StoreOptions, _ access: StoreOpener.Access, in context: CommandContext,
        configuration: NodeConfiguration = .init(), isVisit: Bool = false
    ) async throws -> NodeWindow {
        var configuration = configuration
        configuration.clock = context.time
        let opener = try StoreOpener(options, context)
        let deadline = context.time.monotonic + patience
        while true {
            if let remote = try await RemoteNode.connect(to: opener.location, isVisit: isVisit) {
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
                return await own(Node(store: store, configuration: configuration), at: opener.location, in: context)
            } catch StoreError.inUse(let process) {
                // It may be about to serve, or to end.
                guard context.time.monotonic < deadline else {
                    throw Failure(whyNotFound(process, at: opener.location))
                }
                try await context.time.sleep(for: interval)
            }
        }
    }

    /// Why the process that has a store is not found.
    static func whyNotFound(_ process: Int32?, at location: StoreLocation) -> Trouble {
        RemoteNode.obstructedDirectory(for: location).map { .holderHidden(process: process, directory: $0) }
            ?? .holderSilent(process: process)
    }

    /// A window on a node of this process's own.
    static func own(_ node: Node, at location: StoreLocation?, in context: CommandContext) async -> NodeWindow {
        var server: NodeServer?
        if let location {
            do throws(NodeError) {
                server = try await NodeServer.start(
                    node, at: location, dialect: SocketDialect(.ofProgram) { node })
            } catch {
                // What was asked for can be done all the same.
                context.tell(TerminalText(error.message, maximumColumns: TextLimit.sentence).description, .warning)
            }
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
