import Kamune
import KamuneStore
extension Messenger {
    func dial(_ a: String, expecting: PublicIdentity?, verifier: some PeerVerifier) async throws(KamuneError) -> Conversation { try await dial(a, expecting: expecting) }
    func listen(on a: String, verifier: some PeerVerifier) async throws(KamuneError) -> ConversationListener { try await listen(on: a) }
    func write(_ b: [[UInt8]], kind: MessageKind, to p: PeerID) async throws(KamuneError) -> [StoredMessage] { [] }
}
