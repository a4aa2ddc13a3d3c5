import KamuneStore

/// Trusts a contact no more. What was said with it stays.
public struct DistrustContact: NodeRequest {
    /// How it is called.
    public static let name = "contacts.distrust"
    /// The contact, as it is then.
    public typealias Answer = ContactInfo

    /// Which one.
    public var contact: ContactID

    /// Asks for it.
    public init(_ contact: ContactID) { self.contact = contact }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> ContactInfo {
        try await node.change(contact) { try await $0.withdrawTrust(in: $1) }
    }
}
