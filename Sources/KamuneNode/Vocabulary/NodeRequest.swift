/// Something that one can ask of a node.
///
/// A request is what a window says, and its ``Answer`` what it gets: the same in this process, through the socket, and as
/// JSON (docs/DAEMON.md). ``NodeVocabulary/requests`` lists them all.
public protocol NodeRequest: Codable, Sendable {
    /// What one gets.
    associatedtype Answer: Codable & Sendable

    /// How it is called in JSON: the subject, a dot, and what is done, such as `contacts.list`.
    static var name: String { get }

    /// Whether requests of this type, of one client, are done one after another in the order in which they come. Others are
    /// done side by side.
    static var isOrdered: Bool { get }

    /// Does it.
    func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer
}

extension NodeRequest {
    /// Not, unless a type says so.
    public static var isOrdered: Bool { false }
}

/// The answer to a request that has no other: it was done.
public struct Done: Codable, Sendable, Equatable {
    /// Done.
    public init() {}
}
