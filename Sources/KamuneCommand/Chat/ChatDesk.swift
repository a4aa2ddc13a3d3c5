import Kamune
import KamuneNode

/// Sorts what a node tells a window: to the conversations that it holds, to whoever waits for new ones, and to whoever decides
/// about strangers.
actor ChatDesk {
    private let node: any NodeAccess
    private let verifier: any PeerVerifier
    private let waitsForWriting: Bool
    private let onContactChange: @Sendable () async -> Void
    private var conversations: [ContactID: ChatConversation] = [:]
    /// How many dials are under way: of a conversation that begins meanwhile nothing must be missed.
    private var dials = 0
    private var verifying: [VerificationID: Task<Void, Never>] = [:]
    private var listener: (id: ListenerID, continuation: AsyncStream<ChatConversation>.Continuation)?
    private let failures: AsyncStream<(NodeError, address: String)>.Continuation
    /// Handshakes that came to nothing with those who came to our address.
    nonisolated let handshakeFailures: AsyncStream<(NodeError, address: String)>
    private var listenerFailure: NodeError?
    private var isOver = false

    private static let batchSize = 256
    private static let failureBacklog = 64

    /// - Parameters:
    ///   - verifier: Decides about who comes, and who is dialed.
    ///   - waitsForWriting: Whether nothing more is taken before what was told is shown or written.
    ///   - onContactChange: Something that is known of contacts has changed.
    init(
        _ node: any NodeAccess, verifier: any PeerVerifier, waitsForWriting: Bool,
        onContactChange: @escaping @Sendable () async -> Void
    ) {
        self.waitsForWriting = waitsForWriting
        self.node = node
        self.verifier = verifier
        self.onContactChange = onContactChange
        (handshakeFailures, failures) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.failureBacklog))
    }

    /// Begins to take events.
    func start() async throws(NodeError) {
        _ = try await node.ask(Subscribe(to: NodeClient.Subscription(), decides: true))
        Task { await run() }
    }

    private func run() async {
        while true {
            let batch = await node.events.next(atMost: Self.batchSize)
            if batch.isEmpty { break }
            for event in batch {
                await take(event)
                // What leaves no trace is delivered when it is shown or written, and not before.
                if waitsForWriting, case .message(let message) = event, let taker = conversations[message.contact] {
                    await taker.events.waitUntilTaken()
                }
            }
        }
        isOver = true
        for conversation in conversations.values { conversation.lose() }
        conversations = [:]
        listener?.continuation.finish()
        failures.finish()
    }

    private func take(_ event: NodeEvent) async {
        switch event {
        case .began(let info, let listener):
            let isOurs = listener != nil && listener == self.listener?.id
            guard isOurs || dials > 0, conversations[info.contact] == nil else { return }
            let conversation = ChatConversation(info, node)
            conversations[info.contact] = conversation
            if isOurs { self.listener?.continuation.yield(conversation) }
        case .ended(let info, _):
            let conversation = conversations.removeValue(forKey: info.contact)
            conversation?.concluded(info)
            conversation?.take(event)
        case .verify(let id, let peer, _, _):
            verifying[id] = Task { await decide(id, peer.peer) }
        case .verificationOver(let id):
            verifying.removeValue(forKey: id)?.cancel()
        case .handshakeFailed(let id, let address, let error):
            if id == listener?.id { failures.yield((error, address: address)) }
        case .listenerFailed(let id, let error):
            guard id == listener?.id else { return }
            listenerFailure = error
            listener?.continuation.finish()
        case .contactChanged, .contactForgotten: await onContactChange()
        case .lagged: for conversation in conversations.values { conversation.take(event) }
        case .identityChanged, .requestsChanged: break
        case .connected, .disconnected, .reconnecting, .reconnectionFailed, .message, .stateChanged:
            if let contact = event.contact { conversations[contact]?.take(event) }
        }
    }

    private func decide(_ id: VerificationID, _ peer: Peer) async {
        let verdict = await verifier.verify(peer)
        verifying[id] = nil
        // That it was not heard is told to the peer by the node, too.
        _ = try? await node.ask(AnswerVerification(id, verdict))
    }

    // MARK: Conversations

    /// Connects to an address.
    func dial(_ request: Dial) async throws(NodeError) -> ChatConversation {
        dials += 1
        defer { dials -= 1 }
        return adopt(try await node.ask(request))
    }

    /// The conversation that the node has told of; one that there was already is looked into from now on.
    private func adopt(_ info: ConversationInfo) -> ChatConversation {
        if let conversation = conversations[info.contact] { return conversation }
        let conversation = ChatConversation(info, node)
        if isOver {
            conversation.lose()
            return conversation
        }
        conversations[info.contact] = conversation
        if let link = info.link { conversation.take(.connected(info.contact, link)) }
        return conversation
    }

    /// Waits for others at an address.
    ///
    /// - Returns: Where it listens, and the conversations that begin there.
    func listen(
        _ request: Listen
    ) async throws(NodeError) -> (listening: Listen.Answer, conversations: AsyncStream<ChatConversation>) {
        let answer = try await node.ask(request)
        let (stream, continuation) = AsyncStream.makeStream(of: ChatConversation.self)
        listener = (answer.listener, continuation)
        return (answer, stream)
    }

    /// Why waiting for others has come to an end by itself, if it has.
    var failure: NodeError? { listenerFailure }

    /// Waits for nobody any more.
    func stopListening() async {
        guard let listener else { return }
        listener.continuation.finish()
        _ = try? await node.ask(StopListening(listener.id))
    }
}

extension AnswerVerification {
    /// The answer that is a verdict.
    fileprivate init(_ verification: VerificationID, _ verdict: Verdict) {
        switch verdict {
        case .accept(.known): self.init(verification, accepting: .known)
        case .accept(.person): self.init(verification, accepting: .person)
        case .accept(.policy): self.init(verification, accepting: .policy)
        case .refuse(let reason, let telling): self.init(verification, refusing: reason, telling: Telling(telling))
        case .wait: self.init(verification, refusing: "The request is noted.", telling: .waiting)
        }
    }
}

extension AnswerVerification.Telling {
    /// What the library calls it; nil for nothing.
    fileprivate init?(_ refusal: HandshakeRefusal?) {
        switch refusal {
        case .refused: self = .refused
        case .busy: self = .busy
        case .away: self = .away
        case .waiting: self = .waiting
        case .unspecified, nil: return nil
        }
    }
}
