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
            do throws(KamuneError) {
                for try await session in listener {
                    let (conversation, isNew) = try await messenger.adopt(session)
                    guard isNew else { continue }
                    if conversations.isFull { await conversations.waitForRoom() }
                    conversations.add(conversation)
                }
                conversations.finish()
            } catch {
                conversations.finish(throwing: error.code == .cancelled ? nil : error)
            }
        }
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
