/// Where the system keeps passphrases for a person.
public protocol Keychain: Sendable {
    /// The passphrase of a store; nil when it is not kept, or there is no keychain.
    func passphrase(for entry: KeychainEntry) async -> JSONSecret?
    /// Keeps a passphrase.
    ///
    /// - Returns: Whether it is kept.
    func keep(_ passphrase: JSONSecret, for entry: KeychainEntry) async -> Bool
    /// Removes a passphrase.
    ///
    /// - Returns: Whether there was one.
    func remove(_ entry: KeychainEntry) async -> Bool
}

/// Under which name a passphrase is kept: as the Go daemon has it, so that what one has put there the other finds.
public struct KeychainEntry: Sendable, Hashable {
    /// The program.
    public let service = "kamune"
    /// The store: the last part of its path.
    public let account: String

    /// The entry of a store.
    public init(storagePath: String) {
        account = storagePath.split(separator: "/").last.map(String.init) ?? "default"
    }
}

/// A keychain that keeps nothing, where the system has none.
public struct NoKeychain: Keychain {
    /// All are alike.
    public init() {}

    /// Nothing.
    public func passphrase(for entry: KeychainEntry) async -> JSONSecret? { nil }
    /// Keeps nothing.
    public func keep(_ passphrase: JSONSecret, for entry: KeychainEntry) async -> Bool { false }
    /// There is nothing.
    public func remove(_ entry: KeychainEntry) async -> Bool { false }
}
