public import Kamune
package import KamuneSystem

/// How a node behaves.
public struct NodeConfiguration: Sendable {
    /// Limits and timeouts of conversations.
    public var conversations = Configuration()
    /// What to do when connections are lost.
    public var reconnection = Reconnection()
    /// Who we are, when that is not the identity that the store has.
    public var identity: OwnIdentity?
    /// What peers are told to call us; nil for the name that the store has.
    public var name: String?
    /// Whether everything is gone with the node: its store is in memory.
    public var leavesNoTrace = false

    /// An identity that is not the store's.
    public struct OwnIdentity: Sendable {
        /// The private key.
        public let identity: Identity
        /// By which earlier identities vouch for it; nil for what the store knows.
        public let succession: Succession?

        /// An identity.
        public init(_ identity: Identity, succession: Succession? = nil) {
            self.identity = identity
            self.succession = succession
        }
    }

    /// The standard.
    public init() {}

    /// What the node's own times are; nil for the clock of conversations.
    package var clock: (any TimeSource)?

    var time: any TimeSource { clock ?? conversations.time }
}
