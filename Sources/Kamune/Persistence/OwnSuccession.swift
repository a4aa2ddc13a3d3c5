public import KamuneCrypto
public import KamuneProtocol
public import KamuneStore
import Synchronization

/// The way from our earlier identities to the one in use, read when it is first needed. It never changes: another identity
/// has another endpoint.
final class OwnSuccession: Sendable {
    private let identity: PublicIdentity
    private let store: Store?
    private let known: Mutex<Succession?>

    init(of identity: PublicIdentity, known: Succession?, store: Store?) {
        self.identity = identity
        self.store = store
        self.known = Mutex(known ?? (store == nil ? Succession.none : nil))
    }

    func find() async throws(KamuneError) -> Succession {
        if let known = known.withLock({ $0 }) { return known }
        let found: Succession
        do throws(StoreError) {
            found = try await store?.succession(to: identity) ?? .none
        } catch {
            throw KamuneError(error)
        }
        known.withLock { $0 = found }
        return found
    }
}

extension Store {
    /// By which the person's earlier identities vouch for one of theirs: as far as the statements lead that are stored with
    /// the identities, and an introduction has room for.
    public func succession(to identity: PublicIdentity) async throws(StoreError) -> Succession {
        Succession(to: identity, from: try await identities().compactMap(\.statement))
    }
}
