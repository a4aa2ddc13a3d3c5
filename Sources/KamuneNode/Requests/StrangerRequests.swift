public import Foundation
import Kamune
import KamuneStore
import KamuneSystem

/// A stranger who wants to talk, and waits to be accepted.
public struct RequestInfo: Codable, Sendable, Equatable, Identifiable {
    /// Names the request: 16 hexadecimal digits.
    public var id: String
    /// The number in the list, from 1; it changes when others come and go.
    public var number: Int
    /// The name that the stranger gives themselves. It may hold any characters.
    public var name: String
    /// The fingerprint's `sum` form.
    public var fingerprint: String
    /// The fingerprint's emoji.
    public var emoji: [String]
    /// The key.
    public var publicKey: PublicKeyText
    /// Whether they have shown that they hold the key. Without that, anybody may have sent a copy of an introduction.
    public var isProven: Bool
    /// When they came first.
    public var firstSeen: Date
    /// When they came last.
    public var lastSeen: Date
    /// The network from which they came last; empty for this machine.
    public var network: String
    /// What they wrote with it. It may hold any characters.
    public var note: String

    init(_ request: StoredRequest, number: Int) {
        id = Self.text(of: request.id)
        self.number = number
        name = request.name
        fingerprint = request.key.fingerprint.sum
        emoji = request.key.fingerprint.emoji
        publicKey = PublicKeyText(request.key)
        isProven = request.isProven
        firstSeen = request.firstSeen
        lastSeen = request.lastSeen
        network = request.network
        note = request.note
    }

    static func text(of id: RequestID) -> String {
        let digits = String(UInt64(bitPattern: id.row), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// The strangers who want to talk.
public struct ListRequests: NodeRequest {
    /// How it is called.
    public static let name = "requests.list"

    /// The requests.
    public struct Answer: Codable, Sendable, Equatable {
        /// Those who have shown that they hold their key first, and then the latest.
        public var requests: [RequestInfo]
    }

    /// Asks for them.
    public init() {}

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        Answer(requests: try await node.requests().enumerated().map { RequestInfo($1, number: $0 + 1) })
    }
}

/// Decides about a stranger who wants to talk.
public struct DecideRequest: NodeRequest {
    /// How it is called.
    public static let name = "requests.decide"

    /// What came of it.
    public struct Answer: Codable, Sendable, Equatable {
        /// The contact that they are now; nil when they were refused.
        public var contact: ContactInfo?
    }

    /// What is decided.
    public enum Decision: String, Codable, Sendable, CaseIterable {
        /// They are a contact from now on.
        case accept
        /// They are not, and may ask again later.
        case refuse
        /// They are not, and are never heard again.
        case block
    }

    /// Which request.
    public var request: String
    /// What is decided.
    public var decision: Decision
    /// What the person calls the contact.
    public var ownName: String?
    /// Whether the person was told that this very key was given up, and accepts it all the same.
    public var overruling: Bool?

    /// Asks for it.
    public init(_ request: String, _ decision: Decision, named name: String? = nil, overruling: Bool = false) {
        (self.request, self.decision, self.ownName, self.overruling) = (request, decision, name, overruling)
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let found = try await node.requests().first { RequestInfo.text(of: $0.id) == request }
        guard let found else { throw NodeError(.noSuchRecord, "There is no such request any more.") }
        let (store, now, decision, name) = (node.store, node.time.date, decision, ownName)
        let overruling = overruling ?? false
        let peer = try await asNode { () -> StoredPeer? in
            switch decision {
            case .accept: return try await store.accept(found.id, named: name, at: now, overruling: overruling)
            case .block: return try await store.block(found.id, at: now)
            case .refuse:
                try await store.refuse(found.id, at: now)
                return nil
            }
        }
        node.hub.publish([.requestsChanged] + (peer.map { [.contactChanged(ContactID($0.id))] } ?? []))
        guard let peer else { return Answer(contact: nil) }
        return Answer(contact: try await node.contacts().describe(peer))
    }
}

extension Node {
    fileprivate func requests() async throws(NodeError) -> [StoredRequest] {
        let (store, now) = (store, time.date)
        return try await asNode { try await store.requests(at: now) }
    }
}
