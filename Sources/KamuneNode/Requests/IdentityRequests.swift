public import Foundation
public import Kamune
import KamuneStore
import KamuneSystem

/// One of the person's own identities.
public struct IdentityInfo: Codable, Sendable, Equatable {
    /// The fingerprint's `sum` form.
    public var fingerprint: String
    /// The fingerprint's emoji.
    public var emoji: [String]
    /// The key.
    public var publicKey: PublicKeyText
    /// The key's algorithm.
    public var algorithm: String
    /// What others are told to call the person; empty for none.
    public var name: String
    /// When it was made.
    public var created: Date
    /// When another took its place; nil while it is in use.
    public var retired: Date?
    /// Whether it is the one in use.
    public var isCurrent: Bool
    /// Whether its private key is kept.
    public var hasPrivateKey: Bool
    /// Whether it vouches for the one in use.
    public var vouches: Bool

    init(_ identity: StoredIdentity, vouching: [PublicIdentity]) {
        fingerprint = identity.publicKey.fingerprint.sum
        emoji = identity.publicKey.fingerprint.emoji
        publicKey = PublicKeyText(identity.publicKey)
        algorithm = identity.publicKey.algorithm.rawValue
        name = identity.name
        created = identity.created
        retired = identity.retired
        isCurrent = identity.isCurrent
        hasPrivateKey = identity.privateKey != nil
        vouches = vouching.contains(identity.publicKey)
    }
}

/// The person's identities.
public struct ListIdentities: NodeRequest {
    /// How it is called.
    public static let name = "identities.list"

    /// The identities.
    public struct Answer: Codable, Sendable, Equatable {
        /// Oldest first, retired ones too.
        public var identities: [IdentityInfo]
    }

    /// Asks for them.
    public init() {}

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        Answer(identities: try await node.identities())
    }
}

/// Who we are in conversations. Makes an identity when there is none.
public struct GetSelf: NodeRequest {
    /// How it is called.
    public static let name = "identities.self"

    /// Who we are.
    public struct Answer: Codable, Sendable, Equatable {
        /// The key.
        public var publicKey: PublicKeyText
        /// What others are told to call us.
        public var name: String
        /// Whether the identity was made for this, just now.
        public var isNew: Bool
    }

    /// Asks for it.
    public init() {}

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let endpoint = try await node.talker().endpoint
        return Answer(
            publicKey: PublicKeyText(endpoint.identity.publicKey), name: endpoint.name,
            isNew: await node.hasNewIdentity())
    }
}

/// Has others be told another name.
public struct NameIdentity: NodeRequest {
    /// How it is called.
    public static let name = "identities.name"
    /// The identity in use, as it is then.
    public typealias Answer = IdentityInfo

    /// The name; empty for none.
    public var newName: String

    /// Asks for it.
    public init(_ name: String) { newName = name }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> IdentityInfo {
        let (store, name) = (node.store, newName)
        try await asNode {
            guard let current = try await store.currentIdentity() else { throw NodeError.noIdentity }
            try await store.rename(current.id, to: name)
        }
        await node.nameHasChanged(to: name)
        return try await node.currentIdentity()
    }
}

/// Makes a new identity. One that is in use is retired, and does not vouch for it.
public struct CreateIdentity: NodeRequest {
    /// How it is called.
    public static let name = "identities.create"
    /// The identity.
    public typealias Answer = IdentityInfo

    /// The algorithm: `ed25519` or `ml-dsa-65`.
    public var algorithm: String
    /// Whether one that is in use is retired; else there must be none.
    public var replaces: Bool?
    /// The store's passphrase, where one that is in use is retired; nil where the store has none.
    public var passphrase: SecretText?

    /// Asks for it.
    public init(_ algorithm: IdentityAlgorithm, replaces: Bool = false, passphrase: SecretText? = nil) {
        (self.algorithm, self.replaces, self.passphrase) = (algorithm.rawValue, replaces, passphrase)
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> IdentityInfo {
        let algorithm = try IdentityAlgorithm(named: algorithm)
        // Whoever finds a window open must not take the person's identity away.
        if replaces == true { try await node.check(passphrase, from: client) }
        let identity = try await asNode { try Identity.generate(algorithm) }
        return try await node.adopt(identity, replacing: replaces ?? false)
    }
}

/// Makes an identity of a private key.
public struct ImportIdentity: NodeRequest {
    /// How it is called.
    public static let name = "identities.import"
    /// The identity.
    public typealias Answer = IdentityInfo

    /// The private key in PEM (PKCS #8).
    public var pem: SecretText
    /// Whether one that is in use is retired; else there must be none.
    public var replaces: Bool?
    /// The store's passphrase; nil where it has none.
    public var passphrase: SecretText?

    /// Asks for it.
    public init(_ identity: Identity, replaces: Bool = false, passphrase: SecretText? = nil) {
        (self.pem, self.replaces, self.passphrase) = (SecretText(identity.pemBytes()), replaces, passphrase)
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> IdentityInfo {
        let identity: Identity
        do throws(CryptoError) {
            identity = try pem.withSecret { secret throws(CryptoError) in try Identity(pem: secret) }
        } catch {
            throw NodeError(.invalidParameter, error.description)
        }
        // Others would believe whoever has brought this key to be the person.
        try await node.check(passphrase, from: client)
        return try await node.adopt(identity, replacing: replaces ?? false)
    }
}

/// Gives out the private key of the identity in use.
public struct ExportIdentity: NodeRequest {
    /// How it is called.
    public static let name = "identities.export"

    /// The key.
    public struct Answer: Codable, Sendable {
        /// The private key in PEM (PKCS #8).
        public var pem: SecretText
    }

    /// The store's passphrase; nil where it has none.
    public var passphrase: SecretText?

    /// Asks for it.
    public init(passphrase: SecretText?) { self.passphrase = passphrase }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        try await node.check(passphrase, from: client)
        let store = node.store
        let identity = try await asNode { try await store.currentIdentity()?.privateKey }
        guard let identity else { throw .noIdentity }
        return Answer(pem: SecretText(identity.pemBytes()))
    }
}

/// Takes a new identity that the one in use vouches for.
public struct RotateIdentity: NodeRequest {
    /// How it is called.
    public static let name = "identities.rotate"
    /// The new identity.
    public typealias Answer = IdentityInfo

    /// The algorithm: `ed25519` or `ml-dsa-65`.
    public var algorithm: String
    /// The key of the one in use: when it is another by now, nothing is done.
    public var from: PublicKeyText

    /// Asks for it.
    public init(to algorithm: IdentityAlgorithm, from: PublicKeyText) {
        (self.algorithm, self.from) = (algorithm.rawValue, from)
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> IdentityInfo {
        let (store, time, expected) = (node.store, node.time, from.key)
        let algorithm = try IdentityAlgorithm(named: algorithm)
        try await asNode {
            guard let current = try await store.currentIdentity(), let old = current.privateKey else {
                throw NodeError.noIdentity
            }
            guard current.publicKey == expected else {
                throw NodeError(.conflict, "Another identity is in use by now, so nothing was done.")
            }
            let new = try Identity.generate(algorithm)
            let now = time.date
            let statement = try SuccessionStatement(
                from: old, to: new, milliseconds: Int64(now.timeIntervalSince1970 * 1_000))
            try await store.add(new, name: current.name, at: now, statement: statement.encoded)
        }
        await node.identityHasChanged()
        return try await node.currentIdentity()
    }
}

/// Erases the private keys of retired identities.
public struct EraseOldIdentities: NodeRequest {
    /// How it is called.
    public static let name = "identities.erase_old"

    /// What was erased.
    public struct Answer: Codable, Sendable, Equatable {
        /// How many private keys.
        public var erased: Int
    }

    /// The keys of the identities whose private keys are erased; those that are not retired are left alone.
    public var publicKeys: [PublicKeyText]
    /// The store's passphrase; nil where it has none.
    public var passphrase: SecretText?

    /// Asks for it.
    public init(_ publicKeys: [PublicKeyText], passphrase: SecretText? = nil) {
        (self.publicKeys, self.passphrase) = (publicKeys, passphrase)
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        try await node.check(passphrase, from: client)
        let (store, keys) = (node.store, Set(publicKeys.map(\.key)))
        return Answer(
            erased: try await asNode {
                let retired = try await store.identities().filter {
                    !$0.isCurrent && $0.privateKey != nil && keys.contains($0.publicKey)
                }
                for identity in retired { try await store.erasePrivateKey(of: identity.id) }
                return retired.count
            })
    }
}

extension NodeError {
    static let noIdentity = NodeError(.noIdentity, "There is no identity yet.")
}

extension IdentityAlgorithm {
    fileprivate init(named name: String) throws(NodeError) {
        guard let algorithm = IdentityAlgorithm(rawValue: name) else {
            throw NodeError(.invalidParameter, "The algorithm is ed25519 or ml-dsa-65.")
        }
        self = algorithm
    }
}

extension Node {
    /// All identities.
    func identities() async throws(NodeError) -> [IdentityInfo] {
        let store = store
        return try await asNode {
            let all = try await store.identities()
            guard let current = all.first(where: \.isCurrent) else {
                return all.map { IdentityInfo($0, vouching: []) }
            }
            let vouching = try await store.succession(to: current.publicKey).formerKeys
            return all.map { IdentityInfo($0, vouching: vouching) }
        }
    }

    /// The identity in use, if there is one.
    func identity() async throws(NodeError) -> IdentityInfo? {
        try await identities().first(where: \.isCurrent)
    }

    /// The identity in use.
    func currentIdentity() async throws(NodeError) -> IdentityInfo {
        guard let current = try await identity() else { throw .noIdentity }
        return current
    }

    fileprivate func adopt(_ identity: Identity, replacing: Bool) async throws(NodeError) -> IdentityInfo {
        let (store, now) = (store, time.date)
        try await asNode {
            let current = try await store.currentIdentity()
            guard current == nil || replacing else {
                throw NodeError(.identityExists, "An identity exists already.")
            }
            try await store.add(identity, name: current?.name ?? "", at: now)
        }
        await identityHasChanged()
        return try await currentIdentity()
    }

    /// Others are told another name from the next session on; those that there are go on.
    fileprivate func nameHasChanged(to name: String) async {
        if configuration.name == nil, configuration.identity == nil {
            presentTalker?.rename(to: name.isEmpty ? nil : name)
        }
        hub.publish([.identityChanged])
    }
}
