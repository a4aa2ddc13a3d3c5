public import KamuneStore
import KamuneSystem

/// What a backup holds.
public struct BackupContents: Codable, Sendable, Equatable {
    /// How many identities.
    public var identities: Int
    /// How many contacts.
    public var contacts: Int
    /// How many sessions.
    public var sessions: Int
    /// How many messages.
    public var messages: Int

    /// What the store says.
    public init(_ summary: BackupSummary) {
        identities = summary.identities
        contacts = summary.peers
        sessions = summary.sessions
        messages = summary.messages
    }
}

/// Writes everything that is kept into one encrypted file, and reads that back.
public struct CreateBackup: NodeRequest {
    /// How it is called.
    public static let name = "store.backup"
    /// What the backup holds.
    public typealias Answer = BackupContents

    /// The file, as an absolute path.
    public var path: String
    /// The passphrase of the backup.
    public var backupPassphrase: SecretText
    /// The store's passphrase; nil where it has none.
    public var passphrase: SecretText?
    /// Whether a file that is there is replaced.
    public var replaces: Bool?

    /// Asks for it.
    public init(to path: String, backupPassphrase: SecretText, passphrase: SecretText?, replaces: Bool = false) {
        (self.path, self.backupPassphrase, self.passphrase) = (path, backupPassphrase, passphrase)
        self.replaces = replaces
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> BackupContents {
        try checkAbsolute(path)
        try await node.check(passphrase, from: client)
        let (store, path, secret, replaces) = (node.store, path, backupPassphrase, replaces ?? false)
        return BackupContents(
            try await asNode { try await store.backup(to: path, passphrase: secret.copy(), replacing: replaces) })
    }
}

/// Adds what a backup holds and the store does not.
public struct MergeBackup: NodeRequest {
    /// How it is called.
    public static let name = "store.merge"
    /// What was new.
    public typealias Answer = BackupContents

    /// The file, as an absolute path.
    public var path: String
    /// The passphrase of the backup.
    public var backupPassphrase: SecretText

    /// Asks for it.
    public init(_ path: String, backupPassphrase: SecretText) {
        (self.path, self.backupPassphrase) = (path, backupPassphrase)
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> BackupContents {
        try checkAbsolute(path)
        let (store, path, secret) = (node.store, path, backupPassphrase)
        let summary = try await asNode { try await store.merge(backup: path, passphrase: secret.copy()) }
        await node.identityMayHaveChanged()
        return BackupContents(summary)
    }
}

/// Sets or takes away the store's passphrase.
public struct ChangePassphrase: NodeRequest {
    /// How it is called.
    public static let name = "store.change_passphrase"
    /// It was done.
    public typealias Answer = Done

    /// The present one; nil where there is none.
    public var passphrase: SecretText?
    /// The new one; nil for none.
    public var newPassphrase: SecretText?

    /// Asks for it.
    public init(from passphrase: SecretText?, to new: SecretText?) {
        (self.passphrase, self.newPassphrase) = (passphrase, new)
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Done {
        try await node.check(passphrase, from: client)
        let (store, new) = (node.store, newPassphrase)
        try await asNode {
            if let new {
                try await store.changeCredential(to: .passphrase(new.copy()))
            } else {
                try await store.changeCredential(to: .unprotected)
            }
        }
        return Done()
    }
}

private func checkAbsolute(_ path: String) throws(NodeError) {
    guard path.hasPrefix("/") else {
        throw NodeError(.invalidParameter, "The path must be absolute: the node may be in another directory.")
    }
}

extension Node {
    /// Makes sure that whoever asks for something that a thief at an unlocked terminal must not get knows the passphrase.
    func check(_ passphrase: SecretText?, from client: NodeClient) async throws(NodeError) {
        // Whoever is in the process has opened the store.
        if client.isOwner { return }
        try await checkInTurn { () async throws(NodeError) in try await self.checkNow(passphrase) }
    }

    /// Whoever guesses through the socket waits, as whoever guesses at the terminal does; but the two are counted apart, so that
    /// a program that guesses does not have the person wait who opens the store.
    private func checkNow(_ passphrase: SecretText?) async throws(NodeError) {
        let failures = wrongPassphrases
        let delay = Store.delay(afterFailures: failures)
        if delay > .zero {
            let time = time
            try await asNode { try await time.sleep(for: delay) }
        }
        switch await Self.refusal(of: passphrase, by: store, after: failures) {
        case nil: if passphrase != nil { wrongPassphrases = 0 }
        case .wrongPassphrase(let count)?:
            wrongPassphrases = count
            throw NodeError(.wrongPassphrase(failures: count))
        case let error?: throw NodeError(error)
        }
    }

    /// Why a passphrase does not open the store; nil when it does.
    private static func refusal(of passphrase: SecretText?, by store: Store, after failures: Int) async -> StoreError? {
        do throws(StoreError) {
            if let passphrase {
                try await store.check(.passphrase(passphrase.copy()), afterFailures: failures)
            } else {
                try await store.check(.unprotected)
            }
            return nil
        } catch {
            return error
        }
    }

    /// After a merge, which may have brought the first identity.
    func identityMayHaveChanged() async {
        if presentTalker == nil { hub.publish([.identityChanged]) }
    }
}
