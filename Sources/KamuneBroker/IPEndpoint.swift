/// Where datagrams come from and go to: an address and a port.
public struct IPEndpoint: Hashable, Sendable, Comparable {
    /// The address.
    public let address: IPAddress
    /// The port; 0 is none.
    public let port: UInt16

    /// A port of an address.
    public init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Reads `192.0.2.1:4788` or `[2001:db8::1]:4788`, as the broker's echo says it: the port is decimal digits only, at
    /// most 65,535, and leading zeros do no harm.
    public init?(parsing text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let port = UInt16(digits), let address = IPAddress(parsing: String(host))
        else { return nil }
        self.init(address, port)
    }

    /// By address, then by port.
    public static func < (a: IPEndpoint, b: IPEndpoint) -> Bool {
        a.address == b.address ? a.port < b.port : a.address < b.address
    }
}

extension IPEndpoint: CustomStringConvertible {
    /// `192.0.2.1:4788` or `[2001:db8::1]:4788`.
    public var description: String { address.isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
}
