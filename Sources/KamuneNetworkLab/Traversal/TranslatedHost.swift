#if canImport(Glibc)
import ArgumentParser
import KamuneTestKit

/// What lies between a host and the network of the laboratory, made by the kernel: network namespaces with nftables.
enum NATKind: String, CaseIterable, ExpressibleByArgument {
    /// Nothing.
    case open
    /// A firewall that lets in only what answers something.
    case firewall
    /// A NAT that lets everybody in at the ports that it has taken.
    case fullCone = "full-cone"
    /// One that lets in those addresses that were sent to.
    case restricted
    /// One that lets in those addresses and ports that were sent to: what Linux does.
    case portRestricted = "port-restricted"
    /// One that takes another port for each place that is sent to.
    case symmetric
    /// A NAT of a carrier behind the one at home.
    case carrierGrade = "carrier-grade"
    /// No UDP at all.
    case blocked
}

/// A host behind something. Its namespaces end with the processes that hold them, which end with this one.
final class TranslatedHost {
    /// The processes whose namespaces these are: the host, then what is before it, the nearest first.
    private let holders: [PipedProcess]

    /// The host's process.
    var processID: Int32 { holders[0].processID }

    /// Connects a host to the namespace that this process is in, which forwards for all of them.
    ///
    /// - Parameter site: A number from 1 on, one for each host.
    init(_ kind: NATKind, site: Int) throws {
        let outside = "198.51.100.\(4 * site + 1)"
        let wan = "198.51.100.\(4 * site + 2)"
        var chain: [PipedProcess] = [try Self.hold()]
        let device = "site\(site)"
        func connect(_ inner: PipedProcess) throws {
            try Self.run([
                "sh", "-ec",
                """
                ip link add \(device) type veth peer name wan netns \(inner.processID)
                ip address add \(outside)/30 dev \(device)
                ip link set \(device) up
                """,
            ])
            try Self.run(
                """
                ip address add \(wan)/30 dev wan
                ip link set wan up
                ip link set lo up
                ip route add default via \(outside)
                \(Self.untilRunning)
                """,
                in: inner)
        }
        switch kind {
        case .open, .firewall, .blocked:
            try connect(chain[0])
            try Self.rules(kind, in: chain[0], inside: nil)
        case .fullCone, .restricted, .portRestricted, .symmetric:
            let router = try Self.hold()
            try connect(router)
            try Self.attach(chain[0], to: router, network: "192.168.\(site)")
            try Self.rules(kind, in: router, inside: "192.168.\(site).2")
            chain.append(router)
        case .carrierGrade:
            let (home, carrier) = (try Self.hold(), try Self.hold())
            try connect(carrier)
            try Self.attach(home, to: carrier, network: "100.64.\(site)")
            try Self.rules(.portRestricted, in: carrier, inside: "100.64.\(site).2")
            try Self.attach(chain[0], to: home, network: "192.168.\(site)")
            try Self.rules(.portRestricted, in: home, inside: "192.168.\(site).2")
            chain += [home, carrier]
        }
        holders = chain
    }

    /// The kernel says a moment later that a device runs, and until then nobody counts its addresses.
    private static let untilRunning = "until ip link show wan | grep -q 'state UP'; do sleep 0.02; done"

    /// Puts a namespace behind another, which is .1 of its network; it is .2.
    static func attach(_ inner: PipedProcess, to router: PipedProcess, network: String) throws {
        try run(
            """
            ip link set lo up
            ip link add lan type veth peer name wan netns \(inner.processID)
            ip address add \(network).1/24 dev lan
            ip link set lan up
            echo 1 >/proc/sys/net/ipv4/ip_forward
            """, in: router)
        try run(
            """
            ip link set lo up
            ip address add \(network).2/24 dev wan
            ip link set wan up
            ip route add default via \(network).1
            \(untilRunning)
            """, in: inner)
    }

    /// Has the kernel do what a NAT of the kind does.
    ///
    /// A router drops what it is sent itself: as those at home do, and since the kernel would otherwise remember what it has
    /// refused and take another port afterwards.
    private static func rules(_ kind: NATKind, in namespace: PipedProcess, inside: String?) throws {
        let drop = "chain in { type filter hook input priority 0; iifname wan meta l4proto udp drop; }"
        let masquerade =
            "chain post { type nat hook postrouting priority 100; oifname wan meta l4proto udp masquerade; }"
        let ports = "udp dport 1024-65535"
        let ruleset: String
        switch kind {
        case .open, .carrierGrade:
            return
        case .firewall:
            ruleset = """
                chain in { type filter hook input priority 0; iifname wan meta l4proto udp ct state new drop; }
                """
        case .blocked:
            ruleset = """
                chain in { type filter hook input priority 0; meta l4proto udp drop; }
                chain out { type filter hook output priority 0; meta l4proto udp drop; }
                """
        case .portRestricted:
            ruleset = masquerade + "\n" + drop
        case .symmetric:
            ruleset = masquerade.replacing("masquerade;", with: "masquerade random,fully-random;") + "\n" + drop
        case .fullCone:
            ruleset = """
                \(masquerade)
                chain pre { type nat hook prerouting priority -100; iifname wan \(ports) dnat ip to \(inside ?? ""); }
                """
        case .restricted:
            ruleset = """
                set known { type ipv4_addr; flags dynamic,timeout; timeout 60s; }
                chain note { type filter hook forward priority 0; oifname wan meta l4proto udp update @known { ip daddr }; }
                \(masquerade)
                chain pre {
                  type nat hook prerouting priority -100
                  iifname wan ip saddr @known \(ports) dnat ip to \(inside ?? "")
                }
                \(drop)
                """
        }
        try run("nft -f - <<'end'\ntable inet kamune {\n\(ruleset)\n}\nend", in: namespace)
    }

    /// A process with a network namespace of its own.
    static func hold() throws -> PipedProcess {
        let process = try PipedProcess(["unshare", "--net", "cat"])
        // Once it answers, it is in its namespace.
        process.write(line: "there?")
        guard process.readLine() != nil else { throw EmulatorFailure("A host did not start.") }
        return process
    }

    static func run(_ script: String, in namespace: PipedProcess) throws {
        try run(["nsenter", "--net=/proc/\(namespace.processID)/ns/net", "sh", "-ec", script])
    }

    static func run(_ arguments: [String]) throws {
        guard PipedProcess.run(arguments) != nil else {
            throw EmulatorFailure("“\(arguments.joined(separator: " "))” failed.")
        }
    }
}
#endif
