import Foundation
import KamuneTestKit
import Testing

/// The command between two hosts, on links from perfect to hardly usable. By default a few of them;
/// KAMUNE_TEST_NETWORK=full takes the whole ladder.
@Suite(
    "Conversations on bad links",
    .enabled(if: EmulatedConversation.isPossible, EmulatedConversation.obstacle))
struct LinkLadderTests {
    private static let rungs = EmulatedConversation.isThorough ? LinkRung.ladder : [.perfect, .veryLossy, .worst]

    @Test("two people meet and talk", arguments: rungs, EmulatedConversation.Transport.allCases)
    func talk(rung: LinkRung, transport: EmulatedConversation.Transport) async throws {
        let conversation = try await EmulatedConversation(over: transport, link: rung.link)
        for number in 1...2 { await conversation.exchange("round \(number)") }
        let statistics = try await conversation.network.statistics()
        #expect(statistics.dropped == 0, "the emulation itself must lose nothing")
        #expect((statistics.lost > 0) || !rung.link.contains("loss=25%"), "there was nothing to survive")
        // On the worst links a goodbye may need longer than anybody waits for it.
        if rung == .perfect { await conversation.end() }
    }

    @Test("IPv6 does what IPv4 does", arguments: EmulatedConversation.Transport.allCases)
    func overIPv6(transport: EmulatedConversation.Transport) async throws {
        let conversation = try await EmulatedConversation(over: transport, link: "delay=5ms", isIPv6: true)
        await conversation.exchange("hello")
        await conversation.end()
    }

    @Test(
        "an address may choose how UDP sends",
        arguments: ["?turbo", "?congestion=cubic", "?congestion=new-reno&turbo"])
    func choices(options: String) async throws {
        let conversation = try await EmulatedConversation(
            over: .udp, link: "delay=10ms loss=10%", options: options)
        await conversation.exchange("hello")
        await conversation.end()
    }

    @Test("the link delays and limits as it is told")
    func emulation() async throws {
        let program = try Binary.networkLab()
        let network = try await EmulatedNetwork(
            program: program, link: "delay=25ms rate=20mbit queue=122k", timeLimit: 60)
        let home = try Home()
        let environment = ["PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"]
        let address = "tcp://\(EmulatedNetwork.Host.second.address):9000"
        let answerer = try Child(
            program: "/usr/bin/env", network.command([program, "answer", address], on: .second), home: home,
            environment: environment)
        await answerer.expect("ready")
        let measurer = try Child(
            program: "/usr/bin/env",
            network.command(
                [
                    program, "measure", address, "--sessions", "1", "--messages", "20", "--interval", "20", "--bulk",
                    "2",
                ], on: .first), home: home, environment: environment)
        await measurer.expectExit(0)
        struct Figures: Decodable {
            struct Percentiles: Decodable { let least: Double }
            let roundTrip: Percentiles
            let bulk: Double
        }
        let figures = try JSONDecoder().decode(Figures.self, from: Data(measurer.output.raw.utf8))
        // The upper bounds are generous, for a machine that is busy with other tests.
        #expect((50..<90).contains(figures.roundTrip.least))
        #expect((0.5e6...2.5e6).contains(figures.bulk))
        #expect(try await network.statistics().dropped == 0)
    }
}
