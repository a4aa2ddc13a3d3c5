public import KamuneCrypto
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

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
    /// By which earlier identities vouch for this one (§10.6).
    public let succession: Succession
    /// The introduction as it arrived, for ``Announcements``.
    let encoded: [UInt8]

    /// Reads an introduction and checks its signature with the key that it brings.
    init(_ envelope: Envelope, localVersion: AppVersion) throws(ProtocolError) {
        let route = try envelope.claimedRoute()
        guard route == .identity else { throw .peerMisbehaved(.unexpectedRoute(expected: .identity, actual: route)) }
        let wire: WireIntroduce
        do {
            wire = try WireIntroduce(serializedBytes: Array(envelope.unverifiedData))
        } catch {
            throw .peerMisbehaved(.malformedMessage(.identity))
        }
        let identity: PublicIdentity
        do {
            identity = try PublicIdentity(spki: Array(wire.publicKey))
        } catch {
            switch error {
            case .unsupportedAlgorithm(let oid): throw .incompatible(.identityAlgorithm(oid: oid))
            default: throw .peerMisbehaved(.malformedIdentity(reason: "\(error)"))
            }
        }
        encoded = Array(try envelope.verified(by: identity).data)
        self.identity = identity
        name = wire.name

        guard let version = AppVersion(wire.appVersion), localVersion.compatibility(with: version) != .incompatible
        else {
            throw .incompatible(.version(local: localVersion.description, remote: wire.appVersion))
        }
        self.version = version
        capabilities = try CapabilitySet(announced: wire.capabilities)
        // Without capabilities nothing binds the introduction to the handshake, and no sender of ours has a succession.
        succession =
            capabilities.isEmpty
            ? .none : try Succession(announced: wire.succession.map { Array($0) }, introducing: identity)
    }
}

/// What we say of ourselves.
struct LocalIntroduction {
    let encoded: [UInt8]

    init(_ configuration: HandshakeConfiguration) throws(ProtocolError) {
        let capabilities = configuration.capabilities
        var wire = WireIntroduce()
        wire.name = configuration.name
        wire.publicKey = .init(configuration.identity.publicKey.spki)
        wire.appVersion = configuration.version.description
        wire.capabilities = capabilities.sorted.map(\.name)
        let statements = capabilities.isEmpty ? [] : configuration.succession.statements
        wire.succession = statements.map { .init($0.encoded) }
        var encoded = try wire.encoded()
        // Beside a very long name the oldest ones have no room.
        while encoded.count > ProtocolConstants.maximumTransportSize, !wire.succession.isEmpty {
            wire.succession.removeFirst()
            encoded = try wire.encoded()
        }
        self.encoded = encoded
    }
}
