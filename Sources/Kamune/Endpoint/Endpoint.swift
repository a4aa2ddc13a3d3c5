import KamuneCrypto
import KamuneProtocol
public import KamuneStore
package import KamuneTransport

/// Somebody who talks: an identity, a name, and a rule on whom to talk to. From here one dials and listens.
///
/// ```swift
/// let me = Endpoint(identity: try .generate(.ed25519), name: "Ada", verifier: .anyone)
/// let session = try await me.dial("example.org:9000")
/// ```
public struct Endpoint: Sendable {
    /// Who we are. Every message is signed with it.
    public let identity: Identity
    /// The name that peers are told.
    public var name: String { ownName.value }
    /// Whom we talk to.
    public private(set) var verifier: any PeerVerifier
    /// Limits and timeouts.
    public internal(set) var configuration: Configuration
    /// Where sessions are kept, so that they can be resumed; nil to leave no trace of them.
    public let store: Store?
    /// Whether what is received is stored and acknowledged: a ``Messenger`` does that.
    var acknowledgesMessages = false
    /// By which our earlier identities vouch for this one.
    private let succession: OwnSuccession
    private(set) var ownName: OwnName

    /// An endpoint.
    ///
    /// - Parameters:
    ///   - identity: Ed25519, which programs of version 0.7 read too, or ML-DSA-65, which also resists a quantum computer
    ///     at the time of the handshake.
    ///   - name: By default the fingerprint of the identity, as programs of version 0.7 do.
    ///   - verifier: Asked about every peer.
    ///   - store: Keeps the sessions and their peers, so that a session that was lost can be resumed.
    ///   - succession: By which earlier identities vouch for this one; peers who know one of those are shown it. By default
    ///     what the store knows.
    public init(
        identity: Identity, name: String? = nil, verifier: some PeerVerifier, store: Store? = nil,
        configuration: Configuration = .init(), succession: Succession? = nil
    ) {
        self.store = store
        self.succession = OwnSuccession(of: identity.publicKey, known: succession, store: store)
        self.identity = identity
        ownName = OwnName(name, of: identity.publicKey)
        self.verifier = verifier
        self.configuration = configuration
    }

    /// The same endpoint with another rule on whom to talk to.
    ///
    /// - Parameter verifier: Asked in the place of ``verifier``; nil changes nothing.
    public func verified(by verifier: (any PeerVerifier)?) -> Endpoint {
        guard let verifier else { return self }
        var endpoint = self
        endpoint.verifier = verifier
        return endpoint
    }

    /// The same endpoint under another name.
    ///
    /// - Parameter name: What peers are told in the place of ``name``; nil changes nothing.
    public func named(_ name: String?) -> Endpoint {
        guard let name else { return self }
        var endpoint = self
        endpoint.ownName = OwnName(name, of: identity.publicKey)
        return endpoint
    }

    /// Connects to a peer that listens, and establishes a session.
    ///
    /// - Parameter address: `host:port` or `tcp://host:port`, or `udp://host:port` for KCP over UDP; IPv6 addresses in
    ///   brackets. A UDP address may choose its ``Configuration/udp`` options: `udp://host:port?turbo`,
    ///   `?congestion=cubic`, `?congestion=cubic&turbo`.
    /// - Parameter peer: Whom we want to reach; nobody else is accepted then. Who has given this key up for another, as the
    ///   ``store`` knows, is reached by that. If the store knows a session with them that can be resumed, it is; if that
    ///   fails, the two introduce themselves anew over another connection (see ``Session/resumptionFailure``).
    /// - Throws: ``KamuneError``: `invalidAddress`, `nameNotResolved`, `unreachable`, `timedOut`, `refusedByPeer`,
    ///   `refusedByUs`, `incompatible`, `authenticationFailed`, `protocolViolation`, `connectionLost`, `cancelled`,
    ///   `system`.
    public func dial(_ address: String, expecting peer: PublicIdentity? = nil) async throws(KamuneError) -> Session {
        var doubt: KamuneError?
        if let peer, let right = try await archive?.takeResumption(with: peer) {
            let connection = try await connect(to: address)
            do throws(KamuneError) {
                return try await establish(over: connection, role: .initiator, resuming: right)
            } catch {
                // Programs of version 0.7 refuse in practice, or just hang up. Whatever the reason, the token is spent, and
                // introductions tell more. But who seems to sit in between is told of, whatever comes of those.
                if error.code == .cancelled { throw error }
                if error.code == .authenticationFailed { doubt = error }
            }
        }
        do throws(KamuneError) {
            let connection = try await connect(to: address)
            return try await establish(over: connection, role: .initiator, expecting: peer, after: doubt)
        } catch {
            throw doubt.map { KamuneError(error.code, "\($0.message) Then: \(error.message)", cause: $0) } ?? error
        }
    }

    /// Finds out whether a text is an address at all, without asking the network.
    ///
    /// - Parameters:
    ///   - address: as for ``dial(_:expecting:)`` or ``listen(on:)``.
    ///   - isForListening: whether an address of every interface will do.
    /// - Throws: ``KamuneError/Code/invalidAddress``, with what is wrong.
    public static func checkAddress(_ address: String, isForListening: Bool) throws(KamuneError) {
        do throws(TransportError) {
            let parsed = try Address(parsing: address)
            if !isForListening { try parsed.checkDialable() }
        } catch {
            throw KamuneError(error)
        }
    }

    /// - Parameter isTold: Whether a peer has told the address: then not everything that its name resolves to will do.
    func connect(to address: String, isTold: Bool = false) async throws(KamuneError) -> any Connection {
        let connection: any Connection
        var limits = configuration.transport
        if isTold { limits.targets = .told }
        do throws(TransportError) {
            let address = try Address(parsing: address)
            switch address.scheme {
            case .tcp:
                connection = try await TCPTransport.connect(to: address, configuration: limits)
            case .udp:
                connection = try await UDPTransport.connect(
                    to: address, configuration: limits, options: configuration.udp)
            case .relayTCP, .relayTLS, .relayWebSocket, .relaySecureWebSocket:
                connection = try await RelayTransport.connect(to: address, configuration: limits)
            }
        } catch .nameNotResolved where isTold {
            throw KamuneError(
                .nameNotResolved, "The address that the peer has told leads nowhere, or where no peer may send us.")
        } catch {
            throw KamuneError(error)
        }
        return connection
    }

    var archive: SessionArchive? {
        store.map {
            SessionArchive(
                store: $0, identity: identity.publicKey, capabilities: capabilities, time: configuration.time)
        }
    }

    var capabilities: CapabilitySet {
        guard configuration.announcesCapabilities else { return .none }
        guard acknowledgesMessages else { return .all }
        // Who takes short messages only has no room for routes.
        let hasRoom = configuration.maximumMessageSize >= ToldRoutes.maximumPayloadSize
        return hasRoom ? .allWithStore : CapabilitySet(CapabilitySet.allWithStore.filter { $0 != .routes })
    }

    /// Waits for peers at an address.
    ///
    /// - Parameter address: `host:port`, `tcp://host:port` or `udp://host:port`, or `:port` for every interface; port 0 lets
    ///   the system choose (see ``Listener/address``).
    /// - Throws: ``KamuneError``: `invalidAddress`, `nameNotResolved`, `addressUnavailable`, `system`.
    public func listen(on address: String) async throws(KamuneError) -> Listener {
        do throws(TransportError) {
            let address = try Address(parsing: address)
            let listener: any ConnectionListener
            switch address.scheme {
            case .tcp:
                listener = try await TCPTransport.listen(on: address, configuration: configuration.transport)
            case .udp:
                var options = configuration.udp
                options.firstFrameSize = TunnelSuite.publicKeySize
                listener = try await UDPTransport.listen(
                    on: address, configuration: configuration.transport, options: options)
            case .relayTCP, .relayTLS, .relayWebSocket, .relaySecureWebSocket:
                listener = try await RelayTransport.listen(at: address, configuration: configuration.transport)
            }
            return Listener(self, listener)
        } catch {
            throw KamuneError(error)
        }
    }

    /// Establishes a session over a connection of any kind, as its initiator. The connection is closed when that fails.
    package func initiate(
        over connection: any Connection, expecting peer: PublicIdentity? = nil, isResuming: Bool = false
    ) async throws(KamuneError) -> Session {
        var right: ResumptionRight?
        if isResuming, let peer { right = try await archive?.takeResumption(with: peer) }
        return try await establish(over: connection, role: .initiator, expecting: peer, resuming: right)
    }

    /// Establishes a session over a connection of any kind, as its responder. The connection is closed when that fails.
    package func respond(over connection: any Connection) async throws(KamuneError) -> Session {
        try await establish(over: connection, role: .responder)
    }

    /// The same for a connection that has to keep its place among others.
    ///
    /// - Parameter onMilestone: Told what the peer has shown of itself; false drops the connection.
    func respond(
        over connection: any Connection, onMilestone: @escaping @Sendable (HandshakeMilestone) -> Bool
    ) async throws(KamuneError) -> Session {
        try await establish(over: connection, role: .responder, onMilestone: onMilestone)
    }

    /// - Parameter onAnswer: Waits, when the responder has answered, until it may be told who we are; yields what to resume.
    func establish(
        over connection: any Connection, role: Role = .initiator, expecting peer: PublicIdentity? = nil,
        resuming right: ResumptionRight? = nil, after doubt: KamuneError? = nil,
        onMilestone: (@Sendable (HandshakeMilestone) -> Bool)? = nil,
        onAnswer: (@Sendable () async throws(KamuneError) -> ResumptionRight?)? = nil
    ) async throws(KamuneError) -> Session {
        let timeout = KamuneError(.timedOut, "The other side did not finish the handshake in time.")
        do throws(KamuneError) {
            var verifier = self.verifier
            var peerSaysWhy = false
            if let peer {
                let key = try await archive?.presentKey(of: peer) ?? peer
                verifier = ExpectedPeer(identity: key, then: verifier)
                peerSaysWhy = await archive?.saysWhy(key) ?? false
            }
            let driver = HandshakeDriver(
                connection: connection, verifier: verifier, configuration: configuration, identity: identity,
                capabilities: capabilities, archive: archive, doubt: doubt, peerSaysWhy: peerSaysWhy,
                onMilestone: onMilestone, onAnswer: onAnswer)
            let handshake = HandshakeConfiguration(
                identity: identity, name: name, capabilities: capabilities,
                succession: capabilities.isEmpty ? .none : try await succession.find(),
                maximumFrameSize: connection.info.maximumFrameSize)
            return try await withDeadline(configuration.handshakeTimeout, by: configuration.alarms, expired: timeout) {
                () async throws(KamuneError) -> Session in
                switch role {
                case .initiator: try await driver.initiate(handshake, resuming: right)
                case .responder: try await driver.respond(handshake)
                }
            }
        } catch {
            // A refusal of resumption may still be on its way out; everything else has nothing left to say.
            await connection.close()
            throw error
        }
    }
}
