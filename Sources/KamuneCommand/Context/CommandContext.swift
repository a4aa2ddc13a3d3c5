import Foundation
import KamuneSystem

/// Everything around a command: what it reads and writes, where it asks, the time, the environment, the signals. A command
/// is given it by whoever runs it and reaches for nothing else, so that a test runs it without a process.
struct CommandContext: Sendable {
    /// The descriptor of standard input.
    let input: Int32
    /// Standard output.
    let output: StandardStream
    /// Standard error.
    let errors: StandardStream
    /// The terminal at which questions are asked, whatever the standard streams are; it may be that there is none.
    let terminalPath: FilePath
    /// How that terminal, or the one that is typed at, treats what is typed.
    let terminalMode: TerminalMode
    /// The variables that the program was started with.
    let environment: EnvironmentVariables
    /// Civil time, intervals and sleep.
    let time: any TimeSource
    /// What the program is told by signals.
    let signals: Signals
    /// Where this program itself is, to be started again; nil when that is not known.
    let programPath: String?

    /// Colours for what is written to a stream.
    func style(for stream: StandardStream) -> Style {
        Style(isEnabled: Style.isWanted(isTerminal: stream.isTerminal, environment: environment))
    }

    /// The terminal at which questions are asked; nil when there is none.
    func openTerminal() -> ControllingTerminal? {
        ControllingTerminal(terminalPath, mode: terminalMode)
    }
}

extension CommandContext {
    /// What is around this process. Made once, at its start: it takes over the signals.
    static func ofProcess() -> CommandContext {
        let ending = WakePipe()
        let mode = TerminalMode()
        let signals = Signals(
            end: { number in
                mode.giveBack()
                ProcessSignals.end(by: number)
            },
            stop: {
                mode.suspend()
                ProcessSignals.stop()
            },
            resume: { mode.resume() })
        ProcessSignals.deliver(to: signals)
        return CommandContext(
            input: STDIN_FILENO, output: StandardStream(STDOUT_FILENO, ending: ending),
            errors: StandardStream(STDERR_FILENO, ending: ending), terminalPath: "/dev/tty", terminalMode: mode,
            environment: .ofProcess, time: .system, signals: signals, programPath: Bundle.main.executablePath)
    }
}
