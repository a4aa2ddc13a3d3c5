/// A window on a node: in this process, or through the socket of the one that has the store. Both do the same.
public protocol NodeAccess: Sendable {
    /// Asks for something.
    ///
    /// - Throws: Why it was not done; ``NodeError/Code/nodeGone`` when the node has ended.
    func ask<Request: NodeRequest>(_ request: Request) async throws(NodeError) -> Request.Answer

    /// What the node tells: what was subscribed to by ``Subscribe``, and what is for this window alone. Take them from one task.
    var events: NodeEvents { get }

    /// Ends the window. What only it has held open is closed.
    func close() async
}

/// A window on a node in this process.
public final class LocalNode: NodeAccess {
    /// The node.
    public let node: Node
    /// What it tells.
    public let events: NodeEvents
    private let client: NodeClient

    private init(_ node: Node, _ events: NodeEvents, _ client: NodeClient) {
        (self.node, self.events, self.client) = (node, events, client)
    }

    /// Opens a window on a node.
    public static func open(_ node: Node) async -> LocalNode {
        let events = NodeEvents()
        let isAwaited = node.configuration.leavesNoTrace
        let client = NodeClient(
            NodeClient.Sink(
                put: { shared, indices in events.add(indices.map { shared.events[$0] }, isLimited: !isAwaited) },
                waitUntilTaken: { if isAwaited { await events.waitUntilTaken() } }),
            isOwner: true)
        await node.join(client)
        return LocalNode(node, events, client)
    }

    /// Asks for something.
    public func ask<Request: NodeRequest>(_ request: Request) async throws(NodeError) -> Request.Answer {
        try await request.perform(on: node, for: client)
    }

    /// Ends the window; the node goes on.
    public func close() async {
        await node.leave(client)
        events.finish()
    }
}
