import Kamune

/// A relay as programs write it: `tcp://`, `tls://`, `ws://` or `wss://` before its address, or nothing for `ws://`, and
/// perhaps `?insecure=true` after it.
struct RelayTarget {
    /// How the relay is reached: the scheme's name.
    let scheme: String
    /// The relay's host and port.
    let host: String
    private let options: String
    private let token: String
    private let key: [UInt8]?

    private static let schemes = ["tcp", "ws", "wss", "tls"]

    /// - Throws: ``DaemonError/Code/invalidParams``: the address is none.
    init(_ parameters: EndpointParameters) throws(DaemonError) {
        var rest = Substring(parameters.relayAddress.filter { !$0.isWhitespace })
        var scheme = "ws"
        if let separator = rest.firstRange(of: "://") {
            scheme = String(rest[..<separator.lowerBound])
            rest = rest[separator.upperBound...]
        }
        guard Self.schemes.contains(scheme) else {
            throw DaemonError(.invalidParams, "invalid params: relay_addr has the unknown scheme \(Quoted(scheme))")
        }
        self.scheme = scheme
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        host = String(parts.first ?? "")
        // Without TLS there is nothing that could be insecure, and the Go daemon says nothing against it.
        options = parts.count == 2 && ["tls", "wss"].contains(scheme) ? "?\(parts[1])" : ""
        key = parameters.password.flatMap { password in
            let bytes = password.bytes.withUnsafeBytes { Array($0) }
            return bytes.isEmpty ? nil : bytes
        }
        token = parameters.token
        do {
            try Endpoint.checkAddress(address, isForListening: true)
        } catch {
            throw DaemonError(.invalidParams, "invalid params: relay_addr or token: \(error.message)")
        }
    }

    /// The address, as whoever dials or listens takes it.
    var address: String {
        let plain = "relay+\(scheme)://\(host)\(options)\(token.isEmpty ? "" : "#\(token)")"
        return key.map { RelayAddressText.keyed(plain, $0) } ?? plain
    }
}

extension EndpointParameters {
    /// The address, with the way before it; a relay's with its key, and with the token if there is one.
    ///
    /// - Throws: ``DaemonError/Code/invalidParams`` when there is none, or one that has a way of its own.
    func target(_ way: Way) throws(DaemonError) -> String {
        way == .relay ? try RelayTarget(self).address : try direct(way)
    }
}
