import Kamune
import KamuneStore
import KamuneSystem

/// Who we are in a conversation, and what is kept of it.
struct ChatSelf: Sendable {
    let identity: Identity
    /// By which earlier identities vouch for this one.
    let succession: Succession
    /// What the other side is told to call us; nil for the fingerprint.
    let name: String?
    let book: any PeerBook
    /// Where conversations are kept: on the disk, or in memory for those that leave no trace.
    let store: Store
    /// Whether the store is gone when the program ends.
    let isIncognito: Bool
    /// What the person should know about how it went.
    let notes: [(text: String, look: Style.Look)]

    /// Opens the store, and finds out who we are.
    static func find(_ options: EndpointOptions, _ context: CommandContext) async throws -> ChatSelf {
        let opener = try StoreOpener(options.store, context)
        // Before a passphrase is asked for that may then be of no use.
        let file = try options.identity.map { try IdentityFile(path: $0).loadOrCreate() }
        if options.incognito { return try await findIncognito(options, opener, file?.identity, context) }

        let store = try await opener.open(.creating)
        do {
            var notes = opener.notes
            if let (identity, isNew) = file {
                if isNew, let path = options.identity {
                    notes.append(("A new identity was made for you: \(path.shown)", .good))
                }
                return ChatSelf(
                    identity: identity, succession: try await store.succession(to: identity.publicKey),
                    name: options.name, book: StorePeerBook(store: store, time: context.time),
                    store: store,
                    isIncognito: false, notes: notes)
            }
            var current = try await store.currentIdentity()
            if current?.privateKey == nil {
                current = try await store.add(try .generate(.ed25519), name: "", at: context.time.date)
                notes.append(("A new identity was made for you; “kamune identity show” shows it.", .good))
            }
            guard let current, let identity = current.privateKey else {
                throw StoreError.noSuchRecord(what: "identity")
            }
            return ChatSelf(
                identity: identity, succession: try await store.succession(to: current.publicKey),
                name: options.name ?? named(current),
                book: StorePeerBook(store: store, time: context.time),
                store: store, isIncognito: false, notes: notes)
        } catch {
            try? await store.close()
            throw error
        }
    }

    private static func findIncognito(
        _ options: EndpointOptions, _ opener: StoreOpener, _ file: Identity?, _ context: CommandContext
    ) async throws -> ChatSelf {
        let store = try await opener.openForReading()
        let current = try await store?.currentIdentity()
        let identity = try file ?? current?.privateKey ?? .generate(.ed25519)
        var notes: [(text: String, look: Style.Look)] = [("Incognito: nothing is kept of this conversation.", .faint)]
        if file == nil, current?.privateKey == nil {
            notes.append(("You have no identity yet, so this one is made for this conversation only.", .faint))
        }
        // Whom the person knows is known here too; what is learned of them is gone with the conversation.
        let memory = if let store { try await Store.inMemory(knowingPeersOf: store) } else { try Store.inMemory() }
        return ChatSelf(
            identity: identity, succession: try await store?.succession(to: identity.publicKey) ?? .none,
            name: options.name ?? (file == nil ? current.flatMap(named) : nil),
            book: StorePeerBook(store: memory, time: context.time),
            store: memory,
            isIncognito: true, notes: notes)
    }

    private static func named(_ identity: StoredIdentity) -> String? {
        identity.name.isEmpty ? nil : identity.name
    }
}
