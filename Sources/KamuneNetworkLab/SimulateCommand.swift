import ArgumentParser
import Foundation
import KamuneTestKit

/// `simulate`: runs conversations on virtual time, one for each seed, and stops at the first promise that is broken.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Simulate conversations with all that can befall them, one for each seed.",
        discussion: """
            A seed that fails is printed with what happened until then, and does the same in every run and on every machine.
            """)

    @Option(help: "The first seed.")
    var first: UInt64 = 0

    @Option(help: "How many seeds to try.")
    var count: UInt64 = 100_000

    @Option(help: "How many at a time; by default one for each processor.")
    var width: Int = ProcessInfo.processInfo.activeProcessorCount

    @Option(
        help: """
            A fault of the store that the simulation is to find: \
            \(ModelStore.Fault.allCases.map(\.rawValue).joined(separator: ", ")).
            """)
    var fault: ModelStore.Fault?

    func run() async throws {
        let width = UInt64(max(1, width))
        let failure = await withTaskGroup(of: ConversationSimulation.Failure?.self) { group in
            for lane in 0..<width {
                group.addTask { [first, count, fault] in
                    for seed in stride(from: first + lane, to: first + count, by: Int(width)) {
                        if Task.isCancelled { return nil }
                        do throws(ConversationSimulation.Failure) {
                            try await ConversationSimulation.run(seed: seed, fault: fault)
                        } catch {
                            return error
                        }
                    }
                    return nil
                }
            }
            for await failure in group where failure != nil {
                group.cancelAll()
                return failure
            }
            return nil
        }
        if let failure {
            print(failure)
            throw ExitCode.failure
        }
        print("\(count) conversations, beginning with seed \(first): every promise was kept.")
    }
}

extension ModelStore.Fault: ExpressibleByArgument {}
