import Kamune
import KamuneNode
import KamuneStore
import KamuneSystem
import KamuneTerminal

/// Opens the store, or makes it: gets the passphrase from wherever it comes, and slows down who guesses.
final class StoreOpener {
    /// What to do when there is no store.
    enum Access: Sendable {
        /// Say so.
        case existing
        /// Say so. Where there is one, nothing is to be changed in it, so it may be on a disk that can only be read.
        case reading
        /// Make one.
        case creating
    }

    /// How often a person may mistype in one go. More can be had by calling again; the delays go on where they were.
    private static let attempts = 10
    /// How often a person may choose two passphrases that differ, or none.
    private static let choices = 5

    static let variable = "KAMUNE_DB_PASSPHRASE"

    let location: StoreLocation
    private let options: StoreOptions
    private let context: CommandContext
    private let openedTerminal: ControllingTerminal?
    private var isUnattended = false
    private var isReadOnly = false
    /// What has opened the store, or protects one that was made.
    private(set) var credential: HeldCredential?
    /// What the person should know about how it went.
    private(set) var notes: [(text: String, look: Style.Look)] = []

    init(_ options: StoreOptions, _ context: CommandContext) throws(FileFailure) {
        self.options = options
        self.context = context
        location = try options.location(context.environment)
        openedTerminal = options.isUnprotected ? nil : context.openTerminal()
    }

    private var terminal: ControllingTerminal? { isUnattended ? nil : openedTerminal }

    /// Writes the notes to standard error.
    func tell() {
        for (text, look) in notes { context.tell(text, look) }
        notes = []
    }

    /// Opens the store as nobody is there to type a passphrase.
    ///
    /// - Throws: ``passphraseIsMissing`` when it needs one, and none is given otherwise.
    func open(unattended: Bool) async throws -> Store {
        isUnattended = unattended
        return try await open(.creating)
    }

    /// Opens the store. What an earlier version kept in files beside it is taken over.
    ///
    /// - Throws: ``Failure``, ``StoreError`` or ``FileFailure``, each with a sentence for a person.
    func open(_ access: Access) async throws -> Store {
        if access == .reading, location.exists, !Store.isWritable(at: location) {
            isReadOnly = true
            return try await openExisting()
        }
        let earlier = EarlierFiles(directory: FilePath(location.path).parent)
        let store: Store
        if location.exists {
            store = try await openExisting()
        } else if access == .creating || earlier.exist {
            store = try await create()
        } else {
            throw Failure(.nothingKept(at: location.path))
        }
        do {
            for note in try await earlier.move(into: store, at: context.time.date) { notes.append((note, .good)) }
        } catch {
            try? await store.close()
            throw error
        }
        return store
    }

    /// Opens the store to look into it, if there is one, and takes nothing over: for who wants to leave no trace.
    func openForReading() async throws -> Store? {
        isReadOnly = true
        return location.exists ? try await openExisting() : nil
    }

    /// Unlocks a node that was begun without a passphrase.
    func unlock(_ node: RemoteNode) async throws {
        if let source = source(hasTerminal: terminal != nil), source != .terminal {
            return try await node.unlock(try await read(source).secret.copy())
        }
        guard let terminal else { throw Self.missing }
        var attempts = 1
        while true {
            let passphrase = try await terminal.askSecret("Passphrase: ")
            do throws(NodeError) {
                return try await node.unlock(passphrase.secret.copy())
            } catch {
                guard error.code == .wrongPassphrase, attempts < Self.attempts else { throw error }
                terminal.tell(error.message)
            }
            attempts += 1
        }
    }

    /// Has something done that, through the socket of another process, needs the passphrase.
    ///
    /// - Parameter body: Is given the passphrase; nil where none is needed.
    func authorized<Result>(
        _ node: any NodeAccess, _ body: (SecretText?) async throws -> Result
    ) async throws -> Result {
        if node is LocalNode || options.isUnprotected { return try await body(nil) }
        if let source = source(hasTerminal: terminal != nil), source != .terminal {
            return try await body(SecretText(try await read(source).secret.copy()))
        }
        do {
            return try await body(nil)
        } catch let error as NodeError where error.code == .passphraseRequired {
            guard let terminal else { throw Self.missing }
            return try await body(SecretText(try await terminal.askSecret("Passphrase: ").secret.copy()))
        }
    }

    // MARK: Opening

    private func openExisting() async throws -> Store {
        if options.isUnprotected { return try await open(.unprotected) }
        let source = source(hasTerminal: terminal != nil)
        if let source, source != .terminal {
            try await waitAfterFailures()
            let passphrase = try await read(source)
            guard let earlier = earlierForm(from: source) else { return try await attempt(passphrase) }
            return try await attempt(passphrase, earlier: earlier)
        }
        do {
            return try await open(.unprotected)
        } catch StoreError.passphraseRequired {
            guard let terminal else { throw Self.missing }
            return try await ask(terminal)
        }
    }

    /// What an earlier version made of the passphrase, if that is not the same.
    private func earlierForm(from source: PassphraseSource) -> SecretBox? {
        guard case .environment(let name) = source else { return nil }
        return Passphrase.earlierForm(of: context.environment.bytes(name) ?? [])
    }

    private func attempt(_ passphrase: SecretBox, earlier: SecretBox) async throws -> Store {
        do {
            return try await attempt(passphrase)
        } catch {
            guard Self.isWrongPassphrase(error), let store = try? await attempt(earlier) else { throw error }
            return try await keepExactly(passphrase, in: store)
        }
    }

    private static func isWrongPassphrase(_ error: any Error) -> Bool {
        switch error as? StoreError {
        case .wrongPassphrase?, .emptyPassphrase?: true
        default: false
        }
    }

    /// Has a store open by the passphrase as it is given, which was made by a version that took others for the same.
    private func keepExactly(_ passphrase: SecretBox, in store: Store) async throws -> Store {
        let heading = "An earlier version kept this passphrase in a form in which others open the store, too."
        if isReadOnly || passphrase.secret.count == 0 {
            notes.append(("\(heading) Set it anew by “kamune passphrase”.", .warning))
            return store
        }
        do {
            try await store.changeCredential(to: .passphrase(passphrase.secret.copy()))
        } catch {
            try? await store.close()
            throw error
        }
        notes.append(("\(heading) From now on only the passphrase itself does.", .warning))
        return store
    }

    private func ask(_ terminal: ControllingTerminal) async throws -> Store {
        var attempts = 1
        while true {
            try await waitAfterFailures()
            let passphrase = try await terminal.askSecret("Passphrase: ")
            do {
                return try await attempt(passphrase)
            } catch let error as StoreError {
                switch error {
                case .wrongPassphrase, .emptyPassphrase: break
                default: throw error
                }
                guard attempts < Self.attempts else { throw error }
                terminal.tell(error.description)
            }
            attempts += 1
        }
    }

    private func attempt(_ passphrase: SecretBox) async throws -> Store {
        try await open(.passphrase(passphrase))
    }

    private func open(_ credential: HeldCredential) async throws(StoreError) -> Store {
        let store =
            isReadOnly
            ? try await Store.openForReading(at: location, credential: credential.storeCredential())
            : try await Store.open(at: location, credential: credential.storeCredential())
        self.credential = credential
        return store
    }

    /// Waits as long as many wrong passphrases in a row demand, also those of earlier calls.
    private func waitAfterFailures() async throws {
        let failures = Store.passphraseFailures(at: location)
        let delay = Store.delay(afterFailures: failures)
        guard delay > .zero else { return }
        let text =
            "The last \(failures) passphrases were wrong, so the next one waits for \(delay.components.seconds) s."
        if let terminal { terminal.tell(text) } else { context.tell(text) }
        try await context.time.sleep(for: delay)
    }

    // MARK: Making

    private func create() async throws -> Store {
        let credential = try await newCredential()
        let store = try await Store.create(at: location, credential: credential.storeCredential())
        self.credential = credential
        notes.append(("From now on everything is kept in “\(TerminalText(location.path))”.", .faint))
        return store
    }

    /// What is to protect a store that is about to be made. Adds a note when it is nothing.
    func newCredential() async throws -> HeldCredential {
        if options.isUnprotected {
            notes.append((Self.warning, .warning))
            return .unprotected
        }
        switch source(hasTerminal: terminal != nil) {
        case .terminal:
            guard let terminal else { throw Self.missing }
            terminal.tell(
                "Your identity, the peers whom you know, and what is said are kept encrypted. Choose a passphrase for "
                    + "them.\nNobody can help you when it is lost.")
            return .passphrase(try await Self.choose(terminal, "Passphrase: "))
        case let source?:
            let passphrase = try await read(source)
            guard passphrase.secret.count > 0 else { throw StoreError.emptyPassphrase }
            if let advice = PassphraseAdvice.text(on: passphrase) { notes.append((advice, .warning)) }
            return .passphrase(passphrase)
        case nil: throw Self.missing
        }
    }

    /// Has a person choose a passphrase, twice the same.
    static func choose(_ terminal: ControllingTerminal, _ question: String) async throws(Failure) -> SecretBox {
        for _ in 0..<choices {
            let first = try await terminal.askSecret(question)
            guard first.secret.count > 0 else {
                terminal.tell("A passphrase has at least one character; to have none, say --no-passphrase.")
                continue
            }
            let second = try await terminal.askSecret("The same again: ")
            if SecretBytes.constantTimeEqual(first.secret, second.secret) {
                if let advice = PassphraseAdvice.text(on: first) { terminal.tell(advice) }
                return first
            }
            terminal.tell("The two are not the same; try again.")
        }
        throw Failure(.noPassphraseChosen)
    }

    // MARK: Sources

    private func source(hasTerminal: Bool) -> PassphraseSource? {
        .choose(
            descriptor: options.passphraseDescriptor, variable: Self.variable, environment: context.environment,
            hasTerminal: hasTerminal)
    }

    private func read(_ source: PassphraseSource) async throws -> SecretBox {
        switch source {
        case .descriptor(let number):
            guard let line = try Passphrase.readLine(number) else { throw StoreError.emptyPassphrase }
            return line
        case .environment(let name): return try Passphrase.from(context.environment.bytes(name) ?? [])
        case .terminal:
            guard let terminal else { throw Self.missing }
            return try await terminal.askSecret("Passphrase: ")
        }
    }

    static let warning =
        "WARNING: without a passphrase, whoever gets the file can read everything in it and pretend to be you. “kamune "
        + "passphrase” sets one."

    /// A passphrase is needed, and there is nobody to ask.
    static let passphraseIsMissing = Failure(.storePassphraseNeeded(variable: variable))
    private static let missing = passphraseIsMissing
}

/// What opens or protects a store, as something that can be kept until it is needed.
enum HeldCredential: Sendable {
    case passphrase(SecretBox)
    case unprotected

    /// As the store wants it.
    func storeCredential() -> StoreCredential {
        switch self {
        case .passphrase(let box): .passphrase(box.secret.copy())
        case .unprotected: .unprotected
        }
    }
}
