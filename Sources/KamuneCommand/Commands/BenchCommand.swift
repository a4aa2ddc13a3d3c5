import ArgumentParser
import Foundation
import Kamune
import KamuneBenchmark
import KamuneSystem

/// `kamune bench`
struct BenchCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure what talking costs on this machine.",
        discussion: """
            Measures each primitive, the protocol that is built from them, and sessions over loopback TCP, in one run, so \
            that the ratios can be read off on any machine. Takes about a minute. Figures of a debug build say \
            nothing: use scripts/run bench.

            With --store, what keeping costs instead: a store of many messages is made, measured and removed. With \
            --reach, how long it takes to find somebody some of whose addresses are dead. With --node, what a node costs \
            that others look through. With --daemon, how fast messages go through two daemons.

            EXAMPLES:
              kamune bench
              kamune bench --transport udp
              kamune bench --json >figures.json
              kamune bench --algorithm ml-dsa-65 --effort 0.2
              kamune bench --reach
              kamune bench --store --messages 1000000
              kamune bench --node
              kamune bench --daemon
            """)

    @Flag(name: .long, help: "Print JSON instead of a table.")
    var json = false

    @Option(name: .long, help: ArgumentHelp("The algorithm of both identities: ed25519 or ml-dsa-65."))
    var algorithm: IdentityAlgorithm = .ed25519

    /// What sessions may be measured over.
    enum Transport: String, ExpressibleByArgument, CaseIterable {
        case tcp
        case udp
    }

    @Option(name: .long, help: "What to measure sessions over: tcp, beside the primitives; or udp, beside tcp.")
    var transport = Transport.tcp

    @Option(name: .long, help: ArgumentHelp("A factor on how often each thing is measured.", valueName: "factor"))
    var effort: Double = 1

    @Option(
        name: .long,
        help: ArgumentHelp("How many idle sessions to hold to measure their memory; 0 for none.", valueName: "count"))
    var sessions = 1_000

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How many messages to send to see whether their cost grows; 0 for none.", valueName: "count"))
    var growth = 0

    @Flag(name: .long, help: "Measure a store of many messages instead.")
    var store = false

    @Flag(name: .long, help: "Measure instead how long it takes to find somebody some of whose addresses are dead.")
    var reach = false

    @Flag(name: .long, help: "Measure instead what a node costs that others look through.")
    var node = false

    @Flag(name: .long, help: "Measure instead how fast messages go through two daemons.")
    var daemon = false

    @Option(name: .long, help: ArgumentHelp("How many messages the store holds.", valueName: "count"))
    var messages = 1_000_000

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Where to make the store; what is measured is this file system.",
            discussion: "Without it, the system's directory for temporary files.", valueName: "directory"),
        completion: .directory)
    var directory: String?

    @Option(name: .long, help: ArgumentHelp("Only hold idle sessions with a listener.", visibility: .private))
    var hold: String?

    func validate() throws {
        guard effort > 0, effort <= 100 else { throw ValidationError("--effort takes a factor above 0, up to 100.") }
        guard (0...100_000).contains(sessions) else { throw ValidationError("--sessions takes a number up to 100000.") }
        guard (0...100_000_000).contains(growth) else {
            throw ValidationError("--growth takes a number up to 100000000.")
        }
        guard (1_000...100_000_000).contains(messages) else {
            throw ValidationError("--messages takes a number from 1000 to 100000000.")
        }
    }

    func run(in context: CommandContext) async throws {
        if let hold { return try await holdSessions(with: hold, context) }
        let errors = context.errors
        let progress: @Sendable (String) -> Void = { if errors.isTerminal { errors.write("measuring \($0) …\n") } }
        let report: BenchmarkReport
        if store {
            report = try await StoreBenchmark(messages: messages, directory: directory, progress: progress).run()
        } else if reach {
            report = try await DialingBenchmark(algorithm: algorithm, effort: effort, progress: progress).run()
        } else if node {
            guard let program = context.programPath else { throw Failure(.programUnknown) }
            report = try await NodeBenchmark(program: program, effort: effort, progress: progress).run()
        } else if daemon {
            guard let program = context.programPath else { throw Failure(.programUnknown) }
            report = try await DaemonBenchmark(program: program, effort: effort, progress: progress).run()
        } else if transport == .udp {
            report = try await TransportComparison(
                algorithm: algorithm, effort: effort, idleSessions: sessions, holder: holder(context),
                progress: progress
            ).run()
        } else {
            report = try await BenchmarkSuite(
                algorithm: algorithm, effort: effort, idleSessions: sessions, growthMessages: growth,
                progress: progress
            ).run()
        }
        let text: String
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            text = String(decoding: try encoder.encode(report), as: UTF8.self)
        } else {
            text = report.table
        }
        try context.output.print(text)
    }

    /// This program, as the other end of idle sessions.
    private func holder(_ context: CommandContext) -> [String]? {
        context.programPath.map {
            [$0, "bench", "--sessions", "\(sessions)", "--algorithm", algorithm.rawValue, "--hold"]
        }
    }

    private func holdSessions(with address: String, _ context: CommandContext) async throws {
        let held = try await IdleSessions(count: sessions, address: address, algorithm: algorithm).hold()
        try context.output.print("\(held.count) sessions")
        // The end of the input is the end of whoever measures.
        let input = InputReader(context.input)
        while await input.read() != nil {}
        withExtendedLifetime(held) {}
    }
}
