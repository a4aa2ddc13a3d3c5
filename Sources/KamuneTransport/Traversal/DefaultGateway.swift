package import KamuneBroker

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The router that leads out of this network, which may be asked to let others in.
package enum DefaultGateway {
    /// Its IPv4 address, by the system's table of routes; `nil` if there is none, or where the system has no such file:
    /// everywhere but on Linux.
    package static func find() -> IPAddress? {
        guard let table = try? String(contentsOfFile: "/proc/net/route", encoding: .utf8) else { return nil }
        return find(in: table)
    }

    /// The same of a table as Linux has it: a line for each route, of which the fields are interface, destination, gateway,
    /// flags, two counters and the metric; addresses are hexadecimal in the machine's order.
    static func find(in table: String) -> IPAddress? {
        /// The route is up, and leads to a gateway (RTF_UP and RTF_GATEWAY of linux/route.h).
        let wanted: UInt32 = 0x3
        let routes = table.split(separator: "\n").dropFirst().compactMap { line -> (metric: Int, gateway: UInt32)? in
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            guard fields.count >= 8, UInt32(fields[1], radix: 16) == 0, UInt32(fields[7], radix: 16) == 0,
                let flags = UInt32(fields[3], radix: 16), flags & wanted == wanted, let metric = Int(fields[6]),
                let gateway = UInt32(fields[2], radix: 16)
            else { return nil }
            return (metric, gateway)
        }
        guard let best = routes.min(by: { $0.metric < $1.metric }) else { return nil }
        return withUnsafeBytes(of: best.gateway) { IPAddress(bytes: Array($0)) }
    }
}
