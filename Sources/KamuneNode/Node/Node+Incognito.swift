import Kamune
import KamuneStore
import KamuneSystem

extension Node {
    /// A node beside this one for somebody who wants to leave no trace: under the same identity, knowing whom this one knows,
    /// with a store in memory that is gone with it.
    ///
    /// - Parameter name: What others are told to call us; nil for the name that the store has.
    package func incognito(name: String? = nil) async throws(NodeError) -> Node {
        let (store, settings) = (store, configuration)
        let (memory, new) = try await asNode {
            let current = try await store.currentIdentity()
            var new = settings
            new.leavesNoTrace = true
            // What leaves no trace is delivered when it is written, and not before.
            new.conversations.acknowledgesWhenTaken = true
            let own = try settings.identity?.identity ?? current?.privateKey ?? .generate(.ed25519)
            new.identity = NodeConfiguration.OwnIdentity(
                own, succession: try await store.succession(to: own.publicKey))
            let kept = current.flatMap { $0.name.isEmpty ? nil : $0.name }
            new.name = name ?? settings.name ?? kept
            return (try await Store.inMemory(knowingPeersOf: store), new)
        }
        return Node(store: memory, configuration: new)
    }
}
