public import KamuneCrypto
public import KamuneProtocol
public import KamuneStore

/// Who a peer claims to be. It has proven that it holds ``identity``'s private key; everything else is its own word.
public struct Peer: Sendable, Hashable {
    /// The name that the peer gave itself. It proves nothing and may hold any characters: clean it before you show it.
    public let name: String
    /// The peer's key. Compare its ``KamuneCrypto/PublicIdentity/fingerprint`` over another channel to know who it is.
    public let identity: PublicIdentity
    /// The protocol version that the peer announced, such as "0.7.0"; empty when a session was resumed.
    public let version: String
    /// Names of what the peer can do beyond the base protocol; empty for programs of version 0.7.
    public let capabilities: [String]
    /// Keys that the peer had before, oldest first: each has signed that the next one takes its place, the last one that
    /// ``identity`` does, and all of these statements are verified. Empty when there are none, and when a session was
    /// resumed.
    ///
    /// Whoever stole such a key can make it vouch for theirs. So a key that has been followed by one must not be believed
    /// when it vouches for another: a ``KamuneStore/Store`` heeds that.
    public let formerKeys: [PublicIdentity]

    /// A peer with these properties.
    public init(
        name: String, identity: PublicIdentity, version: String, capabilities: [String],
        formerKeys: [PublicIdentity] = []
    ) {
        self.name = name
        self.identity = identity
        self.version = version
        self.capabilities = capabilities
        self.formerKeys = formerKeys
    }

    /// Whether one of these keys is the peer's, or vouches for it.
    func isVouched(by keys: Set<PublicIdentity>) -> Bool {
        keys.contains(identity) || formerKeys.contains(where: keys.contains)
    }
}

/// Decides which peers we talk to. Asked once in every handshake, after the peer has proven that it holds its key and
/// before anything else is said.
///
/// The decision takes effect when the session is established. An endpoint with a store judges the key again then: one that
/// was given up meanwhile, whose peer was blocked, or that is not known any more though the decision stands on that, is
/// refused after all.
///
/// Ready policies: ``AnyPeer``, ``KnownPeers``, ``AskingVerifier``.
public protocol PeerVerifier: Sendable {
    /// Whether to talk to this peer.
    ///
    /// The handshake's time limit goes on while this runs (30 s by default, and the peer has a limit too). The task is
    /// cancelled when it runs out or the peer goes away: whoever asks a person should then stop asking.
    func verify(_ peer: Peer) async -> Verdict
}

/// A verifier's decision.
public enum Verdict: Sendable, Hashable {
    /// Talk to the peer, on these grounds.
    case accept(AcceptanceGrounds)
    /// Close the connection. The reason is for our own side only. The peer is told no more than what is said, if it is a
    /// program of ours that connected to us; nil tells it nothing.
    ///
    /// Say ``KamuneProtocol/HandshakeRefusal/refused`` where a person or a rule has refused, and
    /// ``KamuneProtocol/HandshakeRefusal/away`` to who is blocked: nobody is to learn that.
    case refuse(reason: String, telling: HandshakeRefusal? = nil)
    /// The peer is a stranger, and is to wait until a person has accepted it. Where the peer has connected to us and sessions
    /// are kept, the store notes the request (``KamuneStore/Store/requests(at:)``), and the peer is told that it waits.
    ///
    /// With ``Configuration/takesRequests``, a program of ours proves first that it holds its key, and may say a few words.
    /// Whom we have dialed is refused: they have nothing to ask of us.
    case wait
}

/// Talks to anybody. The conversation is then encrypted, but with whom is not known: whoever is in between can be at its
/// end.
public struct AnyPeer: PeerVerifier {
    /// A verifier that accepts every peer.
    public init() {}

    /// Accepts.
    public func verify(_ peer: Peer) async -> Verdict { .accept(.policy) }
}

/// Talks to the peers whose keys are known, or whose former keys are; leaves the others to another verifier.
public struct KnownPeers: PeerVerifier {
    private let identities: Set<PublicIdentity>
    private let stranger: (any PeerVerifier)?

    /// A verifier that accepts these peers.
    ///
    /// - Parameter others: Who decides about everybody else; by default they are refused.
    public init(_ identities: some Sequence<PublicIdentity>, others: (any PeerVerifier)? = nil) {
        self.identities = Set(identities)
        stranger = others
    }

    /// Accepts a known peer.
    public func verify(_ peer: Peer) async -> Verdict {
        if peer.isVouched(by: identities) { return .accept(.policy) }
        return await stranger?.verify(peer) ?? .refuse(reason: "The peer is not known.")
    }
}

/// Leaves the decision to a closure, which may ask a person.
public struct AskingVerifier: PeerVerifier {
    private let ask: @Sendable (Peer) async -> Verdict

    /// A verifier that asks `body`.
    public init(_ body: @escaping @Sendable (Peer) async -> Verdict) {
        ask = body
    }

    /// Asks.
    public func verify(_ peer: Peer) async -> Verdict { await ask(peer) }
}

extension PeerVerifier where Self == AnyPeer {
    /// Talks to anybody; see ``AnyPeer``.
    public static var anyone: AnyPeer { AnyPeer() }
}

extension PeerVerifier where Self == KnownPeers {
    /// Talks to these peers only.
    public static func known(_ identities: some Sequence<PublicIdentity>) -> KnownPeers { KnownPeers(identities) }
}
