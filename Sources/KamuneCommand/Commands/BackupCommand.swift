import ArgumentParser
import Kamune
import KamuneNode
import KamuneStore
import KamuneSystem
import KamuneTerminal

/// The passphrase of a backup.
struct BackupPassphraseOptions: ParsableArguments {
    @Option(
        name: .customLong("backup-passphrase-fd"),
        help: ArgumentHelp(
            "Read the backup's passphrase from this file descriptor, up to the end of the line.",
            discussion: "Without it, KAMUNE_BACKUP_PASSPHRASE, else you are asked for it.", valueName: "number"))
    var descriptor: Int32?

    private var source: OtherPassphrase {
        OtherPassphrase(
            descriptor: descriptor, variable: "KAMUNE_BACKUP_PASSPHRASE", what: "the backup",
            option: "--backup-passphrase-fd")
    }

    /// Reads the passphrase of a backup that is about to be made.
    func choose(_ context: CommandContext) async throws(Failure) -> SecretBox {
        try await source.read(context, isNew: true)
    }

    /// Reads the passphrase, and finds out whether it opens a backup and what that holds. One that an earlier version made
    /// may have another form of it.
    ///
    /// - Throws: A ``Failure`` or ``StoreError`` when it does not, or the backup is not whole.
    func open(
        _ backup: String, _ context: CommandContext
    ) async throws -> (passphrase: SecretBox, contents: BackupSummary) {
        let passphrase = try await source.read(context, isNew: false)
        do {
            return (passphrase, try await Store.verifyBackup(at: backup, passphrase: passphrase.secret.copy()))
        } catch {
            guard let earlier = source.earlierForm(context),
                let contents = try? await Store.verifyBackup(at: backup, passphrase: earlier.secret.copy())
            else { throw Self.explained(error) }
            return (earlier, contents)
        }
    }

    /// What a wrong passphrase is called, so that it is not taken for the store's.
    private static func explained(_ error: any Error) -> any Error {
        guard case StoreError.wrongPassphrase = error else { return error }
        return Failure(.backupPassphraseWrong)
    }
}

/// `kamune backup`
struct BackupCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Save everything that is kept into one encrypted file.",
        discussion: """
            The backup has a passphrase of its own. It holds your identity, the peers whom you know, what was said, and your \
            settings. It is read back and compared before it takes its place.

            EXAMPLES:
              kamune backup /media/stick/kamune.backup
              kamune backup - | ssh host 'cat >kamune.backup'
              kamune restore /media/stick/kamune.backup           on a new machine
              kamune restore /media/stick/kamune.backup --merge   add what is missing here
            """)

    @Argument(help: ArgumentHelp("The file to write; - for standard output.", valueName: "file"), completion: .file())
    var path: FilePath

    @Flag(name: .long, help: "Replace the file if there is one.")
    var force = false

    @OptionGroup var passphrase: BackupPassphraseOptions
    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        try await store.withNode(.reading, in: context) { node in
            let opener = try StoreOpener(store, context)
            if path == "-" { return try await write(node, opener, context) }
            let secret = try await passphrase.choose(context)
            let summary: BackupContents
            do {
                let place = try path.absolute.text()
                summary = try await opener.authorized(node) {
                    try await node.ask(
                        CreateBackup(
                            to: place, backupPassphrase: SecretText(secret.secret.copy()), passphrase: $0,
                            replaces: force))
                }
            } catch let error as NodeError {
                switch error.code {
                case .storeExists: throw FileFailure.exists(path: path, what: "it")
                case .storeMissing: throw FileFailure.system(path: path, doing: "written", code: ENOENT)
                default: throw error
                }
            }
            try context.output.print(
                "Saved and checked: \(summary.words), in “\(path.shown)”.")
        }
    }

    /// Writes the backup to standard output, once it is made and checked in a file beside the store.
    private func write(_ node: any NodeAccess, _ opener: StoreOpener, _ context: CommandContext) async throws {
        guard !context.output.isTerminal else {
            throw Failure(.backupAtTerminal)
        }
        let secret = try await passphrase.choose(context)
        let place = FilePath(try store.location(context.environment).resolved.path) + ".backup-\(UInt64.systemRandom())"
        let path = try place.absolute.text()
        let summary = try await opener.authorized(node) {
            try await node.ask(
                CreateBackup(to: path, backupPassphrase: SecretText(secret.secret.copy()), passphrase: $0))
        }
        defer { _ = place.withCString { unlink($0) } }
        let descriptor = place.withCString { open($0, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw FileFailure.system(path: place, doing: "read", code: errno) }
        defer { systemClose(descriptor) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 1)
        defer { buffer.deallocate() }
        while true {
            let count: Int
            do {
                count = try retrying { systemRead(descriptor, buffer) }
            } catch {
                throw FileFailure.system(path: place, doing: "read", code: error.code)
            }
            if count == 0 { break }
            try context.output.put(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        context.tell("Saved and checked: \(summary.words).")
    }

    /// How many bytes are written at once.
    private static let pieceSize = 64 * 1_024
}

/// `kamune restore`
struct RestoreCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Bring back what a backup holds.",
        discussion: """
            Makes a new store of it, or, with --merge, adds to the one that is there what is missing in it: nothing is \
            doubled, and where both know something, yours stays. What you have deleted since the backup comes back.
            """)

    @Argument(help: ArgumentHelp("The backup.", valueName: "file"), completion: .file())
    var path: FilePath

    @Flag(name: .long, help: "Add to what is there.")
    var merge = false

    @OptionGroup var passphrase: BackupPassphraseOptions
    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        var status = stat()
        guard path.withCString({ stat($0, &status) }) == 0 else {
            throw errno == ENOENT
                ? FileFailure.missing(path: path, what: "backup")
                : FileFailure.system(path: path, doing: "opened", code: errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileFailure.notARegularFile(path: path) }
        let backup = try path.text()
        if merge { try await mergeIntoStore(backup, context) } else { try await makeStore(of: backup, context) }
    }

    private func mergeIntoStore(_ backup: String, _ context: CommandContext) async throws {
        try await store.withNode(in: context) { node in
            let secret = try await passphrase.open(backup, context).passphrase
            let summary = try await node.ask(
                MergeBackup(
                    try FilePath(backup).absolute.text(), backupPassphrase: SecretText(secret.secret.copy())))
            try context.output.print("Added what was new: \(summary.words).")
        }
    }

    private func makeStore(of backup: String, _ context: CommandContext) async throws {
        let opener = try StoreOpener(store, context)
        let location = opener.location
        guard !location.exists else {
            throw Failure(.storeExists(at: location.path))
        }
        // Before a passphrase is chosen for what may never come to be.
        let (secret, summary) = try await passphrase.open(backup, context)
        let credential = try await opener.newCredential()
        let store = try await Store.restore(
            backup: backup, passphrase: secret.secret.copy(), to: location, credential: credential.storeCredential())
        try await store.close()
        opener.tell()
        try context.output.print(
            "Restored to “\(TerminalText(location.path))”: \(BackupContents(summary).words).")
    }
}

extension BackupContents {
    /// The numbers for people.
    fileprivate var words: String {
        [
            Count.of(identities, "identity", "identities"), Count.of(contacts, "peer", "peers"),
            Count.of(sessions, "conversation", "conversations"), Count.messages(messages),
        ].joined(separator: ", ")
    }
}
