import Foundation
import KamuneCrypto
import KamuneProtocol
import KamuneStore
import KamuneSystem

/// Keeps the records of sessions and their single-use tokens, and finds them again (§9).
struct SessionArchive: Sendable {
    let store: Store
    /// Who we are. A session is resumed only by the identity that it was made with.
    let identity: PublicIdentity
    let time: any TimeSource

    /// A session as the handshake left it, to be kept.
    struct Established: Sendable {
        var identifier: String
        var peer: Peer
        /// What both sides announced.
        var agreed: CapabilitySet
        var isInitiator: Bool
        var transport: String
        var tokens: [[UInt8]]
        /// Whether the peer introduced itself, so that what it said is to be noted.
        var isIntroduced: Bool
    }

    /// How many of the latest sessions with a peer are looked at for a token.
    private static let depth = 4

    // MARK: Resuming as the initiator

    /// A ticket to resume the latest session with a peer, its token struck from the store; nil when none can be resumed.
    ///
    /// - Parameter capabilities: What we announce now. A session that was made with more is not resumed with less.
    func ticket(for peer: PublicIdentity, announcing capabilities: CapabilitySet) async throws(KamuneError) -> Ticket? {
        do throws(StoreError) {
            guard let known = try await store.peer(withKey: peer), !known.isBlocked else { return nil }
            let ours = try await ownIdentity()
            for session in try await store.sessions(with: known.id, limit: Self.depth) {
                guard session.isInitiator, session.identity == ours, let agreed = session.agreed(within: capabilities),
                    let token = try await store.takeToken(of: session.id, at: time.date)
                else { continue }
                return Ticket(identifier: session.identifier, token: token, peer: known, agreed: agreed)
            }
            return nil
        } catch {
            throw KamuneError(error)
        }
    }

    /// What is needed to resume one session once.
    struct Ticket: Sendable {
        let identifier: String
        let token: [UInt8]
        let peer: StoredPeer
        let agreed: CapabilitySet

        func resumption() -> ResumptionTicket {
            ResumptionTicket(
                sessionID: identifier, token: SecretBytes(copying: token), peer: peer.key, peerCapabilities: agreed)
        }
    }

    // MARK: Resuming as the responder

    /// A peer's wish, found to be right: its token is struck from the store.
    struct Resolution: Sendable {
        let resumption: VerifiedResumption
        let peer: StoredPeer
        let agreed: CapabilitySet
    }

    /// Judges a peer's wish to resume; nil refuses it, for whatever reason. The order matters: only a request that the peer
    /// itself signed may cost a token.
    func resolve(
        _ request: ResumptionRequest, announcing capabilities: CapabilitySet
    ) async throws(KamuneError) -> Resolution? {
        do throws(StoreError) {
            guard let session = try await store.session(identifier: request.sessionID), !session.isInitiator,
                let agreed = session.agreed(within: capabilities),
                session.identity == (try await ownIdentity()),
                let peer = try await store.peer(session.peer), !peer.isBlocked,
                !peer.isExpired(at: time.date, expiry: try await store.peerExpiry())
            else { return nil }
            let verified: VerifiedResumption
            do throws(ProtocolError) {
                verified = try request.verified(as: peer.key)
            } catch {
                return nil
            }
            guard try await store.consumeToken(verified.token, of: session.id, at: time.date) else { return nil }
            return Resolution(resumption: verified, peer: peer, agreed: agreed)
        } catch {
            throw KamuneError(error)
        }
    }

    // MARK: Recording

    /// Keeps a session and its tokens, and with it the peer.
    func record(_ session: Established) async throws(KamuneError) -> StoredSession {
        do throws(StoreError) {
            let now = time.date
            let peer: StoredPeer
            if !session.isIntroduced, let known = try await store.peer(withKey: session.peer.identity) {
                try await store.setLastSeen(known.id, at: now)
                peer = known
            } else {
                // Accepting is the verifier's business; here the peer is only noted. Who has taken a new identity is the
                // same as before from now on, and no sooner: an introduction alone could be somebody else's, replayed.
                peer = try await store.accept(
                    session.peer.identity, name: Self.kept(session.peer.name),
                    version: Self.kept(session.peer.version),
                    capabilities: session.peer.capabilities, at: now, renewing: false,
                    formerKeys: session.peer.formerKeys)
            }
            return try await store.store(
                NewSession(
                    peer: peer.id, identifier: session.identifier, established: now, transport: session.transport,
                    isInitiator: session.isInitiator, identity: try await ownIdentity(),
                    capabilities: session.agreed.map(\.name)),
                tokens: session.tokens)
        } catch {
            throw KamuneError(error)
        }
    }

    /// The longest name and version that are kept, in characters. They may be as long as a frame, which is neither.
    private static let maximumTextLength = 256

    private static func kept(_ text: String) -> String { String(text.prefix(maximumTextLength)) }

    /// Notes how a session ended. After a graceful end it cannot be resumed. A record that is of a later session by now,
    /// because it was resumed meanwhile, stays as it is.
    func ended(_ session: StoredSession, _ end: SessionEnd) async {
        let isGraceful =
            switch end {
            case .closedByUs, .closedByPeer: true
            case .failed: false
            }
        // If the store fails now, the tokens stay until they expire: the session then can still be resumed.
        try? await store.endSession(
            session.id, at: time.date, gracefully: isGraceful, ifEstablished: session.established)
    }

    private func ownIdentity() async throws(StoreError) -> IdentityID? {
        try await store.identities().first { $0.publicKey == identity }?.id
    }
}

extension StoredSession {
    /// What both sides agreed on when the session was made; nil when it is not all among what we announce now, since the
    /// peer would go on using it.
    fileprivate func agreed(within capabilities: CapabilitySet) -> CapabilitySet? {
        let agreed = CapabilitySet(self.capabilities.compactMap { Capability($0) })
        return agreed.intersection(capabilities) == agreed ? agreed : nil
    }
}

extension KamuneError {
    /// An error of the store, as the library's user sees it.
    init(_ error: StoreError) {
        self.init(error == .cancelled ? .cancelled : .system, error.description, cause: error)
    }
}

extension Peer {
    /// A peer as the store knows them, for a resumed session, which has no introductions.
    init(_ peer: StoredPeer) {
        self.init(
            name: peer.givenName, identity: peer.key, version: peer.version, capabilities: peer.capabilities)
    }
}
