public import Foundation
import Kamune
import KamuneStore
import KamuneSystem
import Synchronization

/// Tells the node what this client is.
public struct Subscribe: NodeRequest {
    /// How it is called.
    public static let name = "node.subscribe"
    /// It was done.
    public typealias Answer = Done

    /// What to be told of; nil for nothing but what is for this client alone.
    public var events: NodeClient.Subscription?
    /// Whether this client decides about who comes to its addresses, and whom it dials. Without, who is known comes in.
    public var decides: Bool?

    /// Asks for it.
    public init(to events: NodeClient.Subscription?, decides: Bool? = nil) {
        (self.events, self.decides) = (events, decides)
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Done {
        client.subscribe(events)
        if let decides { client.decides.withLock { $0 = decides } }
        return Done()
    }
}

/// How the node stands.
public struct GetNodeStatus: NodeRequest {
    /// How it is called.
    public static let name = "node.status"

    /// How it stands.
    public struct Answer: Codable, Sendable, Equatable {
        /// The process that holds the store.
        public var process: Int
        /// When it began.
        public var started: Date
        /// Whether it stays by itself, and looks for those to whom messages wait; else it ends with its last window.
        public var isBackground: Bool
        /// Where the store is; nil for one in memory.
        public var store: String?
        /// Who we are; nil before there is an identity.
        public var identity: IdentityInfo?
        /// The addresses that are listened on.
        public var listeners: [ListenerInfo]
        /// The addresses at which the node was to listen, and could not.
        public var unavailable: [UnavailableAddress]
        /// The conversations that are under way.
        public var conversations: [ConversationInfo]
        /// For how many contacts messages wait.
        public var contactsWaitedFor: Int
        /// How many messages wait.
        public var waiting: Int
        /// How many clients look through the node, this one included.
        public var clients: Int
    }

    /// An address at which the node was to listen, and could not.
    public struct UnavailableAddress: Codable, Sendable, Equatable {
        /// The address.
        public var address: String
        /// Why.
        public var error: NodeError
    }

    /// An address that is listened on.
    public struct ListenerInfo: Codable, Sendable, Equatable {
        /// Names it.
        public var listener: ListenerID
        /// The address.
        public var address: String
        /// Where others can reach it.
        public var reachable: [ReachableAddress]
        /// Since when.
        public var begun: Date
    }

    /// Asks for it.
    public init() {}

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let store = node.store
        let conversations = try await ListConversations().perform(on: node, for: client).conversations
        let identity = try await node.identity()
        let waiting = try await asNode {
            var counts: [Int] = []
            for peer in try await store.peersWithPendingMessages() {
                counts.append(try await store.waitingCount(to: peer))
            }
            return counts
        }
        return Answer(
            process: Int(getpid()), started: node.started,
            isBackground: await node.seeksByItself, store: store.location?.path, identity: identity,
            listeners: await node.listeners.map { id, listening in
                ListenerInfo(
                    listener: id, address: listening.listener.address,
                    reachable: ReachableAddress.list(listening.listener.address), begun: listening.begun)
            }.sorted { $0.listener.number < $1.listener.number },
            unavailable: await node.unavailable,
            conversations: conversations, contactsWaitedFor: waiting.count, waiting: waiting.reduce(0, +),
            clients: node.hub.count)
    }
}
