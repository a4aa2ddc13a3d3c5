public import KamuneCrypto
import KamuneRelayProtocol
import KamuneTransport

/// What can be said of a relay's address without the network.
public enum RelayAddressText {
    /// Whether a text has the scheme of a relay: `relay+tcp`, `relay+tls`, `relay+ws` or `relay+wss`.
    public static func isOne(_ text: String) -> Bool {
        scheme(of: text) != nil
    }

    /// The address with the relay's key in it. It is read by whoever dials or listens, and never printed.
    ///
    /// - Parameter key: Its bytes.
    /// - Returns: The address as it is when it is no relay's, or has a key already.
    public static func keyed(_ text: String, _ key: some Sequence<UInt8>) -> String {
        guard let scheme = scheme(of: text), !text.contains("@") else { return text }
        let prefix = scheme + "://"
        return prefix + ":\(RelayOptions.escaped(key: key))@" + text.dropFirst(prefix.count)
    }

    /// The word that follows from two identities of Ed25519, in hexadecimal digits: under which programs of version 0.7 may
    /// meet. Anybody who knows both keys can compute it, and so learn at the relay whether the two meet there.
    ///
    /// - Returns: nil for an identity of another kind.
    public static func token(between own: PublicIdentity, _ peer: PublicIdentity) -> String? {
        guard own.algorithm == .ed25519, peer.algorithm == .ed25519 else { return nil }
        // What stands before the key is the same for all (RFC 8410, 4).
        return try? RelayToken.betweenKeys(own.spki.suffix(32), peer.spki.suffix(32)).hexadecimal
    }

    private static func scheme(of text: String) -> String? {
        guard let separator = text.firstRange(of: "://") else { return nil }
        let scheme = String(text[..<separator.lowerBound])
        // The form that version 0.7 shows.
        if scheme.lowercased() == "relay" { return scheme }
        return TransportScheme(rawValue: scheme.lowercased())?.isRelay == true ? scheme : nil
    }
}
