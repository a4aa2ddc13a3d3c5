import Foundation
import KamuneSystem

/// `host:port`, the host in brackets when it is an IPv6 address.
enum HostPort {
    /// An address without the way before it, and without options.
    static func withoutScheme(_ text: String) -> String {
        let rest = text.range(of: "://").map { text[$0.upperBound...] } ?? text[...]
        return String(rest.prefix { $0 != "?" })
    }

    static func split(_ text: String) -> (host: String, port: String) {
        guard let colon = text.lastIndex(of: ":") else { return (text, "") }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return (String(host), String(text[text.index(after: colon)...]))
    }

    static func join(_ host: String, _ port: String) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Whether a host stands for every interface.
    static func isEverywhere(_ host: String) -> Bool { ["", "0.0.0.0", "::", "*"].contains(host) }
}

/// The addresses of this machine.
enum LocalAddress {
    /// The first IPv4 address that is not for this machine alone; nil when there is none.
    static func find() -> String? {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return nil }
        defer { freeifaddrs(first) }
        var next = first
        while let interface = next {
            next = interface.pointee.ifa_next
            guard let address = interface.pointee.ifa_addr, Int32(address.pointee.sa_family) == AF_INET else {
                continue
            }
            var bytes = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr }
            // The first byte in memory is the first of the address.
            if withUnsafeBytes(of: bytes, { $0[0] }) == 127 { continue }
            var text = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
            guard inet_ntop(AF_INET, &bytes, &text, socklen_t(INET_ADDRSTRLEN)) != nil else { continue }
            return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        return nil
    }
}
