import Kamune

/// A passphrase beside the store's: a backup's, or the next one.
struct OtherPassphrase {
    let descriptor: Int32?
    let variable: String
    /// What it is of, such as "the backup".
    let what: String
    /// The option that names a descriptor.
    let option: String

    /// What an earlier version made of it, if it comes from the environment and that is not the same.
    func earlierForm(_ context: CommandContext) -> SecretBox? {
        guard descriptor == nil, let value = context.environment.bytes(variable) else { return nil }
        return Passphrase.earlierForm(of: value)
    }

    /// Reads it.
    ///
    /// - Parameter isNew: Whether it is chosen now: at a terminal, it is asked for twice.
    func read(_ context: CommandContext, isNew: Bool) async throws(Failure) -> SecretBox {
        let terminal = context.openTerminal()
        let source = PassphraseSource.choose(
            descriptor: descriptor, variable: variable, environment: context.environment, hasTerminal: terminal != nil)
        let passphrase: SecretBox?
        switch source {
        case .descriptor(let number): passphrase = try Passphrase.readLine(number)
        case .environment(let name): passphrase = try Passphrase.from(context.environment.bytes(name) ?? [])
        case .terminal, nil:
            guard let terminal else {
                throw Failure(.passphraseNeeded(of: what, variable: variable, option: option))
            }
            let question = "Passphrase of \(what): "
            passphrase =
                isNew ? try await StoreOpener.choose(terminal, question) : try await terminal.askSecret(question)
        }
        guard let passphrase, passphrase.secret.count > 0 else {
            throw Failure(.passphraseEmpty(of: what))
        }
        let wasAsked = if case .terminal? = source { true } else { false }
        if isNew, !wasAsked, let advice = PassphraseAdvice.text(on: passphrase) {
            context.tell(advice, .warning)
        }
        return passphrase
    }
}
