import ArgumentParser
import Foundation
import KamuneTestKit

/// `ladder`: measures sessions over TCP and UDP on every rung, and prints a table.
struct LadderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ladder", abstract: "Measure sessions on links from perfect to hardly usable.")

    @Option(help: "Only the rungs whose names contain this.")
    var rung: String?

    @Option(help: "Another link than those of the ladder, such as 'delay=25ms loss=1% rate=50mbit queue=305k'.")
    var link: String?

    @Option(
        parsing: .upToNextOption, help: "tcp, udp, and udp with its choices, such as udp:cubic or udp:rate-based:turbo."
    )
    var over: [String] = ["tcp", "udp"]

    @Option(help: "The congestion control of TCP, as the kernel calls it.")
    var tcpCongestion = "cubic"

    @Option(help: "How many sessions to establish on each.")
    var sessions = 5

    @Option(help: "How many small messages to send on each.")
    var messages = 200

    @Option(help: "The time between two of them, in milliseconds; by default what suits the rung.")
    var interval: Int?

    @Option(help: "How long to send large messages on each, in seconds.")
    var bulk = 10.0

    @Option(help: "How late the emulation may be without being repeated, in milliseconds.")
    var tolerance = 10.0

    @Option(help: "The seed of the links' chances.")
    var seed: UInt64 = 1

    @Flag(help: "Also what the links did.")
    var statistics = false

    func run() async throws {
        if let obstacle = EmulatedNetwork.obstacle { throw ValidationError(obstacle) }
        let rungs =
            link.map { [LinkRung("given", $0)] }
            ?? LinkRung.ladder.filter { rung == nil || $0.name.contains(rung ?? "") }
        Self.show(
            "TCP uses \(tcpCongestion). Times in ms, medians and 99th percentiles of up to \(messages) messages, 64 bytes each.\n"
        )
        Self.show(
            "| link, each way | over | established | one way p50 | p99 | echo p50 | p99 | bulk, MB/s | survived | link late by |"
        )
        Self.show("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: |")
        for rung in rungs {
            for transport in over { try await measure(rung, transport) }
        }
    }

    /// How long small messages are sent at most, in milliseconds.
    private static let longestChat = 60_000
    /// How often a row is measured until the emulation was in time.
    private static let attempts = 3

    private func measure(_ rung: LinkRung, _ transport: String) async throws {
        var best: Measurement?
        for _ in 0..<Self.attempts {
            let result = try await attempt(rung, transport)
            if result.lateness < best?.lateness ?? .infinity { best = result }
            // A machine that had something else to do at times says nothing about the link.
            if result.lateness <= tolerance { break }
        }
        guard let best else { return }
        Self.show(Self.row(rung, transport, best))
        if statistics, let link = best.link { Self.show("<!-- \(link) -->") }
    }

    private func attempt(_ rung: LinkRung, _ transport: String) async throws -> Measurement {
        let parts = transport.split(separator: ":").map(String.init)
        let scheme = parts.first ?? "tcp"
        let choices = parts.dropFirst().flatMap { $0 == "turbo" ? ["--turbo"] : ["--congestion", $0] }
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let network = try await EmulatedNetwork(
            program: program, link: rung.link, seed: seed, congestionControl: tcpCongestion, timeLimit: 1_200)
        let answering = try PipedProcess(
            network.command([program, "answer", "\(scheme)://0.0.0.0:9000"] + choices, on: .second))
        _ = await answering.nextLine()
        let interval = interval ?? rung.messageInterval
        let measuring = try PipedProcess(
            network.command(
                [
                    program, "measure", "\(scheme)://\(EmulatedNetwork.Host.second.address):9000",
                    "--sessions", "\(sessions)", "--messages", "\(min(messages, Self.longestChat / max(interval, 1)))",
                    "--interval", "\(interval)",
                    "--bulk", "\(bulk)", "--bulk-size", "\(rung.bulkMessageSize)",
                ] + choices, on: .first))
        var result = Measurement()
        result.failure = "The measuring program broke."
        if let found = try? JSONDecoder().decode(Measurement.self, from: Data(await measuring.everything())) {
            result = found
        }
        result.link = try await network.statistics()
        withExtendedLifetime((answering, network)) {}
        return result
    }

    /// Line by line, also into a file: a ladder takes minutes.
    private static func show(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    private static func row(_ rung: LinkRung, _ transport: String, _ result: Measurement) -> String {
        let established = Measurement.Percentiles(result.establishing).median
        let times = [
            established, result.oneWay.median, result.oneWay.p99, result.roundTrip.median, result.roundTrip.p99,
        ]
        let bulk = result.bulk.map { String(format: $0 < 1e5 ? "%.4f" : "%.2f", $0 / 1e6) } ?? "–"
        let dialed = result.failedDials == 0 ? "yes" : "yes; \(result.failedDials) dials failed"
        let cells =
            ["\(rung.name): \(rung.link.isEmpty ? "nothing" : rung.link)", transport]
            + times.map { String(format: $0 < 100 ? "%.1f" : "%.0f", $0) } + [
                bulk, result.failure ?? dialed, String(format: "%.1f", result.lateness),
            ]
        return "| " + cells.joined(separator: " | ") + " |"
    }
}
