import KamuneProtocol

extension Conversation {
    /// The largest body that a message of conversations with this configuration can have, in bytes.
    public static func maximumBodySize(_ configuration: Configuration) -> Int {
        max(0, configuration.maximumMessageSize - DeliveryMessage.overhead)
    }

    /// Whether the conversation is over, so that nothing more is sent.
    public var hasEnded: Bool { isOver }

    /// How many messages that were sent through this object have not come as far as they can yet: see
    /// ``waitUntilDelivered(for:)``.
    public var undeliveredCount: Int { outstanding.count }
}
