import Foundation
import Kamune
public import KamuneStore
import KamuneSystem

/// All contacts, in the order in which they were met.
public struct ListContacts: NodeRequest {
    /// How it is called.
    public static let name = "contacts.list"

    /// The contacts.
    public struct Answer: Codable, Sendable, Equatable {
        /// In the order in which they were met.
        public var contacts: [ContactInfo]
    }

    /// Asks for all.
    public init() {}

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        Answer(contacts: try await node.contacts().all)
    }
}

/// One contact.
public struct GetContact: NodeRequest {
    /// How it is called.
    public static let name = "contacts.get"

    /// The contact.
    public struct Answer: Codable, Sendable, Equatable {
        /// What is known of it.
        public var contact: ContactInfo
        /// How many messages there are with it.
        public var messages: Int
    }

    /// Which one.
    public var contact: ContactID

    /// Asks for one.
    public init(_ contact: ContactID) { self.contact = contact }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let (peer, contacts) = try await node.peer(contact)
        let store = node.store
        return Answer(
            contact: contacts.describe(peer), messages: try await asNode { try await store.messageCount(with: peer.id) }
        )
    }
}

/// Gives a contact a name of the person's own.
public struct RenameContact: NodeRequest {
    /// How it is called.
    public static let name = "contacts.rename"
    /// The contact, as it is then.
    public typealias Answer = ContactInfo

    /// Which one.
    public var contact: ContactID
    /// The name; nil to take it away.
    public var ownName: String?

    /// Asks for it.
    public init(_ contact: ContactID, to ownName: String?) { (self.contact, self.ownName) = (contact, ownName) }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> ContactInfo {
        let ownName = ownName
        return try await node.change(contact) { try await $0.rename($1, to: ownName) }
    }
}

/// Notes that the person has compared a contact's fingerprint, or takes that back.
public struct VerifyContact: NodeRequest {
    /// How it is called.
    public static let name = "contacts.verify"
    /// The contact, as it is then.
    public typealias Answer = ContactInfo

    /// Which one.
    public var contact: ContactID
    /// Whether it was compared.
    public var isVerified: Bool
    /// The key whose fingerprint was compared: when the contact has another by now, nothing is noted.
    public var publicKey: PublicKeyText
    /// Whether the person was told that this very key was given up, and accepts it all the same.
    public var overruling: Bool?

    /// Asks for it.
    public init(_ contact: ContactID, _ isVerified: Bool, key: PublicKeyText, overruling: Bool = false) {
        (self.contact, self.isVerified, self.publicKey, self.overruling) = (contact, isVerified, key, overruling)
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> ContactInfo {
        let time = isVerified ? node.time.date : nil
        let (key, overruling) = (publicKey.key, overruling ?? false)
        return try await node.change(contact) {
            try await $0.setVerified($1, at: time, key: key, overruling: overruling)
        }
    }
}

/// Refuses a contact from now on, or lets it in again.
public struct BlockContact: NodeRequest {
    /// How it is called.
    public static let name = "contacts.block"
    /// The contact, as it is then.
    public typealias Answer = ContactInfo

    /// Which one.
    public var contact: ContactID
    /// Whether it is refused.
    public var isBlocked: Bool

    /// Asks for it.
    public init(_ contact: ContactID, _ isBlocked: Bool) { (self.contact, self.isBlocked) = (contact, isBlocked) }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> ContactInfo {
        let isBlocked = isBlocked
        let info = try await node.change(contact) { try await $0.setBlocked($1, isBlocked) }
        // Who is not wanted any more is not talked to any more.
        if isBlocked, let talk = await node.talk(with: contact.peer) { Task { await talk.conversation.close() } }
        return info
    }
}

/// Forgets a contact, and everything that was said with it.
public struct ForgetContact: NodeRequest {
    /// How it is called.
    public static let name = "contacts.forget"

    /// What was forgotten.
    public struct Answer: Codable, Sendable, Equatable {
        /// How many messages.
        public var messages: Int
    }

    /// Which one.
    public var contact: ContactID

    /// Asks for it.
    public init(_ contact: ContactID) { self.contact = contact }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let (peer, _) = try await node.peer(contact)
        let store = node.store
        if let talk = await node.talk(with: peer.id) {
            await talk.conversation.close()
            await talk.pump.value
        }
        let count = try await asNode {
            let count = try await store.messageCount(with: peer.id)
            try await store.forget(peer.id)
            return count
        }
        node.hub.publish([.contactForgotten(contact)])
        return Answer(messages: count)
    }
}

/// What is known of somebody with a key.
public struct RecognizePeer: NodeRequest {
    /// How it is called.
    public static let name = "contacts.recognize"
    /// What is known.
    public typealias Answer = Recognition

    /// Who they say they are.
    public var peer: PeerInfo

    /// Asks for it.
    public init(_ peer: PeerInfo) { self.peer = peer }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Recognition {
        try await node.recognize(peer.peer)
    }
}

/// How long trust lasts without contact; see `kamune peers expiry`.
public struct ContactTerms: Codable, Sendable, Equatable {
    /// For contacts whom the person has accepted, in seconds; nil for ever.
    public var accepted: Int64?
    /// For contacts whose fingerprints the person has compared, in seconds; nil for ever.
    public var verified: Int64?

    /// The terms of a store.
    public init(_ terms: PeerTerms) {
        (accepted, verified) = (Self.seconds(terms.accepted), Self.seconds(terms.verified))
    }

    private static func seconds(_ expiry: PeerExpiry) -> Int64? {
        if case .after(let seconds) = expiry { seconds } else { nil }
    }

    /// As the store has them.
    public var terms: PeerTerms {
        var terms = PeerTerms()
        terms.accepted = accepted.map { .after(seconds: $0) } ?? .never
        terms.verified = verified.map { .after(seconds: $0) } ?? .never
        return terms
    }
}

/// How long trust lasts.
public struct GetTerms: NodeRequest {
    /// How it is called.
    public static let name = "contacts.terms"
    /// The terms.
    public typealias Answer = ContactTerms

    /// Asks for them.
    public init() {}

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> ContactTerms {
        let store = node.store
        return ContactTerms(try await asNode { try await store.peerTerms() })
    }
}

/// Sets how long trust lasts.
public struct SetTerms: NodeRequest {
    /// How it is called.
    public static let name = "contacts.set_terms"
    /// The terms, as they are then.
    public typealias Answer = ContactTerms

    /// The terms.
    public var terms: ContactTerms

    /// Asks for it.
    public init(_ terms: ContactTerms) { self.terms = terms }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> ContactTerms {
        let (store, new) = (node.store, terms.terms)
        return ContactTerms(
            try await asNode {
                try await store.setPeerTerms(new)
                return try await store.peerTerms()
            })
    }
}

extension Node {
    /// All contacts.
    func contacts() async throws(NodeError) -> Contacts {
        let (store, now) = (store, time.date)
        return try await asNode { try await Contacts(store, at: now) }
    }

    /// The peer that a contact is.
    func peer(_ contact: ContactID) async throws(NodeError) -> (StoredPeer, Contacts) {
        let contacts = try await contacts()
        guard let peer = contacts.peers.first(where: { $0.id == contact.peer }) else {
            throw NodeError(.noSuchContact, "There is no such contact any more.")
        }
        return (peer, contacts)
    }

    /// Changes something about a contact, and tells of it.
    func change(
        _ contact: ContactID, _ body: (Store, PeerID) async throws -> Void
    ) async throws(NodeError) -> ContactInfo {
        let (peer, _) = try await peer(contact)
        try await asNode { try await body(store, peer.id) }
        hub.publish([.contactChanged(contact)])
        let (changed, contacts) = try await self.peer(contact)
        return contacts.describe(changed)
    }
}
