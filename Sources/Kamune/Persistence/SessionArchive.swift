import Foundation
import KamuneCrypto
import KamuneProtocol
public import KamuneStore
import KamuneSystem
import KamuneTransport

/// Keeps the records of sessions and their single-use tokens, and finds them again (§9). Whether somebody is let in is
/// judged by the store, in the transaction in which that takes effect.
struct SessionArchive: Sendable {
    let store: Store
    /// Who we are. A session is resumed only by the identity that it was made with.
    let identity: PublicIdentity
    /// What we announce.
    var capabilities: CapabilitySet
    let time: any TimeSource

    /// A session as the handshake left it, to be kept.
    struct Established: Sendable {
        var identifier: String
        var isInitiator: Bool
        var transport: String
        var tokens: [[UInt8]]
    }

    /// With whom a session was established, and what that stands on.
    enum Counterpart: Sendable {
        /// Somebody who introduced themselves and was accepted.
        case introduced(Peer, AcceptanceGrounds)
        /// The peer of an earlier session.
        case resumed(ResumptionRight)

        /// Whether neither a person nor the store has said that we want to talk to them: what is held for them has one
        /// bound together then.
        var isStranger: Bool {
            switch self {
            case .introduced(_, .policy): true
            case .introduced(_, .known), .introduced(_, .person), .resumed: false
            }
        }
    }

    private var announced: [String] { capabilities.map(\.name) }

    // MARK: Resuming

    /// The key that somebody has now whom we want to reach by this one: they may have given it up for another.
    func presentKey(of key: PublicIdentity) async throws(KamuneError) -> PublicIdentity {
        do throws(StoreError) {
            return try await store.read { try $0.presentKey(of: key) }
        } catch {
            throw KamuneError(error)
        }
    }

    /// Whether somebody whom we know says why, when we are not let in (§10.8), and we would understand it.
    func saysWhy(_ key: PublicIdentity) async -> Bool {
        guard capabilities.contains(.refusal) else { return false }
        return (try? await store.peer(withKey: key))?.capabilities.contains(Capability.refusal.name) ?? false
    }

    /// The right to resume the latest session with a peer, as its initiator, its token struck from the store; nil when none
    /// can be resumed.
    func takeResumption(with peer: PublicIdentity) async throws(KamuneError) -> ResumptionRight? {
        let (identity, announced, now) = (identity, announced, time.date)
        do throws(StoreError) {
            return try await store.write {
                try $0.takeResumption(with: peer, as: identity, announcing: announced, at: now)
            }
        } catch {
            throw KamuneError(error)
        }
    }

    /// Grants a peer's wish to resume, and strikes its token from the store; nil refuses it, for whatever reason. The order
    /// matters: only a request that the peer itself signed may cost a token.
    func grant(
        _ request: ResumptionRequest
    ) async throws(KamuneError) -> (resumption: VerifiedResumption, right: ResumptionRight)? {
        let (identity, announced, now) = (identity, announced, time.date)
        do throws(StoreError) {
            // The signature is checked outside of the transaction, which then finds that the key is still the peer's.
            let signer = try await store.read { transaction in
                try transaction.session(identifier: request.sessionID).flatMap { try transaction.peer($0.peer)?.key }
            }
            guard let signer, let verified = try? request.verified(as: signer) else { return nil }
            let right = try await store.write { transaction in
                try transaction.grantResumption(
                    of: verified.sessionID, by: verified.token, signedBy: signer, as: identity, announcing: announced,
                    at: now)
            }
            return right.map { (verified, $0) }
        } catch {
            throw KamuneError(error)
        }
    }

    // MARK: Recording

    /// Keeps a session and its tokens, and with it the peer, if they are still to be let in.
    ///
    /// - Throws: ``KamuneError/Code/refusedByUs`` when they are not.
    func keep(
        _ session: Established, with counterpart: Counterpart
    ) async throws(KamuneError) -> KeptSession {
        let (identity, announced, capabilities, now) = (identity, announced, capabilities, time.date)
        do throws(StoreError) {
            return try await store.write { transaction in
                switch counterpart {
                case .introduced(let peer, let grounds):
                    let theirs = CapabilitySet(peer.capabilities.compactMap { Capability($0) })
                    return try transaction.establish(
                        EstablishedSessionRecord(
                            identifier: session.identifier, identity: identity, transport: session.transport,
                            isInitiator: session.isInitiator, agreed: capabilities.intersection(theirs).map(\.name),
                            announced: SessionAnnouncements(own: announced, peer: peer.capabilities),
                            tokens: session.tokens),
                        with: PeerIntroductionRecord(peer), on: grounds, at: now)
                case .resumed(let right):
                    return try transaction.renew(
                        right.session.id, with: right.peer.key, transport: session.transport, tokens: session.tokens,
                        at: now)
                }
            }
        } catch {
            throw KamuneError(error)
        }
    }

    /// Notes that a person has accepted somebody who does not talk with us yet.
    ///
    /// - Throws: ``KamuneError/Code/refusedByUs`` when they are not to be let in.
    func acquaint(with peer: Peer, on grounds: AcceptanceGrounds) async throws(KamuneError) {
        let now = time.date
        do throws(StoreError) {
            _ = try await store.write { transaction in
                try transaction.acquaint(with: PeerIntroductionRecord(peer), on: grounds, at: now)
            }
        } catch {
            throw KamuneError(error)
        }
    }

    /// Notes that a stranger wants to talk.
    ///
    /// - Returns: the request; nil when none was noted, with what the stranger is told of that.
    func note(
        _ peer: Peer, from network: Network?, isProven: Bool, note: String
    ) async throws(KamuneError) -> (request: StoredRequest?, told: HandshakeRefusal) {
        let now = time.date
        let new = NewRequest(
            key: peer.identity, name: peer.name, version: peer.version, capabilities: peer.capabilities,
            network: network?.description ?? "", isProven: isProven, note: note)
        do throws(StoreError) {
            if let request = try await store.noteRequest(new, at: now) { return (request, .waiting) }
            let isRefused = try await store.request(of: peer.identity, at: now)?.isRefused ?? false
            return (nil, isRefused ? .refused : .away)
        } catch {
            throw KamuneError(error)
        }
    }

    /// Notes how a session ended. After a graceful end it cannot be resumed. A record that is of a later session by now,
    /// because it was resumed meanwhile, stays as it is.
    func ended(_ session: StoredSession, _ end: SessionEnd) async {
        let isGraceful =
            switch end {
            case .closedByUs, .closedByPeer: true
            case .failed: false
            }
        // If the store fails now, the tokens stay until they expire: the session then can still be resumed.
        try? await store.endSession(session.id, at: time.date, gracefully: isGraceful, ifRenewed: session.renewed)
    }
}

extension ResumptionRight {
    /// What the two agreed on when the session was established.
    var agreed: CapabilitySet { CapabilitySet(session.capabilities.compactMap { Capability($0) }) }

    /// What the peer announced then.
    var peerCapabilities: CapabilitySet { CapabilitySet(peerAnnounced.compactMap { Capability($0) }) }

    /// For the handshake.
    func ticket() -> ResumptionTicket {
        ResumptionTicket(
            sessionID: session.identifier, token: SecretBytes(copying: token), peer: peer.key,
            peerCapabilities: peerCapabilities)
    }
}

extension KamuneError {
    /// An error of the store, so that a program has one type to catch; the ``cause`` is the error itself.
    public init(_ error: StoreError) {
        let code: Code =
            switch error {
            case .cancelled: .cancelled
            case .refused: .refusedByUs
            default: .system
            }
        self.init(code, error.description, cause: error)
    }
}

extension PeerIntroductionRecord {
    fileprivate init(_ peer: Peer) {
        self.init(
            key: peer.identity, name: peer.name, version: peer.version, capabilities: peer.capabilities,
            formerKeys: peer.formerKeys)
    }
}

extension Peer {
    /// A peer as the store knows them, for a resumed session, which has no introductions.
    init(_ right: ResumptionRight) {
        self.init(
            name: right.peer.givenName, identity: right.peer.key, version: right.peer.version,
            capabilities: right.peerAnnounced)
    }
}
