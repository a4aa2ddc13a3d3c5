import Kamune

/// A word under which the server waits at its relay: `relayToken` of the Go daemon.
///
/// There they last for some minutes and for one peer; here for as long as the server runs, since it registers anew whenever
/// it is due. So they say that they do not expire.
struct DaemonRelayToken: Sendable {
    /// The word, in hexadecimal digits.
    let token: String
    /// Whether somebody has come by it.
    var isConsumed = false
    /// What it was made from.
    let mode: Mode
    /// Whom it was made for; empty for anybody.
    let peer: String

    enum Mode: String, Sendable {
        case random
        case fromKeys = "static"
    }

    /// One for anybody.
    init(_ token: String, _ mode: Mode = .random, peer: String = "") {
        self.token = token
        self.mode = mode
        self.peer = peer
    }

    /// That under which a server waits; nil when it waits at no relay.
    init?(of address: String, _ mode: Mode = .random, peer: String = "") {
        guard RelayAddressText.isOne(address), let mark = address.firstIndex(of: "#") else { return nil }
        self.init(String(address[address.index(after: mark)...]), mode, peer: peer)
    }

    /// The last moment that the form of times can say.
    private static let never = "9999-12-31T23:59:59Z"

    var value: JSONValue {
        var members = [
            JSONMember("token", .text(token)), JSONMember("consumed", .flag(isConsumed)),
            JSONMember("ttl_ns", .integer(0)), JSONMember("session_ttl_ns", .integer(0)),
            JSONMember("expires_at", .text(Self.never)), JSONMember("mode", .text(mode.rawValue)),
        ]
        if !peer.isEmpty { members.append(JSONMember("peer_pub_b64", .text(peer))) }
        return .object(members)
    }

    /// What is said of one that was just made.
    var announcement: KeyValuePairs<String, JSONValue> {
        [
            "token": .text(token), "ttl_ns": .integer(0), "session_ttl_ns": .integer(0),
            "expires_at": .text(Self.never),
        ]
    }
}
