#if canImport(Glibc)
import ArgumentParser
import Foundation
import KamuneSystem
import KamuneTestKit

/// `gateway`: a host behind a router with miniupnpd asks for a port, and gives it back.
///
/// Of its processes this one is the network outside: start it by `unshare --net`.
struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Let a host have a port of miniupnpd's, and look whether the kernel has it too.")

    @Option(help: "The port that is asked for.")
    var port: UInt16 = 5000

    /// What miniupnpd says to be its address: it refuses those that are not public.
    private static let publicAddress = "8.8.4.6"

    func run() async throws {
        let (host, router) = (try TranslatedHost.hold(), try TranslatedHost.hold())
        try TranslatedHost.run([
            "sh", "-ec",
            """
            ip link set lo up
            ip link add site type veth peer name wan netns \(router.processID)
            ip address add 198.51.100.5/30 dev site
            ip link set site up
            """,
        ])
        try TranslatedHost.run(
            "ip address add 198.51.100.6/30 dev wan; ip link set wan up; ip link set lo up; ip route add default via 198.51.100.5",
            in: router)
        try TranslatedHost.attach(host, to: router, network: "192.168.1")
        try TranslatedHost.run(
            """
            nft -f - <<'end'
            table inet filter {
              chain miniupnpd { }
              chain forward { type filter hook forward priority 0; jump miniupnpd; }
              chain before_miniupnpd { }
              chain before { type nat hook prerouting priority -100; jump before_miniupnpd; }
              chain after_miniupnpd { }
              chain after { type nat hook postrouting priority 100; jump after_miniupnpd; oifname wan masquerade; }
            }
            end
            """, in: router)
        let directory = FileManager.default.temporaryDirectory.appending(path: "kamune-gateway-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let settings = directory.appending(path: "miniupnpd.conf").path
        try """
        ext_ifname=wan
        ext_ip=\(Self.publicAddress)
        listening_ip=lan
        enable_natpmp=yes
        enable_upnp=no
        uuid=\(UUID().uuidString)
        upnp_table_name=filter
        upnp_nat_table_name=filter
        upnp_forward_chain=miniupnpd
        upnp_nat_chain=before_miniupnpd
        upnp_nat_postrouting_chain=after_miniupnpd
        allow 1024-65535 0.0.0.0/0 1024-65535

        """.write(toFile: settings, atomically: true, encoding: .utf8)
        let enter = ["nsenter", "--net=/proc/\(router.processID)/ns/net"]
        // It ends with the shell, which ends with its standard input.
        let daemon = try PipedProcess(
            enter + [
                "sh", "-c", "miniupnpd -d -f \(settings) -P \(directory.path)/pid >/dev/null 2>&1 & cat; kill $!",
            ])
        // Until it listens: what is asked before is asked again.
        let client = try PipedProcess([
            "nsenter", "--net=/proc/\(host.processID)/ns/net", CommandLine.arguments[0], "map", "--port", "\(port)",
        ])
        TraverseCommand.say(await client.nextLine() ?? "ended")
        TraverseCommand.say(try Self.rules(enter, contain: port) ? "there" : "not there")
        client.endInput()
        TraverseCommand.say(await client.nextLine() ?? "ended")
        _ = await client.everything()
        for _ in 0..<50 where try Self.rules(enter, contain: port) {
            try await SystemTime().sleep(for: .milliseconds(50))
        }
        TraverseCommand.say(try Self.rules(enter, contain: port) ? "still there" : "gone")
        withExtendedLifetime((host, router, daemon)) {}
    }

    private static func rules(_ enter: [String], contain port: UInt16) throws -> Bool {
        guard let rules = PipedProcess.run(enter + ["nft", "list", "ruleset"]) else {
            throw EmulatorFailure("The router's rules cannot be listed.")
        }
        return rules.contains("dport \(port) ")
    }
}
#endif
