public import Foundation
import Kamune
public import KamuneStore
import KamuneSystem
import Synchronization

/// One person's Kamune: it owns the store, all conversations, the addresses that are listened on, and tells everybody who
/// looks through it what happens.
///
/// Commands, programs in other languages and interfaces are windows on it, in this process or through a socket: see
/// ``NodeAccess``.
public actor Node {
    /// Where everything is kept.
    public nonisolated let store: Store
    /// How it behaves.
    public nonisolated let configuration: NodeConfiguration
    /// When it began.
    public nonisolated let started: Date

    nonisolated let hub = EventHub()
    /// Talks and listens under the present identity; made when it is first needed.
    private var messenger: Messenger?
    /// Goes up with every change of the identity.
    private var generation = 0
    var talks: [PeerID: Talk] = [:]
    var listeners: [ListenerID: Listening] = [:]
    var lastListener = 0
    var verifications: [VerificationID: CheckedContinuation<Verdict, Never>] = [:]
    private var verificationClients: [VerificationID: Int] = [:]
    private var lastVerification = 0
    private(set) var isClosed = false
    private(set) var seeksByItself = false
    /// The passphrase that is looked at: one at a time, since each takes a core.
    private var checking: Task<Result<Void, NodeError>, Never>?
    /// How many wrong ones in a row have come through the socket.
    var wrongPassphrases = 0
    private(set) var unavailable: [GetNodeStatus.UnavailableAddress] = []
    private nonisolated let reach = Mutex<Reach?>(nil)
    private var isIdentityNew = false

    /// A conversation, and who holds it open.
    struct Talk {
        let conversation: Conversation
        /// Those who have dialed it, or whose address the contact came to.
        var holders: Set<Int>
        let pump: Task<Void, Never>
    }

    /// An address that is listened on.
    struct Listening {
        let listener: ConversationListener
        let client: NodeClient
        let expected: KeyFingerprint?
        /// What whoever comes is told to call us, when that is not the identity's name.
        let name: String?
        /// What is done otherwise than at other addresses.
        let settings: LinkSettings?
        let begun: Date
        let task: Task<Void, Never>
    }

    /// A node over a store, which it closes at its end.
    public init(store: Store, configuration: NodeConfiguration = .init()) {
        self.store = store
        self.configuration = configuration
        started = configuration.time.date
    }

    nonisolated var time: any TimeSource { configuration.time }

    // MARK: Who we are

    /// What talks and listens. Makes an identity when there is none.
    func talker() async throws(NodeError) -> Messenger {
        guard !isClosed else { throw NodeError(.storeUnusable, "The node has ended.") }
        if let messenger { return messenger }
        let generation = generation
        let made = try await asNode { try await self.makeMessenger() }
        // Another may have been made meanwhile, the identity may have changed, and the node may have ended.
        if messenger != nil || generation != self.generation || isClosed { return try await talker() }
        messenger = made
        if seeksByItself { await beginSeeking(made) }
        return made
    }

    /// Whether an identity was made because there was none. Told once.
    func hasNewIdentity() -> Bool {
        defer { isIdentityNew = false }
        return isIdentityNew
    }

    /// What talks and listens, if anything does.
    var presentTalker: Messenger? { messenger }

    private func makeMessenger() async throws -> Messenger {
        let (identity, name, succession): (Identity, String?, Succession)
        if let own = configuration.identity {
            let kept = try await store.succession(to: own.identity.publicKey)
            (identity, name, succession) = (own.identity, configuration.name, own.succession ?? kept)
        } else {
            let isKept = try await store.currentIdentity()?.privateKey != nil
            identity = try await store.identity(name: "")
            let current = try await store.currentIdentity()
            let kept = current.flatMap { $0.name.isEmpty ? nil : $0.name }
            name = configuration.name ?? kept
            succession = try await store.succession(to: identity.publicKey)
            if !isKept { isIdentityNew = true }
        }
        var conversations = configuration.conversations
        if !configuration.leavesNoTrace {
            conversations.routes = { [weak self] _, _ in await self?.routes() }
            conversations.onRequest = { [weak self] _ in self?.hub.publish([.requestsChanged]) }
            conversations.takesRequests = try await NodeSettings.read(from: store).takesRequests == true
        }
        return Messenger(
            identity: identity, name: name,
            verifier: NodeVerifier(node: self, client: nil, listener: nil, expected: nil), store: store,
            configuration: conversations, reconnection: configuration.reconnection,
            succession: succession,
            observer: ConversationObserver(isOnlyOne: false) { [weak self] conversation, event in
                self?.observe(conversation, event)
            })
    }

    /// Has the next conversations begin under the identity, and name, that the store has now. Those that there are say
    /// goodbye; listeners go on at the same addresses.
    func identityHasChanged() async {
        generation += 1
        guard let former = messenger else { return hub.publish([.identityChanged]) }
        messenger = nil
        let reach = reach.withLock { $0.take() }
        await reach?.stop()
        await former.close()
        if seeksByItself { _ = try? await talker() }
        hub.publish([.identityChanged])
        for (id, listening) in listeners { await resumeListening(id, listening) }
    }

    // MARK: What waits

    /// From now on the node looks for those to whom messages wait, and holds the conversations open that come of it.
    public func seekByItself() async {
        seeksByItself = true
        // Makes no identity for it: where there is none, nothing waits.
        if messenger == nil, (try? await store.currentIdentity())?.privateKey != nil { _ = try? await talker() }
        if let messenger, reach.withLock({ $0 }) == nil { await beginSeeking(messenger) }
    }

    private func beginSeeking(_ messenger: Messenger) async {
        let made = Reach(messenger)
        let former = reach.withLock { reach in
            defer { reach = made }
            return reach
        }
        await former?.stop()
        await made.start()
    }

    /// Messages wait for somebody.
    nonisolated func noteWritten(to contact: ContactID) async {
        await reach.withLock { $0 }?.noteWritten(to: contact.peer)
    }

    /// Where somebody can be reached has changed.
    nonisolated func noteAddresses(of contact: ContactID) async {
        await reach.withLock { $0 }?.noteAddresses(of: contact.peer)
    }

    private nonisolated func observe(_ conversation: Conversation, _ event: ConversationEvent) {
        guard reach.withLock({ $0 }) != nil else { return }
        if case .connected = event { Task { await self.takeFound(conversation) } }
    }

    /// Takes a conversation that the node itself has begun.
    private func takeFound(_ conversation: Conversation) {
        guard !isClosed, talks[conversation.peerID]?.conversation !== conversation else { return }
        take(conversation, holder: nil, listener: nil)
    }

    /// The node was to listen at an address, and could not.
    package func noteUnavailable(_ address: String, _ error: NodeError) {
        unavailable.append(GetNodeStatus.UnavailableAddress(address: address, error: error))
    }

    /// Has one passphrase after another looked at.
    func checkInTurn(_ check: @escaping @Sendable () async throws(NodeError) -> Void) async throws(NodeError) {
        let earlier = checking
        let task = Task { () async -> Result<Void, NodeError> in
            _ = await earlier?.value
            do throws(NodeError) {
                return .success(try await check())
            } catch {
                return .failure(error)
            }
        }
        checking = task
        try await task.value.get()
    }

    // MARK: Clients

    /// Somebody looks through the node from now on.
    func join(_ client: NodeClient) {
        hub.add(client)
    }

    /// A client looks through the node no more. What only it has held open is closed.
    func leave(_ client: NodeClient) async {
        hub.remove(client)
        for (id, number) in verificationClients where number == client.number {
            decide(id, .refuse(reason: "Nobody is there to answer any more."))
        }
        for (id, listening) in listeners where listening.client === client { await stopListening(id) }
        for (peer, talk) in talks where talk.holders.contains(client.number) {
            talks[peer]?.holders.remove(client.number)
            if talks[peer]?.holders.isEmpty == true { Task { await talk.conversation.close() } }
        }
    }

    /// Ends everything: says goodbye in all conversations, and closes the store.
    public func close() async {
        guard !isClosed else { return }
        isClosed = true
        for id in listeners.keys { await stopListening(id) }
        for (id, _) in verifications { decide(id, .refuse(reason: "The program ends.")) }
        let reach = reach.withLock { $0.take() }
        await reach?.stop()
        if let messenger { await messenger.close() }
        for talk in talks.values { await talk.pump.value }
        try? await store.close()
    }

    // MARK: Verification

    /// Decides about somebody who has introduced themselves: as the client says to whom they came, or who dials them. Where
    /// there is none, who is known comes in, and nobody else.
    func verify(_ peer: Peer, for client: NodeClient?, listener: ListenerID?) async -> Verdict {
        let recognition: Recognition
        do throws(NodeError) {
            recognition = try await recognize(peer)
        } catch {
            return .refuse(reason: error.message)
        }
        // The person has said whose key this is before it was shown.
        let expectation = Expectation.setting(peer.identity.fingerprint.sum)
        if recognition.standing == .unknown || recognition.standing == .met,
            (try? await store.textSetting(expectation)) != nil
        {
            return .accept(.person)
        }
        guard let client, hub.client(client.number) != nil, client.decides.withLock({ $0 }) else {
            switch recognition.standing {
            case .known: return .accept(.known)
            case .unknown, .met, .expired: return .wait
            // Nobody is to learn that they are blocked.
            case .blocked: return .refuse(reason: "You have blocked this peer.", telling: .away)
            case .retired, .forked:
                return .refuse(
                    reason: "The key was given up for another one, or vouched for by one that was.", telling: .refused)
            }
        }
        guard !isClosed else { return .refuse(reason: "The program ends.") }
        lastVerification += 1
        let id = VerificationID(lastVerification)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled {
                    continuation.resume(returning: .refuse(reason: "The peer has gone."))
                    return
                }
                verifications[id] = continuation
                verificationClients[id] = client.number
                client.tell(.verify(id, PeerInfo(peer), recognition, listener: listener))
            }
        } onCancel: {
            Task { await self.verificationIsOver(id, client) }
        }
    }

    private func verificationIsOver(_ id: VerificationID, _ client: NodeClient) {
        guard verifications[id] != nil else { return }
        client.tell(.verificationOver(id))
        decide(id, .refuse(reason: "The peer has gone, or the time was over."))
    }

    /// Whether an answer from this client is awaited.
    func isAwaited(_ id: VerificationID, from client: NodeClient) -> Bool {
        verificationClients[id] == client.number
    }

    func decide(_ id: VerificationID, _ verdict: Verdict) {
        verificationClients[id] = nil
        verifications.removeValue(forKey: id)?.resume(returning: verdict)
    }

    /// What is known of somebody.
    func recognize(_ peer: Peer) async throws(NodeError) -> Recognition {
        let now = time.date
        return try await asNode { [store] in
            let recognition = try await store.recognize(
                peer.identity, name: peer.name, formerKeys: peer.formerKeys, at: now)
            let contacts = try await Contacts(store, at: now)
            return Recognition(recognition, describing: contacts.describe)
        }
    }
}

/// Decides as a client of the node does.
struct NodeVerifier: PeerVerifier {
    let node: Node
    let client: NodeClient?
    let listener: ListenerID?
    /// The fingerprint of the key that whoever it is must have.
    let expected: KeyFingerprint?

    func verify(_ peer: Peer) async -> Verdict {
        if let expected {
            return expected.matches(peer.identity)
                ? .accept(.person) : .refuse(reason: "The key is another one than the one that is expected.")
        }
        return await node.verify(peer, for: client, listener: listener)
    }
}
