import Kamune

/// A question before something that cannot be taken back.
enum Confirmation {
    /// Has the person say yes, unless they have said so on the command line.
    ///
    /// - Parameters:
    ///   - question: Without its choices.
    ///   - isGiven: Whether --yes was said.
    /// - Throws: A ``Failure`` when they do not, or when nobody can be asked.
    static func ask(_ question: String, isGiven: Bool, _ context: CommandContext) async throws(Failure) {
        if isGiven { return }
        guard let terminal = context.openTerminal() else {
            throw Failure(.nobodyToAsk(question: question))
        }
        while true {
            guard let answer = await terminal.ask("\(question) (y/n) ") else { throw Failure.interrupted }
            switch answer.lowercased() {
            case "y", "yes": return
            case "n", "no": throw Failure(.declined)
            default: continue
            }
        }
    }
}
