internal import KamuneCrypto
public import KamuneRelayProtocol

/// What an address says of a relay beyond its host: `relay+tls://:key@example.org?pin=…#token`.
public struct RelayOptions: Sendable, Hashable {
    /// Under which word the two meet. Who listens without one gets one.
    public var token: RelayToken?
    /// How a relay's certificate is judged; of those that are reached over TLS.
    public var certificate = CertificateCheck.authorities

    /// The key that the relay wants, in place of the configuration's. It is read, its bytes written in percent form where
    /// they are no letters or digits (RFC 3986, 2.1), and never printed.
    public var key: PreSharedKey?

    /// How a relay's certificate is judged.
    public enum CertificateCheck: Sendable, Hashable {
        /// One of the authorities that this system trusts must have signed it, for the host of the address.
        case authorities
        /// It must be the one with this SHA-256 hash of its DER form, 32 bytes: for one that a relay signed itself.
        case pinned([UInt8])
        /// Not at all. Whoever is between us and the relay can learn the token and the relay's key, and what the relay
        /// could; the session itself they can neither read nor alter.
        case none
    }

    /// Nothing special.
    public init() {}

    /// Reads what stands before the host.
    ///
    /// - Throws: ``AddressOptions/Problem``, which says what is wrong, and not what stands there.
    mutating func parse(userInformation text: Substring) throws(AddressOptions.Problem) {
        guard text.first == ":" else {
            throw AddressOptions.Problem("before “@” a key belongs, after a colon, such as :key@example.org")
        }
        guard let bytes = Self.unescape(text.dropFirst()), (1...RelayLimits.maximumKeySize).contains(bytes.count)
        else { throw AddressOptions.Problem("the key before “@” is empty, too long, or not in percent form") }
        key = PreSharedKey(copying: bytes)
    }

    private static func unescape(_ text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let escaped = RelayToken(hexadecimal: String(decoding: rest.prefix(2), as: UTF8.self)),
                escaped.bytes.count == 1
            else { return nil }
            bytes += escaped.bytes
            rest = rest.dropFirst(2)
        }
        return bytes
    }

    /// The form in which a key stands in an address: letters and digits as they are, everything else escaped.
    package static func escaped(key: some Sequence<UInt8>) -> String {
        key.map { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"):
                String(UnicodeScalar(byte))
            default: "%" + [byte].hexadecimal
            }
        }.joined()
    }

    /// Reads what stands after the question mark.
    ///
    /// - Throws: ``AddressOptions/Problem``, which says what is wrong.
    mutating func parse(options text: Substring, of scheme: TransportScheme) throws(AddressOptions.Problem) {
        for option in text.split(separator: "&", omittingEmptySubsequences: false) {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard certificate == .authorities else {
                throw AddressOptions.Problem("only one of pin=… and insecure may stand there")
            }
            switch (parts.first ?? "", parts.last ?? "", parts.count) {
            case ("pin", let value, 2):
                guard let hash = RelayToken(hexadecimal: value)?.bytes, hash.count == SHA256Digest.size else {
                    throw AddressOptions.Problem("a pin is the SHA-256 hash of a certificate, in 64 hexadecimal digits")
                }
                certificate = .pinned(hash)
            case ("insecure", _, 1), ("insecure", "true", 2): certificate = .none
            case ("insecure", "false", 2): break
            default:
                throw AddressOptions.Problem("the option “\(option)” is unknown; pin=… and insecure are known")
            }
            guard scheme.usesTLS || certificate == .authorities else {
                throw AddressOptions.Problem("there is no certificate without TLS")
            }
        }
    }

    /// What stands after the port.
    var suffix: String {
        let options =
            switch certificate {
            case .authorities: ""
            case .pinned(let hash): "?pin=\(hash.hexadecimal)"
            case .none: "?insecure"
            }
        return options + (token.map { "#\($0.hexadecimal)" } ?? "")
    }
}

extension [UInt8] {
    /// Two digits a byte, in lower case.
    var hexadecimal: String {
        let digits = Array<UInt8>("0123456789abcdef".utf8)
        return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
