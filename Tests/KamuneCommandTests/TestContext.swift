import Foundation
import KamuneSystem
import KamuneTestSupport
import Testing

@testable import KamuneCommand

/// What is around a command in a test: files in the place of standard streams, a home of its own, nobody to ask, and a clock
/// that a test sets.
final class TestContext: Sendable {
    let scratch: Scratch
    let context: CommandContext
    let time = ManualClock()

    /// - Parameters:
    ///   - input: What is on standard input.
    ///   - terminal: The path of a terminal at which questions are asked.
    ///   - entries: Variables as bytes.
    init(
        input: String = "", environment: [String: String] = [:], entries: [[UInt8]] = [],
        terminal: FilePath = "/no/terminal"
    ) throws {
        let scratch = try Scratch()
        self.scratch = scratch
        let variables = ["HOME": scratch.path, "XDG_DATA_HOME": scratch.path, "TERM": "xterm"]
            .merging(environment) { $1 }
        context = CommandContext(
            input: try Self.file(scratch, "input", holding: input),
            output: StandardStream(try Self.file(scratch, "output")),
            errors: StandardStream(try Self.file(scratch, "errors")), terminalPath: terminal,
            terminalMode: TerminalMode(),
            environment: EnvironmentVariables(entries: variables.map { Array("\($0.key)=\($0.value)".utf8) } + entries),
            time: time, signals: Signals(), programPath: nil)
    }

    deinit {
        for descriptor in [context.input, context.output.descriptor, context.errors.descriptor] {
            systemClose(descriptor)
        }
    }

    private static func file(_ scratch: Scratch, _ name: String, holding text: String = "") throws -> Int32 {
        _ = try scratch.write(text, to: name)
        return try retrying { open(scratch.text(name), O_RDWR | O_CLOEXEC) }
    }

    /// Everything on standard output.
    var output: String { (try? scratch.contents("output")) ?? "" }
    /// Everything on standard error.
    var errors: String { (try? scratch.contents("errors")) ?? "" }

    /// Runs a command in it.
    func run(_ arguments: String...) async -> Int32 { await Program.run(arguments, in: context) }
}

extension CommandContext {
    /// The same with another standard output.
    func writing(to output: StandardStream) -> CommandContext {
        CommandContext(
            input: input, output: output, errors: errors, terminalPath: terminalPath, terminalMode: terminalMode,
            environment: environment, time: time, signals: signals, programPath: programPath)
    }
}
