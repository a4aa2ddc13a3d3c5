import ArgumentParser

/// A command that does something, in what is around it.
protocol ContextualCommand: ParsableCommand {
    /// Does it.
    ///
    /// - Throws: What ``Failure`` knows a sentence and an exit code for.
    func run(in context: CommandContext) async throws
}
