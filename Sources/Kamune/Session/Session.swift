import KamuneProtocol
import KamuneStore
import KamuneTransport

/// An end-to-end encrypted conversation with one peer, over one connection.
///
/// ```swift
/// let session = try await endpoint.dial("example.org:9000")
/// try await session.send("hello")
/// for try await message in session.messages {
///     print(message.text)
/// }
/// ```
///
/// A session goes on until one side closes it or the connection is lost. Close it with ``close()``; a session that nobody
/// holds any more is closed by itself.
public final class Session: Sendable {
    /// The session's identifier, the same on both sides: 24 characters of base32.
    public let id: String
    /// Who is at the other end.
    public let peer: Peer
    /// Whether we connected, or were connected to.
    public let isInitiator: Bool
    /// The other end's network address, such as "192.0.2.1:9000".
    public let remoteAddress: String
    /// How long each step of the handshake took.
    public let handshake: [HandshakeStep]
    /// What the peer sends, in order. Ends when either side closes the session gracefully; throws when it ends otherwise.
    ///
    /// Messages wait here until they are taken; when they have ``Configuration/maximumHeldBytes``, the peer is made to wait
    /// too. Iterate from one task at a time.
    public let messages: Messages

    /// Whether an earlier session was resumed, without introductions and verification.
    public let isResumed: Bool

    /// Why an earlier session was not resumed, when it looked as if somebody sat in between: a signature, a challenge, or
    /// what the peer had announced was not as it must be. The two have introduced themselves anew then. Tell the person.
    public let resumptionFailure: KamuneError?

    let core: SessionCore
    /// What both sides announced.
    let agreed: CapabilitySet
    /// The session's records in the store, if it is kept.
    let kept: KeptSession?
    /// The session's record in the store, if it is kept.
    var record: StoredSession? { kept?.session }
    /// Notes in the store how the session ended.
    private let bookkeeping: Task<Void, Never>?

    init(
        core: SessionCore, peer: Peer, remoteAddress: String, handshake: [HandshakeStep], isResumed: Bool,
        agreed: CapabilitySet, resumptionFailure: KamuneError?, kept: KeptSession?, bookkeeping: Task<Void, Never>?
    ) {
        self.core = core
        self.isResumed = isResumed
        self.agreed = agreed
        self.resumptionFailure = resumptionFailure
        self.kept = kept
        self.bookkeeping = bookkeeping
        self.id = core.id
        self.isInitiator = core.role == .initiator
        self.peer = peer
        self.remoteAddress = remoteAddress
        self.handshake = handshake
        messages = Messages(inbox: core.inbox)
    }

    deinit {
        let core = core
        Task { await core.close() }
    }

    /// Sends a message. Returns when it was handed to the system; that says nothing of its arrival.
    ///
    /// Messages arrive in the order of the calls. When the peer takes them slowly, this waits. The first one waits for up
    /// to half a second when the peer is a program of version 0.7, so that the peer's own first frame comes first.
    ///
    /// - Parameter bytes: At most ``Configuration/maximumMessageSize``, 61,435 by default.
    /// - Throws: ``KamuneError/Code/messageTooLarge``, which leaves the session as it is;
    ///   ``KamuneError/Code/sessionEnded`` or ``KamuneError/Code/connectionLost``;
    ///   ``KamuneError/Code/cancelled`` when the task is cancelled while waiting: the message may then still be sent.
    @discardableResult
    public func send(_ bytes: [UInt8]) async throws(KamuneError) -> SentMessage {
        try await core.send(bytes)
    }

    /// Sends a text as UTF-8. See ``send(_:)-([UInt8])``.
    @discardableResult
    public func send(_ text: String) async throws(KamuneError) -> SentMessage {
        try await core.send(Array(text.utf8))
    }

    /// Asks whether the peer is there.
    ///
    /// - Returns: The time until its answer came.
    /// - Throws: ``KamuneError/Code/sessionEnded`` and the like when the session ends first.
    public func ping() async throws(KamuneError) -> Duration {
        try await core.ping()
    }

    /// Says goodbye, waits for the peer to end its side (``Configuration/closeTimeout`` at most), and closes the
    /// connection. Messages sent before are delivered first. Does nothing when the session has ended.
    public func close() async {
        await core.close()
        await bookkeeping?.value
    }

    /// Ends the session at once, without a goodbye. Another one takes its place, or nobody is to learn more.
    func abandon(_ error: KamuneError = KamuneError(.connectionLost, "Another session has taken this one's place.")) {
        let core = core
        Task { await core.abandon(error) }
    }

    /// Waits until the session has ended, and tells how.
    public func waitUntilEnded() async -> SessionEnd {
        let end = await core.waitUntilEnded()
        await bookkeeping?.value
        return end
    }
}

/// The messages of a session.
public struct Messages: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = Message
    /// What ends the sequence when the session does not end gracefully.
    public typealias Failure = KamuneError

    let inbox: Mailbox<Message>

    /// Iterates over the messages that were not taken yet.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(inbox: inbox) }

    /// Takes messages, one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let inbox: Mailbox<Message>

        /// The next message, waiting for it; nil when the session was closed gracefully.
        public mutating func next() async throws(KamuneError) -> Message? {
            try await inbox.next()
        }

        /// The next message, waiting for it; nil when the session was closed gracefully.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(KamuneError) -> Message? {
            try await inbox.next()
        }
    }
}
