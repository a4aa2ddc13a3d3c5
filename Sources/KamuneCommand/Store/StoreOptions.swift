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
    var database: String?

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
        guard passphraseDescriptor.map({ $0 >= 0 }) ?? true else {
            throw ValidationError("--passphrase-fd takes the number of a file descriptor.")
        }
        guard !isUnprotected || passphraseDescriptor == nil else {
            throw ValidationError("--no-passphrase and --passphrase-fd exclude each other.")
        }
    }
}

extension StoreOptions {
    /// Where the store is.
    func location(_ environment: [String: String]) -> StoreLocation {
        .resolve(argument: database, environment: environment)
    }

    /// Opens the store, lends it, and closes it.
    ///
    /// - Parameter access: What to do when there is none.
    func withStore<Result>(
        _ access: StoreOpener.Access = .existing, _ body: (Store) async throws -> Result
    ) async throws -> Result {
        let opener = StoreOpener(self, Environment.current)
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
