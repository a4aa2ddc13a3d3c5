import KamuneSystem
import KamuneTestKit
import Testing

/// Whether this machine lets us make NATs.
private enum NATLaboratory {
    /// Why there are none on this machine.
    static let obstacle: String? = {
        if let obstacle = EmulatedNetwork.obstacle { return obstacle }
        let trial =
            unsharing + [
                "sh", "-c",
                "echo 'table inet t { chain c { type nat hook postrouting priority 100; masquerade random; } }' | nft -f -",
            ]
        return PipedProcess.run(trial) == nil ? "nftables cannot translate addresses here" : nil
    }()
    static let unsharing = ["unshare"] + (geteuid() == 0 ? [] : ["--map-root-user"]) + ["--net", "--"]
    static let reason: Comment = "\(obstacle ?? "")"
}

/// Two hosts behind real NATs: network namespaces with nftables, a broker between, real datagrams.
@Suite("NATs", .enabled(if: NATLaboratory.obstacle == nil, NATLaboratory.reason), .serialized)
struct NATTests {
    /// Has two hosts try.
    private func attempt(_ first: String, _ second: String) async throws -> (offers: [String], results: [String]) {
        let process = try PipedProcess(
            NATLaboratory.unsharing + [try Binary.networkLab(), "nat", "--first", first, "--second", second])
        let lines = String(decoding: await process.everything(), as: UTF8.self).split(separator: "\n").map(String.init)
        let offers = lines.filter { $0.hasPrefix("offer") }
        return (offers, lines.filter { !$0.hasPrefix("offer") })
    }

    /// The rows of the table in docs/TRAVERSAL.md that need no luck.
    static let directPairs: [(String, String)] = [
        ("open", "open"), ("open", "symmetric"), ("full-cone", "symmetric"), ("symmetric", "restricted"),
        ("restricted", "port-restricted"), ("port-restricted", "port-restricted"), ("port-restricted", "firewall"),
        ("carrier-grade", "port-restricted"), ("carrier-grade", "carrier-grade"), ("firewall", "firewall"),
    ]

    @Test("A direct way is found where there is one", arguments: directPairs)
    func direct(_ first: String, _ second: String) async throws {
        let (offers, results) = try await attempt(first, second)
        #expect(results.count == 2)
        #expect(results.allSatisfy { $0.hasPrefix("direct") }, "\(offers) \(results)")
    }

    @Test("Ports are guessed where one side's NAT takes another for everybody")
    func guessing() async throws {
        var results: [String] = []
        // One try in sixty finds none.
        for _ in 0..<3 {
            results = try await attempt("symmetric", "port-restricted").results
            if results.allSatisfy({ $0.hasPrefix("direct") }) { break }
        }
        #expect(results.count == 2)
        #expect(results.allSatisfy { $0.hasPrefix("direct") }, "\(results)")
    }

    @Test("Where there is no way, both say so in time", arguments: [("symmetric", "symmetric"), ("blocked", "open")])
    func none(_ first: String, _ second: String) async throws {
        let (_, results) = try await attempt(first, second)
        #expect(results.count == 2)
        #expect(results.allSatisfy { $0.hasPrefix("none") }, "\(results)")
    }

    @Test(
        "What the NAT is like is recognised",
        arguments: [
            ("open", "no address translation"), ("port-restricted", "a NAT that keeps one port"),
            ("carrier-grade", "a NAT that keeps one port"),
            ("symmetric", "a NAT that takes another port for everybody (symmetric)"),
        ])
    func recognition(_ kind: String, _ text: String) async throws {
        let (offers, _) = try await attempt(kind, "open")
        #expect(offers.first?.contains(text) == true, "\(offers)")
    }

    @Test(
        "A gateway's port is had, and given back: miniupnpd",
        .enabled(
            if: PipedProcess.run(["sh", "-c", "command -v miniupnpd"]) != nil, "there is no miniupnpd on this machine"))
    func gateway() async throws {
        let process = try PipedProcess(
            NATLaboratory.unsharing + [try Binary.networkLab(), "gateway", "--port", "5000"])
        let lines = String(decoding: await process.everything(), as: UTF8.self).split(separator: "\n")
        #expect(lines == ["mapped 8.8.4.6:5000", "there", "lost", "gone"])
    }
}
