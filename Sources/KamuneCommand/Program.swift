import ArgumentParser
import KamuneTerminal

/// The program: reads the arguments, runs the command, and turns what it throws into a sentence and an exit code.
enum Program {
    /// Runs the command that the arguments name.
    ///
    /// - Parameter arguments: Without the program's name; see ``ArgumentText``.
    /// - Returns: The exit code.
    static func run(_ arguments: [String], in context: CommandContext) async -> Int32 {
        let command: any ContextualCommand
        do {
            var parsed = try RootCommand.parseAsRoot(arguments)
            guard let found = parsed as? any ContextualCommand else {
                // Help, or a group of commands, which shows it.
                try parsed.run()
                return ExitStatus.success.rawValue
            }
            command = found
        } catch {
            return answer(error, to: arguments, in: context)
        }
        do {
            try await command.run(in: context)
            return ExitStatus.success.rawValue
        } catch {
            let failure = Failure(anything: error)
            report(failure, in: context)
            return failure.status.rawValue
        }
    }

    /// Help, version, completion scripts and wrong arguments.
    private static func answer(_ error: any Error, to arguments: [String], in context: CommandContext) -> Int32 {
        let code = RootCommand.exitCode(for: error).rawValue
        var text = RootCommand.fullMessage(for: error)
        if code != 0, let hint = hint(on: arguments[...], below: RootCommand.configuration) {
            text = hint + "\n" + text
        }
        if !text.isEmpty { (code == 0 ? context.output : context.errors).write(text + "\n") }
        return code
    }

    /// What somebody may have meant who typed the name of no command; nil when that is not what is wrong.
    private static func hint(on arguments: ArraySlice<String>, below configuration: CommandConfiguration) -> String? {
        guard let word = arguments.first, !word.hasPrefix("-"), !configuration.subcommands.isEmpty else { return nil }
        if let command = configuration.subcommands.first(where: { $0.configuration.commandName == word }) {
            return hint(on: arguments.dropFirst(), below: command.configuration)
        }
        let names = configuration.subcommands.compactMap { $0.configuration.commandName }
        return Suggestion.nearest(to: word, among: names).map {
            "There is no command “\(TerminalText(word, maximumColumns: TextLimit.name))”; do you mean “\($0)”?"
        }
    }

    private static func report(_ failure: Failure, in context: CommandContext) {
        context.terminalMode.giveBack()
        guard let message = failure.message else { return }
        let mark = "kamune:"
        var rows = context.rows(of: "\(mark) \(message)", for: context.errors)
        if rows[0].hasPrefix(mark) {
            rows[0] = context.style(for: context.errors)(.warning, mark) + rows[0].dropFirst(mark.count)
        }
        context.errors.write(rows.map { $0 + "\n" }.joined())
    }
}
