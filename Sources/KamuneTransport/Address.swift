internal import KamuneRelayProtocol
internal import NIOCore

/// Where a peer listens: `host:port`, `tcp://host:port` or `udp://host:port`; or where a relay does, and the word under which
/// two meet there: `relay+tcp://host:port#token`, and the same with `relay+tls`, `relay+ws` and `relay+wss`; also in the form
/// that version 0.7 shows, `relay://host:port?token=…&scheme=tcp`.
///
/// The host is a name, an IPv4 address, or an IPv6 address in brackets: `[::1]:9000`. A name with letters beyond ASCII is
/// kept in the form that the network knows it by (`xn--…`). For listening, `:9000` or only
/// `9000` means all interfaces, and port 0 lets the system choose. A UDP address may end in ``AddressOptions``, such as
/// `udp://example.org:9000?turbo`.
public struct Address: Sendable, Hashable {
    /// How frames travel.
    public let scheme: TransportScheme
    /// A host name or IP address, without brackets. Empty means all interfaces.
    public let host: String
    /// The port; 0 lets the system choose one to listen on.
    public let port: UInt16
    /// How datagrams are sent, as far as the address says; of ``TransportScheme/udp`` only.
    public var options = AddressOptions()
    /// What the address says of a relay; of the relays' schemes only.
    public var relay = RelayOptions()

    /// Names an address by its parts, which are not checked.
    ///
    /// - Parameters:
    ///   - scheme: How frames travel.
    ///   - host: A host name or IP address, without brackets; empty for all interfaces.
    ///   - port: The port.
    public init(scheme: TransportScheme = .tcp, host: String, port: UInt16) {
        self.scheme = scheme
        self.host = host
        self.port = port
    }

    /// Whether the address names no host, so that it can be listened on but not dialed.
    public var isWildcard: Bool { host.isEmpty }

    /// Finds out whether somebody can be dialed there.
    ///
    /// - Throws: ``TransportError/invalidAddress(_:reason:)`` for an address that can only be listened on.
    public func checkDialable() throws(TransportError) {
        guard !isWildcard else { throw .invalidAddress("\(self)", reason: "a host is needed to connect to") }
        guard port != 0 else { throw .invalidAddress("\(self)", reason: "port 0 can only be listened on") }
        guard !scheme.isRelay || relay.token != nil else {
            throw .invalidAddress("\(self)", reason: "the word to meet under is missing; append it, such as #0123…cdef")
        }
    }

    /// Reads an address and says precisely what is wrong with it.
    ///
    /// - Parameters:
    ///   - text: `host:port`, `tcp://host:port`, `udp://host:port`, `:port` or `port`; with options, if of UDP; or a relay's.
    ///   - defaultPort: The port when the text names none; without it such text is refused.
    /// - Throws: ``TransportError/invalidAddress(_:reason:)``.
    public init(parsing text: String, defaultPort: UInt16? = nil) throws(TransportError) {
        func invalid(_ reason: String) -> TransportError {
            // What stands before an @ in a relay's address may be a secret.
            let isRelay = text.prefix(Self.relayPrefix.count).lowercased() == Self.relayPrefix
            let shown = isRelay ? text.lastIndex(of: "@").map { "\(Self.relayPrefix)…" + text[$0...] } ?? text : text
            return .invalidAddress(shown, reason: reason)
        }

        let text = RelayShareURL.translated(text)
        var rest = Substring(text)
        var scheme = TransportScheme.tcp
        if let separator = text.firstRange(of: "://") {
            let name = text[..<separator.lowerBound]
            guard let known = TransportScheme(rawValue: name.lowercased()) else {
                throw invalid("the scheme “\(name)” is unknown; tcp://, udp:// and relay+tcp:// are known")
            }
            scheme = known
            rest = text[separator.upperBound...]
        }
        if scheme.isRelay, let mark = rest.firstIndex(of: "#") {
            guard let token = RelayToken(hexadecimal: rest[rest.index(after: mark)...]) else {
                throw invalid("after “#” a token belongs, in hexadecimal digits")
            }
            relay.token = token
            rest = rest[..<mark]
        }
        if scheme.isRelay, let at = rest.lastIndex(of: "@") {
            do throws(AddressOptions.Problem) {
                try relay.parse(userInformation: rest[..<at])
            } catch {
                throw invalid(error.reason)
            }
            rest = rest[rest.index(after: at)...]
        }
        if let mark = rest.firstIndex(of: "?") {
            do throws(AddressOptions.Problem) {
                switch scheme {
                case .tcp: throw .init("options after “?” belong to udp:// and relay+tls:// addresses only")
                case .udp: options = try AddressOptions(parsing: rest[rest.index(after: mark)...])
                case .relayTCP, .relayTLS, .relayWebSocket, .relaySecureWebSocket:
                    try relay.parse(options: rest[rest.index(after: mark)...], of: scheme)
                }
            } catch {
                throw invalid(error.reason)
            }
            rest = rest[..<mark]
        }
        guard !rest.isEmpty else {
            throw invalid("it is empty; a host and a port belong here, such as example.org:9000")
        }
        if rest.contains("/") || rest.contains("#") { throw invalid("nothing may follow the port") }

        let host: Substring
        let port: Substring?
        var bracketed = false
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { throw invalid("the bracket is not closed") }
            bracketed = true
            host = rest[rest.index(after: rest.startIndex)..<end]
            let tail = rest[rest.index(after: end)...]
            guard tail.isEmpty || tail.first == ":" else { throw invalid("after the bracket only a port may follow") }
            port = tail.isEmpty ? nil : tail.dropFirst()
        } else if rest.allSatisfy({ $0.isASCII && $0.isNumber }) {
            host = ""
            port = rest
        } else if let colon = rest.firstIndex(of: ":") {
            guard rest.lastIndex(of: ":") == colon else {
                throw invalid("an IPv6 address needs brackets, such as [::1]:9000")
            }
            host = rest[..<colon]
            port = rest[rest.index(after: colon)...]
        } else {
            host = rest
            port = nil
        }

        if bracketed {
            guard Self.isIPv6(host) else { throw invalid("“\(host)” is not an IPv6 address") }
            if Self.lacksZone(host) {
                throw invalid(
                    "the same link-local address may be on every network; append the interface, such as [\(host)%eth0]")
            }
            self.host = String(host)
        } else {
            do throws(InternationalName.Problem) {
                self.host = try InternationalName.ascii(host)
            } catch {
                throw invalid(error.reason)
            }
            if let problem = Self.problem(withHost: self.host[...]) { throw invalid(problem) }
        }

        self.scheme = scheme
        guard !scheme.isRelay || !host.isEmpty else { throw invalid("a relay's host is needed") }
        if let port {
            guard !port.isEmpty else { throw invalid("the port is missing after the colon") }
            guard port.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let number = UInt16(port)
            else {
                throw invalid("the port must be a number from 0 to 65535")
            }
            self.port = number
        } else if let standard = scheme.defaultPort ?? defaultPort {
            self.port = standard
        } else {
            throw invalid("the port is missing; append one, such as \(rest):9000")
        }
    }

    /// What all schemes of relays begin with.
    private static let relayPrefix = "relay"

    /// The longest name of an interface: IF_NAMESIZE of POSIX systems, less the zero byte.
    private static let maximumZoneLength = 15

    /// Whether the text is an IPv6 address, perhaps with a zone (RFC 4007), such as `fe80::1%eth0`.
    private static func isIPv6(_ text: Substring) -> Bool {
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        // The system's parser would stop at a zero byte and take what is before it.
        guard let address = parts.first, address.contains(":"), !address.utf8.contains(0) else { return false }
        if parts.count == 2 {
            let zone = parts[1].utf8
            guard 1...maximumZoneLength ~= zone.count, zone.allSatisfy(isNameByte) else { return false }
        }
        return (try? SocketAddress(ipAddress: String(address), port: 0)) != nil
    }

    /// Whether it is an IPv6 address that needs a zone and has none.
    private static func lacksZone(_ text: Substring) -> Bool {
        !text.contains("%") && (try? SocketAddress(ipAddress: String(text), port: 0))?.isLinkLocal == true
    }

    /// What is wrong with a host that is not in brackets; `nil` if nothing is.
    private static func problem(withHost host: Substring) -> String? {
        if host.isEmpty { return nil }
        guard host.utf8.count <= 253 else { return "the host name is longer than 253 bytes" }
        guard host.utf8.allSatisfy(isNameByte) else {
            return "the host name may consist of letters, digits, dots and hyphens only"
        }
        var labels = host.split(separator: ".", omittingEmptySubsequences: false)
        if labels.count > 1, labels.last?.isEmpty == true { labels.removeLast() }
        guard labels.allSatisfy({ 1...63 ~= $0.utf8.count }) else {
            return "a part of the host name is empty or longer than 63 bytes"
        }
        // A host whose last label is a number is an IPv4 address or nothing (WHATWG URL, ends-in-a-number checker).
        if let last = labels.last, last.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
            (try? SocketAddress(ipAddress: String(host), port: 0)) == nil
        {
            return "“\(host)” is not an IPv4 address"
        }
        return nil
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default:
            false
        }
    }
}

extension Address: LosslessStringConvertible {
    /// Reads an address; `nil` if it is none. ``init(parsing:defaultPort:)`` says why.
    public init?(_ description: String) {
        guard let address = try? Address(parsing: description) else { return nil }
        self = address
    }

    /// `host:port` for TCP, `udp://host:port` for UDP, perhaps with options; a relay's with its scheme, its options and the
    /// token; IPv6 addresses stand in brackets.
    public var description: String {
        let prefix = scheme == .tcp ? "" : "\(scheme.rawValue)://"
        let suffix = (options == AddressOptions() ? "" : "?\(options)") + relay.suffix
        return host.contains(":") ? "\(prefix)[\(host)]:\(port)\(suffix)" : "\(prefix)\(host):\(port)\(suffix)"
    }
}
