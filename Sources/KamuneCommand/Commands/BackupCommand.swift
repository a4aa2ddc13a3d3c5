import ArgumentParser
import Kamune
import KamuneStore

/// The passphrase of a backup.
struct BackupPassphraseOptions: ParsableArguments {
    @Option(
        name: .customLong("backup-passphrase-fd"),
        help: ArgumentHelp(
            "Read the backup's passphrase from this file descriptor, up to the end of the line.",
            discussion: "Without it, KAMUNE_BACKUP_PASSPHRASE, else you are asked for it.", valueName: "number"))
    var descriptor: Int32?

    func read(isNew: Bool) async throws(Failure) -> SecretBox {
        try await OtherPassphrase(
            descriptor: descriptor, variable: "KAMUNE_BACKUP_PASSPHRASE", what: "the backup",
            option: "--backup-passphrase-fd"
        ).read(Environment.current, isNew: isNew)
    }

    /// What a wrong passphrase is called, so that it is not taken for the store's.
    static func explained(_ error: any Error) -> any Error {
        guard case StoreError.wrongPassphrase = error else { return error }
        return Failure(.locked, "The passphrase of the backup is wrong, or the beginning of the file is damaged.")
    }
}

/// `kamune backup`
struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Save everything that is kept into one encrypted file.",
        discussion: """
            The backup has a passphrase of its own. It holds your identity, the peers whom you know, what was said, and your \
            settings. It is read back and compared before it takes its place.

            EXAMPLES:
              kamune backup /media/stick/kamune.backup
              kamune restore /media/stick/kamune.backup           on a new machine
              kamune restore /media/stick/kamune.backup --merge   add what is missing here
            """)

    @Argument(help: ArgumentHelp("The file to write.", valueName: "file"), completion: .file())
    var path: String

    @Flag(name: .long, help: "Replace the file if there is one.")
    var force = false

    @OptionGroup var passphrase: BackupPassphraseOptions
    @OptionGroup var store: StoreOptions

    func run() async throws {
        try await store.withStore { store in
            let secret = try await passphrase.read(isNew: true)
            let summary: BackupSummary
            do {
                summary = try await store.backup(to: path, passphrase: secret.secret.copy(), replacing: force)
            } catch StoreError.alreadyExists {
                throw FileFailure.exists(path: path, what: "it")
            } catch StoreError.notFound {
                throw FileFailure.system(path: path, doing: "written", code: ENOENT)
            }
            try StandardStream(STDOUT_FILENO).print(
                "Saved and checked: \(summary.words), in “\(DisplayText(path))”.")
        }
    }
}

/// `kamune restore`
struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Bring back what a backup holds.",
        discussion: """
            Makes a new store of it, or, with --merge, adds to the one that is there what is missing in it: nothing is \
            doubled, and where both know something, yours stays. What you have deleted since the backup comes back.
            """)

    @Argument(help: ArgumentHelp("The backup.", valueName: "file"), completion: .file())
    var path: String

    @Flag(name: .long, help: "Add to what is there.")
    var merge = false

    @OptionGroup var passphrase: BackupPassphraseOptions
    @OptionGroup var store: StoreOptions

    func run() async throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw errno == ENOENT
                ? FileFailure.missing(path: path, what: "backup")
                : FileFailure.system(path: path, doing: "opened", code: errno)
        }
        if merge { try await mergeIntoStore() } else { try await makeStore() }
    }

    private func mergeIntoStore() async throws {
        try await store.withStore { store in
            let secret = try await passphrase.read(isNew: false)
            let summary: BackupSummary
            do {
                summary = try await store.merge(backup: path, passphrase: secret.secret.copy())
            } catch {
                throw BackupPassphraseOptions.explained(error)
            }
            try StandardStream(STDOUT_FILENO).print("Added what was new: \(summary.words).")
        }
    }

    private func makeStore() async throws {
        let opener = StoreOpener(store, Environment.current)
        let location = opener.location
        guard !location.exists else {
            throw Failure(
                .failure,
                "There is a store at “\(DisplayText(location.path))” already; say --merge to add what is missing in it, or "
                    + "name another by --db.")
        }
        let secret = try await passphrase.read(isNew: false)
        // Before a passphrase is chosen for what may never come to be.
        let summary: BackupSummary
        do {
            summary = try await Store.verifyBackup(at: path, passphrase: secret.secret.copy())
        } catch {
            throw BackupPassphraseOptions.explained(error)
        }
        let credential = try await opener.newCredential()
        let store = try await Store.restore(
            backup: path, passphrase: secret.secret.copy(), to: location, credential: credential.storeCredential())
        try await store.close()
        opener.tell()
        try StandardStream(STDOUT_FILENO).print(
            "Restored to “\(DisplayText(location.path))”: \(summary.words).")
    }
}

extension BackupSummary {
    /// The numbers for people.
    fileprivate var words: String {
        [
            Count.of(identities, "identity", "identities"), Count.of(peers, "peer", "peers"),
            Count.of(sessions, "conversation", "conversations"), Count.messages(messages),
        ].joined(separator: ", ")
    }
}
