import ArgumentParser
import Kamune
import KamuneStore

/// Which store, and what opens it: the same for every command that keeps something or reads it.
struct StoreOptions: ParsableArguments {
    @Option(
        name: .customLong("db"),
        help: ArgumentHelp(
            "The file in which everything is kept.",
            discussion: "Without it, KAMUNE_DB_PATH, else kamune.db in your data directory.", valueName: "file"),
        completion: .file())
    var database: FilePath?

    @Option(
        name: .customLong("passphrase-fd"),
        help: ArgumentHelp(
            "Read the passphrase from this file descriptor, up to the end of the line.",
            discussion: "Without it, KAMUNE_DB_PASSPHRASE, else you are asked for it.", valueName: "number"))
    var passphraseDescriptor: Int32?

    @Flag(
        name: .customLong("no-passphrase"),
        help: "Keep everything without a passphrase: whoever gets the file can read it. Only needed the first time.")
    var isUnprotected = false

    func validate() throws {
        // Not the default: a script whose variable is empty means another store.
        guard database.map({ !$0.bytes.isEmpty }) ?? true else {
            throw ValidationError("--db takes the path of a file; the one that was given is empty.")
        }
        guard passphraseDescriptor.map({ $0 >= 0 }) ?? true else {
            throw ValidationError("--passphrase-fd takes the number of a file descriptor.")
        }
        guard !isUnprotected || passphraseDescriptor == nil else {
            throw ValidationError("--no-passphrase and --passphrase-fd exclude each other.")
        }
    }
}

extension StoreOptions {
    /// Where the store is: an argument, else `KAMUNE_DB_PATH`, else the platform's place.
    ///
    /// - Throws: ``FileFailure/notText(path:)``: the database takes no other path.
    func location(_ environment: EnvironmentVariables) throws(FileFailure) -> StoreLocation {
        // The rule is the store's, which knows paths as texts; what is none is carried through it.
        let variables = [StoreLocation.environmentVariable, "XDG_DATA_HOME", "HOME"]
        let values = variables.compactMap { name in
            environment.bytes(name).map { (name, ArgumentText.encode($0)) }
        }
        let place = StoreLocation.resolve(
            argument: database.map { ArgumentText.encode($0.bytes) },
            environment: Dictionary(uniqueKeysWithValues: values))
        return StoreLocation(path: try FilePath(bytes: ArgumentText.decode(place.path)).text())
    }

    /// What may be there when a file is written beside the store: with --force a file that can be replaced, which those of the
    /// store cannot.
    func existing(force: Bool, _ context: CommandContext) throws(FileFailure) -> PrivateFile.Existing {
        force ? .replace(sparing: try location(context.environment).resolved.files.map { FilePath($0) }) : .refuse
    }

    /// Opens the store, lends it, and closes it.
    ///
    /// - Parameter access: What to do when there is none.
    func withStore<Result>(
        _ access: StoreOpener.Access = .existing, in context: CommandContext, _ body: (Store) async throws -> Result
    ) async throws -> Result {
        let opener = try StoreOpener(self, context)
        let store = try await opener.open(access)
        opener.tell()
        let result: Result
        do {
            result = try await body(store)
        } catch {
            try? await store.close()
            throw error
        }
        try await store.close()
        return result
    }
}
