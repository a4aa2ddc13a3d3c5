import KamuneStore
import Synchronization

/// Waits for peers, and yields a conversation for each one with whom there was none. It goes on until ``close()``; one
/// that nobody holds any more closes itself. Conversations outlive it.
public final class ConversationListener: AsyncSequence, Sendable {
    /// A conversation.
    public typealias Element = Conversation
    /// What ends the sequence when the listener is not closed by us.
    public typealias Failure = KamuneError

    /// Where it listens, with the port that the system chose.
    public let address: String
    /// The handshakes that failed; see ``Listener/failures``.
    public let failures: AsyncStream<HandshakeFailure>

    private let listener: Listener
    private let conversations: Mailbox<Conversation>
    private let task: Task<Void, Never>

    init(_ messenger: Messenger, _ listener: Listener) {
        let conversations = Mailbox<Conversation>(
            limit: messenger.endpoint.configuration.maximumWaitingSessions)
        self.conversations = conversations
        self.listener = listener
        address = listener.address
        failures = listener.failures
        task = Task {
            let failure = await Self.serve(listener, messenger, conversations)
            conversations.finish(throwing: failure?.code == .cancelled ? nil : failure)
        }
    }

    /// Yields a conversation for each session that begins one. A session whose peer's conversation is being closed waits for
    /// that by itself, so that it holds up nobody else.
    ///
    /// - Returns: What ended the listener, if we did not.
    private static func serve(
        _ listener: Listener, _ messenger: Messenger, _ conversations: Mailbox<Conversation>
    ) async -> KamuneError? {
        let waiting = WaitingSessions()
        return await withTaskGroup(of: Void.self) { group in
            var count = 0
            do throws(KamuneError) {
                for try await session in listener {
                    if let earlier = waiting.replace(with: session) {
                        // Whoever comes again has given up the session before.
                        earlier.abandon()
                        continue
                    }
                    switch try await messenger.adoptNow(session) {
                    case .adopted(let conversation, let isNew):
                        if isNew { await add(conversation, to: conversations) }
                    case .blocked(let conversation):
                        waiting.insert(session)
                        if count >= messenger.endpoint.configuration.maximumWaitingSessions {
                            await group.next()
                            count -= 1
                        }
                        count += 1
                        group.addTask { await adopt(waiting, conversation, messenger, conversations) }
                    }
                }
                return nil
            } catch {
                return error
            }
        }
    }

    /// Waits for a conversation to be over, and begins the next one with the peer's latest session.
    private static func adopt(
        _ waiting: WaitingSessions, _ former: Conversation, _ messenger: Messenger,
        _ conversations: Mailbox<Conversation>
    ) async {
        var blocker = former
        while true {
            await messenger.waitUntilOver(blocker)
            guard let session = waiting.take(former.peerID) else { return }
            // Fails only for sessions that are not kept, and those do not come here.
            guard let adoption = try? await messenger.adoptNow(session) else { return }
            switch adoption {
            case .adopted(let conversation, let isNew):
                if isNew { await add(conversation, to: conversations) }
                return
            case .blocked(let another):
                blocker = another
                // One that has come meanwhile is later than this.
                if !waiting.insertUnlessLater(session) { session.abandon() }
            }
        }
    }

    private static func add(_ conversation: Conversation, to conversations: Mailbox<Conversation>) async {
        if conversations.isFull { await conversations.waitForRoom() }
        conversations.add(conversation)
    }

    deinit { task.cancel() }

    /// Stops listening. Conversations go on.
    public func close() async {
        await listener.close()
        conversations.liftLimit()
        await task.value
    }

    /// Iterates over the conversations that were not taken yet.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(listener: self) }

    /// Takes conversations, one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let listener: ConversationListener

        /// The next conversation, waiting for it; nil when the listener was closed.
        public mutating func next() async throws(KamuneError) -> Conversation? {
            try await listener.conversations.next()
        }

        /// The next conversation, waiting for it; nil when the listener was closed.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(KamuneError) -> Conversation? {
            try await listener.conversations.next()
        }
    }
}

/// The sessions whose peers' conversations are being closed: of each peer the latest.
private final class WaitingSessions: Sendable {
    private let sessions = Mutex<[PeerID: Session]>([:])

    /// Puts a session in the place of an earlier one that waits, if one does.
    func replace(with session: Session) -> Session? {
        guard let peer = session.record?.peer else { return nil }
        return sessions.withLock { sessions in
            sessions[peer] == nil ? nil : sessions.updateValue(session, forKey: peer)
        }
    }

    func insert(_ session: Session) {
        guard let peer = session.record?.peer else { return }
        sessions.withLock { $0[peer] = session }
    }

    /// Puts a session back.
    ///
    /// - Returns: Whether none has come meanwhile.
    func insertUnlessLater(_ session: Session) -> Bool {
        guard let peer = session.record?.peer else { return false }
        return sessions.withLock { sessions in
            guard sessions[peer] == nil else { return false }
            sessions[peer] = session
            return true
        }
    }

    func take(_ peer: PeerID) -> Session? {
        sessions.withLock { $0.removeValue(forKey: peer) }
    }
}
