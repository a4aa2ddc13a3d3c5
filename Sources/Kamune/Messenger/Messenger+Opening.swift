public import KamuneCrypto
public import KamuneStore

extension Messenger {
    /// Opens a store, or makes one, and a messenger with the identity that is there, or a new one: what a bot begins with.
    ///
    /// - Parameters:
    ///   - location: Where the store is.
    ///   - name: What peers are told.
    ///   - algorithm: Of a new identity.
    ///   - verifier: Whom to talk to, when the store is open; by default those whom the store knows (``StoreVerifier``).
    /// - Throws: ``KamuneError`` whatever fails; its ``KamuneError/cause`` is the ``KamuneStore/StoreError``.
    public static func open(
        at location: StoreLocation, credential: consuming StoreCredential, name: String,
        orNew algorithm: IdentityAlgorithm = .ed25519, configuration: Configuration = .init(),
        reconnection: Reconnection = .init(), observer: ConversationObserver? = nil,
        verifier: (Store) -> any PeerVerifier = { StoreVerifier($0) }
    ) async throws(KamuneError) -> Messenger {
        do throws(StoreError) {
            let store = try await Store.openOrCreate(at: location, credential: credential)
            let identity = try await store.identity(orNew: algorithm, name: name)
            return Messenger(
                identity: identity, name: name, verifier: verifier(store), store: store, configuration: configuration,
                reconnection: reconnection, observer: observer)
        } catch {
            throw KamuneError(error)
        }
    }
}
