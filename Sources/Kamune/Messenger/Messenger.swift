public import KamuneCrypto
public import KamuneStore

/// Somebody who talks and keeps what was said: conversations that outlive their connections.
///
/// ```swift
/// let store = try await Store.openOrCreate(at: location, credential: .passphrase("…"))
/// let identity = try await store.identity(name: "Ada")
/// let me = Messenger(identity: identity, name: "Ada", verifier: verifier, store: store)
/// let conversation = try await me.dial("example.org:9000")
/// try await conversation.send("hello")
/// for try await event in conversation.events {
///     if case .message(let message) = event { print(message.text) }
/// }
/// ```
///
/// There is one conversation with each peer at a time, whoever dialed and however often. Where messages are not to be
/// kept, use an ``Endpoint``, or a messenger with a store in memory.
public actor Messenger {
    /// What dials and listens.
    public nonisolated let endpoint: Endpoint
    /// Where everything is kept.
    public nonisolated let store: Store
    /// What to do when connections are lost.
    public nonisolated let reconnection: Reconnection

    private let observer: ConversationObserver?
    nonisolated let book: any AddressBook
    nonisolated let hub = EventHub()
    nonisolated let watchers = ConversationWatchers()

    private var current: [PeerID: Conversation] = [:]
    /// Conversations that are over, of which the application has still to take messages that are acknowledged only then.
    private var untaken: [PeerID: Conversation] = [:]

    /// A messenger.
    ///
    /// - Parameters:
    ///   - identity: Who we are.
    ///   - name: By default the fingerprint of the identity.
    ///   - verifier: Asked about every peer who introduces itself. Resumed sessions have no introductions.
    ///   - store: Keeps peers, sessions and messages.
    ///   - succession: By which earlier identities vouch for this one. By default what the store knows.
    ///   - observer: Told what happens in all conversations.
    ///   - book: Says where else peers may be, and is told where they were found. By default the store's.
    public init(
        identity: Identity, name: String? = nil, verifier: some PeerVerifier, store: Store,
        configuration: Configuration = .init(), reconnection: Reconnection = .init(), succession: Succession? = nil,
        observer: ConversationObserver? = nil, book: (any AddressBook)? = nil
    ) {
        var endpoint = Endpoint(
            identity: identity, name: name, verifier: verifier, store: store, configuration: configuration,
            succession: succession)
        endpoint.acknowledgesMessages = true
        self.endpoint = endpoint
        self.store = store
        self.reconnection = reconnection
        self.observer = observer
        self.book = book ?? StoreAddressBook(store, time: configuration.time)
    }

    /// Connects to a peer that listens. When the connection is lost later, the peer is dialed again.
    ///
    /// - Parameters:
    ///   - address: See ``Endpoint/dial(_:expecting:)``.
    ///   - peer: Whom we want to reach; nobody else is accepted then.
    ///   - verifier: Asked in the place of the messenger's own, also when the peer is dialed again.
    ///   - name: What the peer is told in the place of the messenger's own name, also when it is dialed again.
    ///   - settings: What is done otherwise than for other conversations, also when the peer is dialed again.
    /// - Returns: The conversation with the peer; the one that is under way, if there is one.
    /// - Throws: As ``Endpoint/dial(_:expecting:)``.
    public func dial(
        _ address: String, expecting peer: PublicIdentity? = nil, verifier: (any PeerVerifier)? = nil,
        name: String? = nil, settings: LinkSettings? = nil
    ) async throws(KamuneError) -> Conversation {
        let endpoint = endpoint.verified(by: verifier).named(name).with(settings)
        let session = try await endpoint.dial(address, expecting: peer)
        let way = WayBack(addresses: [DialAddress(address)], verifier: verifier, name: name, settings: settings)
        let conversation = try await adopt(session, redialing: way).conversation
        await book.noteReached(conversation.peerID, at: DialAddress(address))
        return conversation
    }

    /// Connects to a peer at whichever of several addresses they are found first; see
    /// ``Endpoint/dial(anyOf:expecting:)``. When the connection is lost later, the peer is looked for at all of them again, and
    /// where the ``AddressBook`` says.
    ///
    /// - Parameters:
    ///   - addresses: The best first.
    ///   - peer: Whom we want to reach; nobody else is accepted then.
    ///   - verifier: Asked in the place of the messenger's own, also when the peer is dialed again.
    ///   - name: What the peer is told in the place of the messenger's own name, also when it is dialed again.
    ///   - settings: What is done otherwise than for other conversations, also when the peer is dialed again.
    /// - Throws: As ``Endpoint/dial(anyOf:expecting:)``.
    public func dial(
        anyOf addresses: [DialAddress], expecting peer: PublicIdentity? = nil, verifier: (any PeerVerifier)? = nil,
        name: String? = nil, settings: LinkSettings? = nil
    ) async throws(KamuneError) -> Found<Conversation> {
        let endpoint = endpoint.verified(by: verifier).named(name).with(settings)
        let found = try await endpoint.dial(anyOf: addresses, expecting: peer)
        let way = WayBack(
            addresses: addresses.moved(toFront: found.address), verifier: verifier, name: name, settings: settings)
        let conversation = try await adopt(found.carrier, redialing: way).conversation
        await book.note(found, of: conversation.peerID)
        return Found(carrier: conversation, address: found.address, failures: found.failures)
    }

    /// Waits for peers at an address. Whoever was lost and comes back goes on with the conversation that there was.
    ///
    /// - Parameters:
    ///   - verifier: Asked in the place of the messenger's own about whoever comes to this address.
    ///   - name: What whoever comes is told in the place of the messenger's own name.
    ///   - settings: What is done otherwise than at other addresses.
    /// - Throws: As ``Endpoint/listen(on:)``.
    public func listen(
        on address: String, verifier: (any PeerVerifier)? = nil, name: String? = nil, settings: LinkSettings? = nil
    ) async throws(KamuneError) -> ConversationListener {
        let endpoint = endpoint.verified(by: verifier).named(name).with(settings)
        return ConversationListener(self, try await endpoint.listen(on: address))
    }

    /// The conversations that are under way.
    public var conversations: [Conversation] { Array(current.values) }

    /// The conversation with a peer, if one is under way.
    public func conversation(with peer: PeerID) -> Conversation? { current[peer] }

    /// Has peers be told another name from the next handshake on.
    ///
    /// - Parameter name: nil for the fingerprint of the identity.
    public nonisolated func rename(to name: String?) { endpoint.ownName.set(name) }

    /// What happens in all conversations, from the first time on that this was asked for; not to be taken beside
    /// ``Conversation/events``.
    public var events: MessengerEvents {
        if hub.activate() {
            for conversation in current.values { hub.note(conversation) }
        }
        return MessengerEvents(hub: hub)
    }

    /// Says goodbye in all conversations, and ends ``events`` after what is left there. New conversations may still begin, but are
    /// not told of there.
    public func shutDown() async {
        await close()
        hub.finish()
    }

    /// Says goodbye in all conversations.
    public func close() async {
        let conversations = conversations
        await withDiscardingTaskGroup { group in
            for conversation in conversations { group.addTask { await conversation.close() } }
        }
    }

    /// What became of a session.
    enum Adoption: Sendable {
        /// It carries a conversation, one that there was or a new one.
        case adopted(Conversation, isNew: Bool)
        /// The conversation with the peer is being closed, which may take a moment; then a new one can begin.
        case blocked(by: Conversation)
    }

    /// Has a session carry the conversation with its peer, and waits for an earlier one to be over.
    func adopt(
        _ session: Session, redialing way: WayBack? = nil
    ) async throws(KamuneError) -> (conversation: Conversation, isNew: Bool) {
        while true {
            switch try await adoptNow(session, redialing: way) {
            case .adopted(let conversation, let isNew): return (conversation, isNew)
            case .blocked(let conversation): await waitUntilOver(conversation)
            }
        }
    }

    /// Has a session carry the conversation with its peer, if that can be done without waiting for somebody else.
    func adoptNow(_ session: Session, redialing way: WayBack? = nil) async throws(KamuneError) -> Adoption {
        guard let id = session.record?.peer else {
            throw KamuneError(.misuse, "A session that is not kept cannot carry a conversation.")
        }
        // Two records that turned out to be one peer's are one now, and the conversation goes on under that one.
        for (former, conversation) in current
        where former != id
            && (session.kept?.absorbed.contains(former) == true || conversation.peer.identity == session.peer.identity)
        {
            Task { await conversation.close() }
        }
        if let conversation = current[id] {
            let isAttached = await conversation.attach(session, redialing: way)
            return isAttached ? .adopted(conversation, isNew: false) : .blocked(by: conversation)
        }
        let conversation = Conversation(
            id, peer: session.peer, endpoint: endpoint, store: store, reconnection: reconnection,
            observer: watchers.observer(beside: observer, hub), book: book
        ) { [weak self] ended in
            await self?.forget(ended)
        }
        current[id] = conversation
        if let earlier = untaken.removeValue(forKey: id) { await earlier.handOver(to: conversation) }
        if await !conversation.attach(session, redialing: way) { await session.close() }
        return .adopted(conversation, isNew: true)
    }

    /// Waits until a conversation is over and another one with its peer can begin.
    func waitUntilOver(_ conversation: Conversation) async {
        _ = await conversation.waitUntilEnded()
        await forget(conversation)
    }

    /// Takes out a conversation that is over.
    private func forget(_ conversation: Conversation) async {
        let id = conversation.peerID
        let waits = endpoint.configuration.acknowledgesWhenTaken ? await conversation.hasUntaken : false
        if current[id] === conversation { current[id] = nil }
        if waits {
            untaken[id] = conversation
        } else if untaken[id] === conversation {
            untaken[id] = nil
        }
    }
}
