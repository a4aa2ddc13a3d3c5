public import KamuneCrypto
import SwiftProtobuf

/// What a peer says of itself at the start of a cold handshake (§6.2), once its signature was found right: that proves
/// who holds the key, and nothing about the name.
public struct PeerIntroduction: Equatable, Sendable {
    /// The name that the peer gave itself. Chosen freely by the peer: it proves nothing, and may hold any characters.
    public let name: String
    /// The identity whose signature the introduction bears.
    public let identity: PublicIdentity
    /// The version that the peer announced.
    public let version: AppVersion
    /// What the peer can do beyond the base protocol; nothing for peers of 0.7.
    public let capabilities: CapabilitySet
    /// The introduction as it arrived, for ``Announcements``.
    let encoded: [UInt8]

    /// Reads an introduction and checks its signature with the key that it brings.
    init(_ envelope: Envelope, localVersion: AppVersion) throws(ProtocolError) {
        let route = try envelope.claimedRoute()
        guard route == .identity else { throw .unexpectedRoute(expected: .identity, actual: route) }
        let wire: WireIntroduce
        do {
            wire = try WireIntroduce(serializedBytes: Array(envelope.unverifiedData))
        } catch {
            throw .malformedMessage(.identity)
        }
        let identity: PublicIdentity
        do {
            identity = try PublicIdentity(spki: Array(wire.publicKey))
        } catch {
            switch error {
            case .unsupportedAlgorithm(let oid): throw .unsupportedIdentityAlgorithm(oid: oid)
            default: throw .malformedIdentity(reason: "\(error)")
            }
        }
        encoded = Array(try envelope.verified(by: identity).data)
        self.identity = identity
        name = wire.name

        guard let version = AppVersion(wire.appVersion), localVersion.compatibility(with: version) != .incompatible
        else {
            throw .incompatibleVersion(local: localVersion.description, remote: wire.appVersion)
        }
        self.version = version
        capabilities = try CapabilitySet(announced: wire.capabilities)
    }
}

/// What we say of ourselves.
struct LocalIntroduction {
    let encoded: [UInt8]

    init(name: String, identity: PublicIdentity, version: AppVersion, capabilities: CapabilitySet) throws(ProtocolError)
    {
        var wire = WireIntroduce()
        wire.name = name
        wire.publicKey = .init(identity.spki)
        wire.appVersion = version.description
        wire.capabilities = capabilities.sorted.map(\.name)
        encoded = try wire.encoded()
    }
}
