public import KamuneCrypto
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What an initiator needs to resume a session: kept from the session before (§9).
public struct ResumptionTicket: ~Copyable, Sendable {
    let sessionID: String
    let token: SecretBytes
    let peer: PublicIdentity
    let peerCapabilities: CapabilitySet

    /// A ticket for one attempt: a token serves once.
    ///
    /// - Parameters:
    ///   - sessionID: The session's identifier, 24 characters.
    ///   - token: One of the session's tokens (``ResumptionRoot/token(at:)``), not used before.
    ///   - peer: The identity that the session was with. Nobody else is accepted.
    ///   - peerCapabilities: What that peer announced when the session was established.
    public init(
        sessionID: String, token: consuming SecretBytes, peer: PublicIdentity, peerCapabilities: CapabilitySet
    ) {
        self.sessionID = sessionID
        self.token = token
        self.peer = peer
        self.peerCapabilities = peerCapabilities
    }

    consuming func request() throws(ProtocolError) -> [UInt8] {
        var wire = WireResumeRequest()
        wire.sessionID = sessionID
        wire.token = token.withUnsafeBytes { .init($0) }
        return try wire.encoded()
    }
}

/// A peer's wish to resume, as a responder receives it. Nothing in it is believed before ``verified(as:)``.
public struct ResumptionRequest: Sendable {
    /// The session that the peer names.
    public let sessionID: String
    private let token: [UInt8]
    private let envelope: Envelope

    init(_ envelope: Envelope) throws(ProtocolError) {
        do {
            let wire = try WireResumeRequest(serializedBytes: Array(envelope.unverifiedData))
            sessionID = wire.sessionID
            token = Array(wire.token)
        } catch {
            throw .peerMisbehaved(.malformedMessage(.resumeRequest))
        }
        self.envelope = envelope
    }

    /// Checks that the request comes from the peer whom the session was with. Only then may its token be looked up and
    /// spent, so that a forged request burns no token.
    ///
    /// - Throws: ``ProtocolError/AuthenticationFailure/invalidSignature``.
    public func verified(as peer: PublicIdentity) throws(ProtocolError) -> VerifiedResumption {
        _ = try envelope.verified(by: peer).expecting(.resumeRequest)
        return VerifiedResumption(sessionID: sessionID, token: token, peer: peer)
    }
}

/// A request to resume whose signature was found right. Only ``ResumptionRequest/verified(as:)`` makes one.
public struct VerifiedResumption: Sendable {
    /// The session to be resumed.
    public let sessionID: String
    /// The token that the peer presents: to be looked up among those of the session, in constant time, and spent.
    public let token: [UInt8]
    /// Who asks.
    public let peer: PublicIdentity

    fileprivate init(sessionID: String, token: [UInt8], peer: PublicIdentity) {
        self.sessionID = sessionID
        self.token = token
        self.peer = peer
    }
}

/// The responder's answer to a request to resume.
enum ResumptionAnswer {
    static func encode(accepted: Bool) throws(ProtocolError) -> [UInt8] {
        var wire = WireResumeAccept()
        wire.accepted = accepted
        // Always the same reason: which of the checks failed is nobody's business.
        wire.reason = accepted ? "" : ProtocolConstants.resumptionRefusal
        return try wire.encoded()
    }

    static func check(_ envelope: VerifiedEnvelope) throws(ProtocolError) {
        let wire: WireResumeAccept
        do {
            wire = try WireResumeAccept(serializedBytes: Array(envelope.data))
        } catch {
            throw .peerMisbehaved(.malformedMessage(.resumeAccept))
        }
        guard wire.accepted else { throw .refused(.resumption(reason: wire.reason)) }
    }
}
