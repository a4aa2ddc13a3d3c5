/// How frames travel between two peers.
public enum TransportScheme: String, Sendable, Hashable, CaseIterable {
    /// A TCP stream (RFC 9293). The scheme of an address that names none.
    case tcp
    /// UDP datagrams (RFC 768), made reliable by KCP.
    case udp
}
