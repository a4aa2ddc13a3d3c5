public import Foundation
import KamuneStore

/// A session of the past, or one that goes on.
public struct SessionInfo: Codable, Sendable, Equatable {
    /// The number in the list, from 1; it changes when an earlier one is deleted.
    public var number: Int
    /// Its identifier, the same on both sides.
    public var id: String
    /// What the person calls it.
    public var name: String?
    /// With whom.
    public var contact: ContactID
    /// When the two introduced themselves.
    public var begun: Date
    /// When it ended; nil while it goes on, or if the program did not live to see it.
    public var ended: Date?
    /// How the two were connected, such as `tcp`.
    public var transport: String
    /// Whether this side dialed.
    public var dialed: Bool
    /// How many messages were said in it, and when the first and the last were written; nil when that was not asked for.
    public var messages: MessageSpan?

    /// How many messages there are, and from when.
    public struct MessageSpan: Codable, Sendable, Equatable {
        /// How many.
        public var count = 0
        /// When the earliest was written; nil when there is none.
        public var first: Date?
        /// When the latest was written; nil when there is none.
        public var last: Date?

        mutating func add(_ date: Date) {
            count += 1
            first = first.map { min($0, date) } ?? date
            last = last.map { max($0, date) } ?? date
        }
    }
}

/// The sessions of the past, the oldest first.
public struct ListSessions: NodeRequest {
    /// How it is called.
    public static let name = "sessions.list"

    /// The sessions.
    public struct Answer: Codable, Sendable, Equatable {
        /// The oldest first.
        public var sessions: [SessionInfo]
    }

    /// Only those with this contact.
    public var contact: ContactID?
    /// At most so many, the latest: 1,000, and without it.
    public var limit: Int?

    /// Only those with a smaller number.
    public var before: Int?
    /// Whether messages are counted: all of them are looked through for that.
    public var counted: Bool?

    /// Asks for them.
    public init(with contact: ContactID? = nil, limit: Int? = nil, before: Int? = nil, counted: Bool = false) {
        (self.contact, self.limit, self.before, self.counted) = (contact, limit, before, counted)
    }

    /// More would be too long for a line.
    private static let maximumCount = 1_000

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let store = node.store
        let all = try await asNode { try await store.sessions() }
        let wanted = all.reversed().enumerated().filter { index, session in
            (contact.map { session.peer == $0.peer } ?? true) && (before.map { index + 1 < $0 } ?? true)
        }
        let limit = min(max(0, limit ?? Self.maximumCount), Self.maximumCount)
        let spans = counted == true ? try await Self.spans(store, contact) : nil
        return Answer(
            sessions: wanted.suffix(limit).map { index, session in
                SessionInfo(
                    number: index + 1, id: session.identifier, name: session.name, contact: ContactID(session.peer),
                    begun: session.established, ended: session.ended, transport: session.transport,
                    dialed: session.isInitiator, messages: spans.map { $0[session.id] ?? SessionInfo.MessageSpan() })
            })
    }

    private static func spans(
        _ store: Store, _ contact: ContactID?
    ) async throws(NodeError) -> [SessionID: SessionInfo.MessageSpan] {
        try await asNode {
            var spans: [SessionID: SessionInfo.MessageSpan] = [:]
            for try await message in store.history(with: contact?.peer) {
                guard let session = message.session else { continue }
                spans[session, default: SessionInfo.MessageSpan()].add(message.sent)
            }
            return spans
        }
    }
}

/// Gives a session a name.
public struct RenameSession: NodeRequest {
    /// How it is called.
    public static let name = "sessions.rename"
    /// It was done.
    public typealias Answer = Done

    /// Its identifier.
    public var session: String
    /// The name; nil to take it away.
    public var newName: String?

    /// Asks for it.
    public init(_ session: String, to name: String?) { (self.session, self.newName) = (session, name) }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Done {
        let found = try await node.session(session)
        let (store, name) = (node.store, newName)
        try await asNode { try await store.rename(found.id, to: name) }
        return Done()
    }
}

/// Deletes a session and what was said in it.
public struct DeleteSession: NodeRequest {
    /// How it is called.
    public static let name = "sessions.delete"
    /// It was done.
    public typealias Answer = Done

    /// Its identifier.
    public var session: String

    /// Asks for it.
    public init(_ session: String) { self.session = session }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Done {
        let found = try await node.session(session)
        let store = node.store
        try await asNode { try await store.delete(found.id) }
        return Done()
    }
}

extension Node {
    fileprivate func session(_ identifier: String) async throws(NodeError) -> StoredSession {
        let store = store
        let found = try await asNode { try await store.session(identifier: identifier) }
        guard let found else { throw NodeError(.noSuchRecord, "There is no such conversation in the store.") }
        return found
    }
}
