public import KamuneStore
package import KamuneSystem

/// Talks to whom a store knows: to peers who were accepted, as long as that lasts (``KamuneStore/PeerTerms``), and not to those
/// who are blocked, or who show a key that was given up. About anybody else a closure decides, and whomever that accepts on the
/// grounds of a person's word is remembered.
///
/// ```swift
/// let verifier = StoreVerifier(store) { peer, recognition in
///     recognition.isNameConflict ? .refuse(reason: "Another \(peer.name) is known.") : .accept(.person)
/// }
/// ```
public struct StoreVerifier: PeerVerifier {
    /// Decides about somebody who is unknown, or was never accepted, or too long ago: what they say, and what the store knows.
    public typealias Decision = @Sendable (Peer, PeerRecognition) async -> Verdict

    private let store: Store
    private let time: any TimeSource
    private let decide: Decision

    /// A verifier that lets in whom the store knows.
    ///
    /// - Parameter others: Who decides about everybody else; by default they are refused.
    public init(_ store: Store, others: @escaping Decision = { _, _ in .refuse(reason: "The peer is not known.") }) {
        self.init(store, time: .system, others: others)
    }

    package init(_ store: Store, time: any TimeSource, others: @escaping Decision) {
        self.store = store
        self.time = time
        decide = others
    }

    /// Looks the peer up, and asks about those whom that does not decide.
    public func verify(_ peer: Peer) async -> Verdict {
        let recognition: PeerRecognition
        do throws(StoreError) {
            recognition = try await store.recognize(
                peer.identity, name: peer.name, formerKeys: peer.formerKeys, at: time.date)
        } catch {
            return .refuse(reason: "The store cannot be read: \(error)")
        }
        switch recognition.standing {
        case .known: return .accept(.known)
        case .blocked: return .refuse(reason: "The peer is blocked.")
        case .retired:
            return .refuse(reason: "The peer has given up this key for another; whoever shows it may have stolen it.")
        case .forked:
            return .refuse(
                reason: "A former key of the peer vouches for this one and for another; one of them is stolen.")
        case .expired, .unknown: return await decide(peer, recognition)
        }
    }
}
