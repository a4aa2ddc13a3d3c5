#if canImport(Glibc)
import ArgumentParser
import KamuneBroker
import KamuneRelay
import KamuneTestKit

/// `nat`: two hosts behind real NATs try to reach each other directly, with a broker that both reach.
///
/// Of its processes this one is the network between: start it by `unshare --net`.
struct NATCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nat", abstract: "Let two hosts behind NATs of the kernel's try to reach each other directly.")

    @Option(help: "What is before the first host, who opens the conversation.")
    var first: NATKind

    @Option(help: "What is before the second.")
    var second: NATKind

    /// Where the broker is (RFC 5737).
    private static let broker = "203.0.113.1"

    func run() async throws {
        try TranslatedHost.run([
            "sh", "-ec",
            """
            ip link set lo up
            ip address add \(Self.broker)/32 dev lo
            echo 1 >/proc/sys/net/ipv4/ip_forward
            """,
        ])
        let hosts = [try TranslatedHost(first, site: 1), try TranslatedHost(second, site: 2)]
        let server = try await BrokerServer.start(host: Self.broker, port: 4788, settings: .init(secondPort: 4789))
        let program = CommandLine.arguments[0]
        let sides = try hosts.enumerated().map { index, host in
            try PipedProcess(
                [
                    "nsenter", "--net=/proc/\(host.processID)/ns/net", program, "traverse", "--broker",
                    "\(Self.broker):4788", "--broker", "\(Self.broker):4789",
                ] + (index == 0 ? ["--initiate"] : []))
        }
        var offers: [Substring] = []
        for side in sides {
            let line = await side.nextLine() ?? ""
            guard let offer = line.split(separator: " ", maxSplits: 1).first else {
                throw EmulatorFailure("A side has no offer.")
            }
            TraverseCommand.say("offer\(line.dropFirst(offer.count))")
            offers.append(offer)
        }
        for (side, offer) in zip(sides, offers.reversed()) { side.write(line: String(offer)) }
        for side in sides { TraverseCommand.say(await side.nextLine() ?? "ended") }
        await server.stop()
        withExtendedLifetime(hosts) {}
    }
}
#endif
