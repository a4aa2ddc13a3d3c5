public import Foundation
import Kamune
import KamuneStore
import KamuneSystem

/// Trusts a key that came by another way than a session.
public struct AddContact: NodeRequest {
    /// How it is called.
    public static let name = "contacts.add"

    /// What came of it.
    public struct Answer: Codable, Sendable, Equatable {
        /// The contact; nil when only the fingerprint of the key is known, so that whoever shows that key first becomes it.
        public var contact: ContactInfo?
        /// Other contacts who are called the same, or whose names look alike: whoever says the name may mean either.
        public var similar: [ContactInfo]?
    }

    /// What the person calls the contact.
    public var ownName: String
    /// The key, or its fingerprint.
    public var key: KeyFingerprint
    /// Whether the person was told that this very key was given up, and accepts it all the same.
    public var overruling: Bool?

    /// Asks for it.
    public init(_ name: String, key: KeyFingerprint, overruling: Bool = false) {
        (self.ownName, self.key, self.overruling) = (name, key, overruling)
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let (store, now, name, overruling) = (node.store, node.time.date, ownName, overruling ?? false)
        let own = try await asNode { try await store.identities() }
        guard !own.contains(where: { key.matches($0.publicKey) }) else {
            throw NodeError(.invalidParameter, "This is your own key.")
        }
        let contacts = try await node.contacts()
        let known = contacts.peers.first { key.matches($0.key) }
        let alike = contacts.all.filter { !key.matches($0.key) && $0.looksLike(name) }
        let similar = alike.isEmpty ? nil : alike
        guard let key = key.key ?? known?.key else {
            let sum = key.sum
            let expected = try await asNode { try await store.textSettings(beginning: Expectation.prefix) }
            guard expected.count < Expectation.maximumCount else {
                throw NodeError(
                    .conflict, "There are \(Expectation.maximumCount) already of whom only the fingerprint is known.")
            }
            try await asNode { try await store.setTextSetting(Expectation.setting(sum), to: name) }
            return Answer(contact: nil, similar: similar)
        }
        let peer = try await asNode { try await store.trust(key, named: name, at: now, overruling: overruling) }
        let contact = ContactID(peer.id)
        node.hub.publish([.contactChanged(contact)])
        return Answer(contact: try await node.contacts().describe(peer), similar: similar)
    }
}

/// Those of whom only the fingerprint of the key is known: whoever shows it first is the contact.
public struct ListExpected: NodeRequest {
    /// How it is called.
    public static let name = "contacts.expected"

    /// Those who are expected.
    public struct Answer: Codable, Sendable, Equatable {
        /// In no particular order.
        public var expected: [ExpectedContact]
    }

    /// Somebody who is expected.
    public struct ExpectedContact: Codable, Sendable, Equatable {
        /// What the person calls them.
        public var name: String
        /// The fingerprint's `sum` form.
        public var fingerprint: String
    }

    /// Asks for them.
    public init() {}

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let store = node.store
        let all = try await asNode { try await store.textSettings(beginning: Expectation.prefix) }
        return Answer(
            expected: all.map {
                ExpectedContact(name: $0.value, fingerprint: String($0.key.dropFirst(Expectation.prefix.count)))
            }.sorted { $0.name < $1.name })
    }
}

/// Takes back that somebody is expected.
public struct ForgetExpected: NodeRequest {
    /// How it is called.
    public static let name = "contacts.forget_expected"
    /// It was done.
    public typealias Answer = Done

    /// The fingerprint's `sum` form.
    public var fingerprint: String

    /// Asks for it.
    public init(_ fingerprint: String) { self.fingerprint = fingerprint }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Done {
        let (store, setting) = (node.store, Expectation.setting(fingerprint))
        try await asNode { try await store.setTextSetting(setting, to: nil) }
        return Done()
    }
}

/// Somebody of whom the person knows the fingerprint of the key, and who has not shown the key yet.
enum Expectation {
    static let prefix = "contact.expected/"
    /// How many may be expected at once.
    static let maximumCount = 64

    static func setting(_ sum: String) -> String { prefix + sum }
}

/// An address at which a contact may be reached.
public struct AddressInfo: Codable, Sendable, Equatable {
    /// The address.
    public var address: String
    /// How it became known.
    public var source: Source
    /// When a session was reached there last.
    public var lastWorked: Date?
    /// When none could be reached there last.
    public var lastFailed: Date?
    /// When it is not believed any more.
    public var expires: Date?

    /// How an address became known.
    public enum Source: String, Codable, Sendable, CaseIterable {
        /// The person said so.
        case given
        /// It was dialed, and the contact answered.
        case dialed
        /// The contact said so.
        case told
    }

    init(_ address: ContactAddress) {
        self.address = address.text
        switch address.source {
        case .given: source = .given
        case .dialed: source = .dialed
        case .told: source = .told
        }
        (lastWorked, lastFailed, expires) = (address.lastWorked, address.lastFailed, address.expires)
    }
}

/// Where a contact may be reached.
public struct ListAddresses: NodeRequest {
    /// How it is called.
    public static let name = "contacts.addresses"

    /// The addresses.
    public struct Answer: Codable, Sendable, Equatable {
        /// The most promising first.
        public var addresses: [AddressInfo]
    }

    /// Whom.
    public var contact: ContactID

    /// Asks for them.
    public init(of contact: ContactID) { self.contact = contact }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let (store, now) = (node.store, node.time.date)
        let peer = try await node.peer(contact).0
        return Answer(
            addresses: try await asNode { try await store.addresses(of: peer.id, at: now) }.map { AddressInfo($0) })
    }
}

/// Adds addresses at which a contact may be reached, or takes them away.
public struct ChangeAddresses: NodeRequest {
    /// How it is called.
    public static let name = "contacts.change_addresses"
    /// The addresses, as they are then.
    public typealias Answer = ListAddresses.Answer

    /// Whose.
    public var contact: ContactID
    /// Those to add.
    public var add: [String]
    /// Those to take away.
    public var remove: [String]?

    /// Asks for it.
    public init(of contact: ContactID, adding add: [String], removing remove: [String] = []) {
        (self.contact, self.add, self.remove) = (contact, add, remove)
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let (store, now) = (node.store, node.time.date)
        let peer = try await node.peer(contact).0
        let (add, remove) = (add, remove ?? [])
        try await asNode {
            for address in add { try Endpoint.checkAddress(address, isForListening: false) }
            for address in add { try await store.addAddress(address, of: peer.id, at: now) }
            for address in remove { try await store.removeAddress(address, of: peer.id) }
        }
        node.hub.publish([.contactChanged(contact)])
        await node.noteAddresses(of: contact)
        return try await ListAddresses(of: contact).perform(on: node, for: client)
    }
}
