import Kamune
import KamuneStore

/// What a person has decided for all conversations.
public struct NodeSettings: Codable, Sendable, Equatable {
    /// Whether contacts are told where one wants to be found; yes unless it is turned off.
    public var tellsRoutes: Bool?
    /// Whether strangers may ask, and be shown our key for it; no unless it is turned on.
    public var takesRequests: Bool?

    /// Nothing is decided.
    public init(tellsRoutes: Bool? = nil, takesRequests: Bool? = nil) {
        (self.tellsRoutes, self.takesRequests) = (tellsRoutes, takesRequests)
    }

    private static let tellsRoutesSetting = "node.tells_routes"
    private static let takesRequestsSetting = "node.takes_requests"

    static func read(from store: Store) async throws(StoreError) -> NodeSettings {
        NodeSettings(
            tellsRoutes: try await store.textSetting(tellsRoutesSetting).map { $0 == "yes" },
            takesRequests: try await store.textSetting(takesRequestsSetting).map { $0 == "yes" })
    }

    /// Writes what is decided; what is not, stays.
    func write(to store: Store) async throws(StoreError) {
        if let tellsRoutes { try await store.setTextSetting(Self.tellsRoutesSetting, to: tellsRoutes ? "yes" : "no") }
        if let takesRequests {
            try await store.setTextSetting(Self.takesRequestsSetting, to: takesRequests ? "yes" : "no")
        }
    }
}

/// What a person has decided for all conversations.
public struct GetSettings: NodeRequest {
    /// How it is called.
    public static let name = "settings.get"
    /// The settings.
    public typealias Answer = NodeSettings

    /// Asks for them.
    public init() {}

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> NodeSettings {
        let store = node.store
        return try await asNode { try await NodeSettings.read(from: store) }
    }
}

/// Decides something for all conversations.
public struct ChangeSettings: NodeRequest {
    /// How it is called.
    public static let name = "settings.change"
    /// The settings, as they are then.
    public typealias Answer = NodeSettings

    /// What is decided; what is not, stays.
    public var settings: NodeSettings

    /// Asks for it.
    public init(_ settings: NodeSettings) { self.settings = settings }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> NodeSettings {
        let (store, settings) = (node.store, settings)
        let now = try await asNode {
            try await settings.write(to: store)
            return try await NodeSettings.read(from: store)
        }
        await node.routesHaveChanged()
        return now
    }
}
