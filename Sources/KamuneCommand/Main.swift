import ArgumentParser
import Kamune
import KamuneStore

/// Where the program begins: reads the arguments, runs the command, and turns what it throws into a sentence and an exit
/// code.
@main
enum Main {
    static func main() async {
        StandardStream.reserve()
        OpenFileLimit.raise()
        // A file that may not grow shall be an error of that call, not the end of the program.
        signal(SIGXFSZ, SIG_IGN)
        let status: Int32
        do {
            var command = try RootCommand.parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            status = ExitStatus.success.rawValue
        } catch {
            status = report(error)
        }
        TerminalMode.restore()
        exit(status)
    }

    private static func report(_ error: any Error) -> Int32 {
        let failure: Failure
        switch error {
        case let error as Failure: failure = error
        case let error as KamuneError: failure = Failure(error)
        case let error as StoreError: failure = Failure(error)
        case let error as FileFailure: failure = Failure(.failure, error.description)
        case let error as CryptoError: failure = Failure(.failure, error.description)
        default:
            // Help, version, completion scripts and wrong arguments.
            let code = RootCommand.exitCode(for: error).rawValue
            let text = RootCommand.fullMessage(for: error)
            StandardStream(code == 0 ? STDOUT_FILENO : STDERR_FILENO).write(text.isEmpty ? "" : text + "\n")
            return code
        }
        if let message = failure.message {
            let style = Style(for: STDERR_FILENO, environment: Environment.current)
            TerminalMode.restore()
            StandardStream(STDERR_FILENO).write(style(.warning, "kamune:") + " " + message + "\n")
        }
        return failure.status.rawValue
    }
}
