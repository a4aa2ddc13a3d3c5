#if canImport(Glibc)
import Foundation
import KamuneSystem
import KamuneTestKit

/// The two hosts of a link, each a network namespace that a process holds. That process ends when this one does, and the
/// namespace with the last process in it, so that nothing is left behind however this one ends.
final class EmulatedHosts {
    /// The devices of the first host and of the second.
    let devices: [TunnelDevice]
    /// The processes whose network namespaces are the hosts.
    var processIDs: [Int32] { holders.map(\.processID) }

    /// They end with their standard input, which ends with us.
    private let holders: [PipedProcess]

    /// More than any burst of either host, so that packets are dropped by the link's rules only.
    private static let kernelQueue = 10_000

    init(congestionControl: String) throws {
        try Self.checkNamespace()
        var devices: [TunnelDevice] = []
        var holders: [PipedProcess] = []
        for host in EmulatedNetwork.Host.allCases {
            let holder = try Self.hold()
            holders.append(holder)
            let device = try TunnelDevice(name: "kamune\(host.rawValue)")
            devices.append(device)
            let name = device.name
            try Self.run(["ip", "link", "set", name, "netns", "\(holder.processID)"])
            // The congestion control by routes, because a namespace may set its own default among a few only.
            let script = """
                set -e
                echo 1 >/proc/sys/net/ipv6/conf/\(name)/disable_ipv6
                ip link set lo up
                ip link set \(name) mtu 1500 txqueuelen \(Self.kernelQueue) addrgenmode none
                ip address add \(host.address)/30 dev \(name)
                ip link set \(name) up
                echo 0 >/proc/sys/net/ipv6/conf/\(name)/disable_ipv6
                ip -6 address add \(host.addressIPv6)/64 dev \(name) nodad
                ip route replace 10.77.0.0/30 dev \(name) src \(host.address) congctl \(congestionControl)
                ip -6 route replace fd77::/64 dev \(name) congctl \(congestionControl)
                """
            try Self.run(["nsenter", "--net=\(Self.namespace(of: holder))", "sh", "-c", script])
        }
        self.devices = devices
        self.holders = holders
    }

    /// Packets that the kernel has dropped before they could be read.
    func droppedPackets() -> Int {
        zip(devices, holders).reduce(0) { sum, pair in
            let arguments = ["nsenter", "--net=\(Self.namespace(of: pair.1))", "cat", "/proc/net/dev"]
            guard let text = try? Self.run(arguments),
                let line = text.split(separator: "\n").first(where: { $0.contains(pair.0.name + ":") })
            else { return sum }
            // Received: bytes, packets, errors, drops and four more; then sent, likewise.
            let fields = line.split(separator: ":")[1].split(separator: " ")
            return sum + (fields.count > 11 ? Int(fields[11]) ?? 0 : 0)
        }
    }

    /// Refuses a namespace that has more than a loopback interface: it might be that of the machine.
    private static func checkNamespace() throws {
        let interfaces = try String(contentsOfFile: "/proc/net/dev", encoding: .utf8)
            .split(separator: "\n").dropFirst(2)
            .map { $0.split(separator: ":")[0].trimmingCharacters(in: .whitespaces) }
        guard interfaces.allSatisfy({ $0 == "lo" }) else {
            throw EmulatorFailure(
                "There are interfaces here (\(interfaces.joined(separator: ", "))): start it by unshare --net.")
        }
    }

    private static func namespace(of holder: PipedProcess) -> String { "/proc/\(holder.processID)/ns/net" }

    private static func hold() throws -> PipedProcess {
        let process = try PipedProcess(["unshare", "--net", "cat"])
        // Once it answers, it is in its namespace.
        process.write(line: "there?")
        guard process.readLine() != nil else { throw EmulatorFailure("A host did not start.") }
        return process
    }

    @discardableResult
    private static func run(_ arguments: [String]) throws -> String {
        guard let output = PipedProcess.run(arguments) else {
            throw EmulatorFailure("“\(arguments.joined(separator: " "))” failed.")
        }
        return output
    }
}

/// Why there is no link.
struct EmulatorFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
#endif
