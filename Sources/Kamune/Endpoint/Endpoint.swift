import KamuneCrypto
import KamuneProtocol
package import KamuneTransport

/// Somebody who talks: an identity, a name, and a rule on whom to talk to. From here one dials and listens.
///
/// ```swift
/// let me = Endpoint(identity: .generate(.ed25519), name: "Ada", verifier: .anyone)
/// let session = try await me.dial("example.org:9000")
/// ```
public struct Endpoint: Sendable {
    /// Who we are. Every message is signed with it.
    public let identity: Identity
    /// The name that peers are told.
    public let name: String
    /// Whom we talk to.
    public let verifier: any PeerVerifier
    /// Limits and timeouts.
    public let configuration: Configuration

    /// An endpoint.
    ///
    /// - Parameters:
    ///   - identity: Ed25519, which programs of version 0.7 read too, or ML-DSA-65, which also resists a quantum computer
    ///     at the time of the handshake.
    ///   - name: By default the fingerprint of the identity, as programs of version 0.7 do.
    ///   - verifier: Asked about every peer.
    public init(
        identity: Identity, name: String? = nil, verifier: some PeerVerifier, configuration: Configuration = .init()
    ) {
        self.identity = identity
        self.name = name ?? identity.publicKey.fingerprint.sum
        self.verifier = verifier
        self.configuration = configuration
    }

    /// Connects to a peer that listens, and establishes a session.
    ///
    /// - Parameter address: `host:port` or `tcp://host:port`, or `udp://host:port` for KCP over UDP; IPv6 addresses in
    ///   brackets.
    /// - Throws: ``KamuneError``: `invalidAddress`, `nameNotResolved`, `unreachable`, `timedOut`, `refusedByPeer`,
    ///   `refusedByUs`, `incompatible`, `authenticationFailed`, `protocolViolation`, `connectionLost`, `cancelled`.
    public func dial(_ address: String) async throws(KamuneError) -> Session {
        let connection: any Connection
        do throws(TransportError) {
            let address = try Address(parsing: address)
            switch address.scheme {
            case .tcp:
                connection = try await TCPTransport.connect(to: address, configuration: configuration.transport)
            case .udp:
                connection = try await UDPTransport.connect(to: address, configuration: configuration.transport)
            }
        } catch {
            throw KamuneError(error)
        }
        return try await initiate(over: connection)
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
                listener = try await UDPTransport.listen(on: address, configuration: configuration.transport)
            }
            return Listener(self, listener)
        } catch {
            throw KamuneError(error)
        }
    }

    /// Establishes a session over a connection of any kind, as its initiator. The connection is closed when that fails.
    package func initiate(over connection: any Connection) async throws(KamuneError) -> Session {
        try await establish(over: connection, role: .initiator)
    }

    /// Establishes a session over a connection of any kind, as its responder. The connection is closed when that fails.
    package func respond(
        over connection: any Connection, onIntroduction: @escaping @Sendable () -> Bool = { true }
    ) async throws(KamuneError) -> Session {
        try await establish(over: connection, role: .responder, onIntroduction: onIntroduction)
    }

    private func establish(
        over connection: any Connection, role: Role, onIntroduction: @escaping @Sendable () -> Bool = { true }
    ) async throws(KamuneError) -> Session {
        let driver = HandshakeDriver(
            connection: connection, verifier: verifier, configuration: configuration, identity: identity,
            onIntroduction: onIntroduction)
        let handshake = HandshakeConfiguration(
            identity: identity, name: name, capabilities: configuration.capabilities)
        let timeout = KamuneError(.timedOut, "The other side did not finish the handshake in time.")
        do throws(KamuneError) {
            return try await withDeadline(configuration.handshakeTimeout, expired: timeout) {
                () async throws(KamuneError) -> Session in
                switch role {
                case .initiator:
                    var machine = InitiatorMachine(configuration: handshake, random: SystemRandomSource())
                    let first: [UInt8]
                    do throws(ProtocolError) {
                        first = try machine.start()
                    } catch {
                        throw KamuneError(error)
                    }
                    return try await driver.run(machine, role: role, firstFrames: [first])
                case .responder:
                    let machine = ResponderMachine(configuration: handshake, random: SystemRandomSource())
                    return try await driver.run(machine, role: role, firstFrames: [])
                }
            }
        } catch {
            // A refusal of resumption may still be on its way out; everything else has nothing left to say.
            await connection.close()
            throw error
        }
    }
}
