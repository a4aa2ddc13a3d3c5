import KamuneCrypto

/// The parameters of a command, as they stand on the line. Each command reads what it knows.
public struct DaemonParameters: Sendable {
    private let value: JSONValue?

    /// Parameters; nil when the line has none.
    init(_ value: JSONValue?) {
        self.value = value
    }

    /// Whether there are none.
    var isEmpty: Bool {
        switch value {
        case nil, .null: true
        default: false
        }
    }

    /// Reads them.
    ///
    /// - Throws: ``DaemonError/Code/invalidParams`` when there are none, or one is something else than it should be.
    func read<Result>(
        _ body: (JSONMembers) throws(JSONMembers.Mismatch) -> Result
    ) throws(DaemonError) -> Result {
        guard let value else { throw DaemonError(.invalidParams, "invalid params: they are missing") }
        guard let members = JSONMembers(value) else {
            throw DaemonError(.invalidParams, "invalid params: they are no object but \(value.kind)")
        }
        do throws(JSONMembers.Mismatch) {
            return try body(members)
        } catch {
            throw DaemonError(.invalidParams, "invalid params: \(error)")
        }
    }
}

/// How to reach, or be reached, over the network.
struct EndpointParameters: Sendable {
    var address: String
    var transport: String
    var relayAddress: String
    var name: String
    var brokerAddress: String
    var directPeerAddress: String
    /// The relay's key.
    var password: JSONSecret?
    /// Under which word somebody waits at the relay.
    var token: String

    init(_ members: JSONMembers) throws(JSONMembers.Mismatch) {
        address = try members.text("addr")
        transport = try members.text("transport")
        relayAddress = try members.text("relay_addr")
        name = try members.text("name")
        brokerAddress = try members.text("broker_addr")
        directPeerAddress = try members.text("direct_peer_addr")
        password = try members.secret("password")
        token = try members.text("token")
        // These are for hole punching. They are read so that one that is wrong is found.
        _ = try members.text("p2p_token")
        _ = try members.text("peer_pub_b64")
    }

    /// What to call where it goes: the address, or the relay's.
    var shownAddress: String { transport.lowercased() == "relay" ? relayAddress : address }

    /// A way over the network.
    enum Way: Sendable, Equatable {
        case tcp
        case udp
        case relay
    }

    /// The way that is asked for.
    ///
    /// - Throws: ``DaemonError/Code/notAvailable`` for those through others, and ``DaemonError/Code/unknownTransport``.
    func way() throws(DaemonError) -> Way {
        switch transport.lowercased() {
        case "", "tcp": return .tcp
        case "udp": return .udp
        case "relay":
            guard !relayAddress.isEmpty else {
                throw DaemonError(.invalidParams, "invalid params: relay_addr is missing")
            }
            return .relay
        case "p2p":
            guard !brokerAddress.isEmpty else {
                throw DaemonError(.invalidParams, "invalid params: broker_addr is missing")
            }
            throw DaemonError(.notAvailable, "Hole punching is not part of this version.")
        case "direct-p2p":
            guard !directPeerAddress.isEmpty else {
                throw DaemonError(.invalidParams, "invalid params: direct_peer_addr is missing")
            }
            throw DaemonError(.notAvailable, "Hole punching is not part of this version.")
        default: throw DaemonError(.unknownTransport, "unknown transport: \(Quoted(transport))")
        }
    }

    /// The address of a way without a relay, with that way before it.
    ///
    /// - Throws: ``DaemonError/Code/invalidParams`` when there is none, or one that has a way of its own.
    func direct(_ way: Way) throws(DaemonError) -> String {
        guard !address.isEmpty else { throw DaemonError(.invalidParams, "invalid params: addr is missing") }
        guard !address.contains("://") else {
            throw DaemonError(.invalidParams, "invalid params: addr is host:port; say tcp or udp by transport")
        }
        return way == .udp ? "udp://\(address)" : "tcp://\(address)"
    }
}

/// A peer's key as programs write it: base64 in either alphabet, padded or not.
enum PeerKey {
    static func read(_ text: String) throws(DaemonError) -> PublicIdentity {
        let text = text.filter { !$0.isWhitespace }
        guard !text.isEmpty else { throw DaemonError(.invalidPeerKey, "public key is required") }
        guard let bytes = Base64Text.decode(text, isStrict: false) else {
            throw DaemonError(.invalidPeerKey, "public key is not base64")
        }
        do throws(CryptoError) {
            return try PublicIdentity(spki: bytes)
        } catch {
            throw DaemonError(.invalidPeerKey, "public key of \(bytes.count) bytes is none that is known (PKIX)")
        }
    }
}
