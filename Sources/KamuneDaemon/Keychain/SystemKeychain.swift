import KamuneSystem

/// The keychain that the system has: on Apple's systems theirs; elsewhere the Secret Service where it runs, else the kernel's
/// user keyring, which lasts until the machine is restarted; and none where there is none of these.
public struct SystemKeychain: Keychain {
    /// In the order in which they are tried.
    private let keychains: [any Keychain]

    /// What there is in this process. Nothing is asked of it before it is needed.
    public init() {
        #if canImport(Darwin)
        keychains = [AppleKeychain()]
        #elseif os(Linux)
        keychains = [SecretService(), KernelKeyring()]
        #else
        keychains = []
        #endif
    }

    /// The passphrase of a store; nil when it is not kept, or there is no keychain.
    public func passphrase(for entry: KeychainEntry) async -> JSONSecret? {
        for keychain in keychains {
            if let passphrase = await keychain.passphrase(for: entry) { return passphrase }
        }
        return nil
    }

    /// Keeps a passphrase, in the first keychain that does.
    ///
    /// - Returns: Whether it is kept.
    public func keep(_ passphrase: JSONSecret, for entry: KeychainEntry) async -> Bool {
        for keychain in keychains {
            if await keychain.keep(passphrase, for: entry) { return true }
        }
        return false
    }

    /// Removes a passphrase, wherever it is kept.
    ///
    /// - Returns: Whether there was one.
    public func remove(_ entry: KeychainEntry) async -> Bool {
        var wasThere = false
        for keychain in keychains where await keychain.remove(entry) { wasThere = true }
        return wasThere
    }
}
