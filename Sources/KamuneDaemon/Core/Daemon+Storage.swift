import KamuneCrypto

extension Daemon {
    // MARK: Opening

    func openStorage(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let (path, isUnprotected) = try parameters.read { (members) throws(JSONMembers.Mismatch) in
            (try members.text("storage_path"), try members.flag("db_no_passphrase"))
        }
        guard !path.isEmpty else { throw DaemonError(.storagePathRequired, "storage_path is required") }
        guard !path.utf8.contains(0) else {
            throw DaemonError(.invalidParams, "invalid params: storage_path holds a NUL")
        }
        try checkIdle()
        var passphrase: JSONSecret?
        if !isUnprotected {
            pendingPath = path
            passphrase = environment.passphrase
            if passphrase == nil {
                passphrase = await environment.keychain.passphrase(for: KeychainEntry(storagePath: path))
            }
            guard passphrase != nil else {
                throw DaemonError(
                    .storageOpenFailed,
                    "failed to open storage: KAMUNE_DB_PASSPHRASE not set and db_no_passphrase is false; "
                        + "use submit_passphrase to provide one")
            }
        }
        try await open(path, passphrase)
        respond(id, ["status": "opened", "storage_path": .text(path)])
    }

    func submitPassphrase(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let (passphrase, isKept) = try parameters.read { (members) throws(JSONMembers.Mismatch) in
            (try members.secret("passphrase"), try members.flag("remember"))
        }
        let path = pendingPath.isEmpty ? storagePath : pendingPath
        guard !path.isEmpty else {
            throw DaemonError(.storageNotOpened, "storage not opened — call open_storage first")
        }
        try checkIdle()
        guard let passphrase, passphrase.bytes.count > 0 else {
            throw DaemonError(.storageOpenFailed, "failed to open storage: the passphrase is empty")
        }
        try await open(path, passphrase)
        if isKept, await !environment.keychain.keep(passphrase, for: KeychainEntry(storagePath: path)) {
            log(.warning, "There is no keychain that would keep the passphrase")
        }
        respond(id, ["status": "opened"])
    }

    private func checkIdle() throws(DaemonError) {
        guard server.number == nil, dials.isEmpty, sessions.isEmpty else {
            throw DaemonError(.storageBusy, "storage cannot be replaced while networking is active")
        }
    }

    private func open(_ path: String, _ passphrase: JSONSecret?) async throws(DaemonError) {
        // A store has one holder, so the same one is let go of before.
        if path == storagePath, let former = storage {
            storage = nil
            await closeVocabulary()
            await former.close()
        }
        let opened = try await backend.open(path: path, passphrase: passphrase)
        // Only while one command is being followed are there no others; but the end may have come.
        guard phase == .running else {
            await opened.close()
            throw DaemonError(.shuttingDown, "the daemon is ending")
        }
        let former = storage
        storage = opened
        storagePath = path
        pendingPath = ""
        await closeVocabulary()
        await former?.close()
        await readSettings(of: opened)
    }

    /// Takes over who the person is and what was set before, and tells it.
    private func readSettings(of storage: any DaemonStorage) async {
        identity = storage.identity
        history = nil
        loadedHistory = []
        emit(.fingerprintChanged, fingerprint)
        var name = await setting(.ownName, of: storage) ?? ""
        if name.isEmpty {
            name = storage.identity.fingerprint.pseudonym
            await keep(.ownName, name)
        }
        settings.ownName = name
        emit(.localNameChanged, .members(["name": .text(name)]))
        log(.info, "Loaded identity from existing storage")
        if let text = await setting(.mode, of: storage), let mode = Int(text).flatMap(VerificationMode.init) {
            settings.mode = mode
        }
        if await setting(.incognito, of: storage) == "true" { settings.isIncognito = true }
        if let format = await setting(.fingerprintFormat, of: storage), !format.isEmpty {
            settings.fingerprintFormat = format
        }
        emit(.historyUpdated, .members([:]))
    }

    private func setting(_ name: DaemonSettings.Name, of storage: any DaemonStorage) async -> String? {
        do throws(DaemonError) {
            return try await storage.setting(name.rawValue)
        } catch {
            return nil
        }
    }

    /// Keeps a setting, if there is a store. It holds all the same if that fails, until the end.
    @discardableResult
    func keep(_ name: DaemonSettings.Name, _ value: String) async -> Bool {
        guard let storage else { return true }
        do throws(DaemonError) {
            try await storage.setSetting(name.rawValue, to: value)
            return true
        } catch {
            log(.warning, "Could not keep a setting: \(error.message)")
            return false
        }
    }

    /// The store.
    ///
    /// - Throws: ``DaemonError/Code/storageUnavailable`` when there is none.
    var openedStorage: any DaemonStorage {
        get throws(DaemonError) {
            guard let storage else { throw DaemonError(.storageUnavailable, "storage is not available") }
            return storage
        }
    }

    // MARK: Keychain

    private var keychainEntry: KeychainEntry { KeychainEntry(storagePath: storagePath) }

    func hasKeychainPassphrase(_ id: String) async {
        let passphrase = await environment.keychain.passphrase(for: keychainEntry)
        respond(id, ["has_passphrase": .flag(passphrase != nil)])
    }

    func clearKeychainPassphrase(_ id: String) async throws(DaemonError) {
        guard await environment.keychain.remove(keychainEntry) else {
            throw DaemonError(.keychainClearFailed, "failed to clear keychain: there is nothing in it for this storage")
        }
        log(.info, "Passphrase cleared from keychain")
        respond(id, ["status": "cleared"])
    }
}
