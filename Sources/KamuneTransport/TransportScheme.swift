/// How frames travel between two peers.
public enum TransportScheme: String, Sendable, Hashable, CaseIterable {
    /// A TCP stream (RFC 9293). The scheme of an address that names none.
    case tcp
    /// UDP datagrams (RFC 768), made reliable by KCP.
    case udp
    /// Through a relay (docs/RELAY.md), which is reached over TCP.
    case relayTCP = "relay+tcp"
    /// Through a relay that is reached over TLS (RFC 8446).
    case relayTLS = "relay+tls"
    /// Through a relay that is reached over a WebSocket (RFC 6455).
    case relayWebSocket = "relay+ws"
    /// Through a relay that is reached over a WebSocket within TLS, as through a content delivery network.
    case relaySecureWebSocket = "relay+wss"

    /// Whether a relay is between the two, so that an address is the relay's, and says under which word they meet.
    public var isRelay: Bool {
        switch self {
        case .tcp, .udp: false
        case .relayTCP, .relayTLS, .relayWebSocket, .relaySecureWebSocket: true
        }
    }

    /// Whether TLS is between us and whom we connect to.
    var usesTLS: Bool {
        switch self {
        case .relayTLS, .relaySecureWebSocket: true
        case .tcp, .udp, .relayTCP, .relayWebSocket: false
        }
    }

    /// Whether frames are messages of a WebSocket.
    var usesWebSocket: Bool {
        switch self {
        case .relayWebSocket, .relaySecureWebSocket: true
        case .tcp, .udp, .relayTCP, .relayTLS: false
        }
    }

    /// The port of an address that names none: those of the web (RFC 9110, 4.2), where a relay passes for a part of it.
    var defaultPort: UInt16? {
        switch self {
        case .relayTLS, .relaySecureWebSocket: 443
        case .relayWebSocket: 80
        case .tcp, .udp, .relayTCP: nil
        }
    }
}
