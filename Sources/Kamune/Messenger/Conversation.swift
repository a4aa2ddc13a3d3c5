import Foundation
import KamuneCrypto
import KamuneProtocol
public import KamuneStore
import KamuneSystem

/// What is said with one peer, over as many sessions as it takes: connections come and go, the conversation stays.
///
/// What is sent is stored first, and goes out when the peer is there. Between two peers who keep messages none is lost and
/// none comes twice, also when programs end and begin again in between: what the peer has stored is acknowledged, and what
/// was not is sent again in the next session (docs/PROTOCOL.md §10.5). A program of version 0.7 does not acknowledge; what
/// was under way to it when the connection broke is marked ``MessageState/maybeLost``.
///
/// A conversation ends when either side says goodbye, when the peer does not come back within
/// ``Reconnection/patience``, or when something makes it impossible. Messages that still wait then go out in the next one.
public actor Conversation {
    // Everything is decided by a ConversationMachine. This actor tells it what happens and does what it says.

    /// The peer's record in the store.
    public nonisolated let peerID: PeerID
    /// Who the peer is, as the first session knew them.
    public nonisolated let peer: Peer
    /// What happens, in order. Take them, or the conversation comes to rest: the peer is made to wait when a thousand messages,
    /// or 2 MiB of them, were not taken. Beyond 4,096 events, changes of state are left out; the store knows them. With a
    /// ``ConversationObserver`` that is the only one, there is nothing here but the end.
    public nonisolated let events: ConversationEvents

    let endpoint: Endpoint
    let store: Store
    /// Knows where else the peer may be.
    let book: any AddressBook
    /// Tells that the conversation is over, so that the next session begins a new one.
    private let onEnd: @Sendable (Conversation) async -> Void

    private(set) var machine: ConversationMachine
    /// What has happened and was not told to the machine yet, because it is doing something.
    private var mailbox: [ConversationMachine.Event] = []
    private var isHandling = false
    private var alarm: (number: UInt64, due: Duration)?

    /// The sessions that the machine knows.
    var carriers: [LinkID: Carrier] = [:]
    private var lastLink: UInt64 = 0
    /// Why sessions were lost, for as long as anybody may be told.
    var losses: [LinkID: KamuneError] = [:]
    /// Where to dial again, and whom to expect there; nil when the peer is the one to dial.
    var redialing: (way: WayBack, identity: PublicIdentity)?
    /// The key of the session that joined last, and those that the peer had given up by then.
    private var latestKey: PublicIdentity
    private var givenUpKeys: Set<PublicIdentity> = []
    var dialing: Task<Void, Never>?
    var dialError: KamuneError?
    /// Says goodbye.
    var goodbye: Task<Void, Never>?

    /// What the store is to do.
    var operations: [ConversationMachine.StoreOperation] = []
    /// Does it.
    var storing: Task<Void, Never>?
    var storeError: KamuneError?
    private var lastWrite: UInt64 = 0
    /// Who waits for what it wrote to be stored.
    var writers: [ConversationMachine.WriteID: CheckedContinuation<Result<[StoredMessage], KamuneError>, Never>] = [:]

    /// The next conversation with the peer, when that minds what the application has still to take of this one.
    private var successor: Conversation?
    private var isHandingOver = false
    /// What was taken while it was being handed over.
    private var handedOver: [ConversationEventQueue.Load] = []

    private(set) var end: SessionEnd?
    private var endWaiters: [CheckedContinuation<SessionEnd, Never>] = []
    private var waiters: [UInt64: Waiter] = [:]
    private var lastWaiter: UInt64 = 0

    private struct Waiter {
        let condition: @Sendable (ConversationMachine) -> Bool
        let continuation: CheckedContinuation<Void, Never>
    }

    init(
        _ peerID: PeerID, peer: Peer, endpoint: Endpoint, store: Store, reconnection: Reconnection,
        observer: ConversationObserver, book: any AddressBook,
        onEnd: @escaping @Sendable (Conversation) async -> Void
    ) {
        self.peerID = peerID
        self.peer = peer
        latestKey = peer.identity
        self.endpoint = endpoint
        self.store = store
        self.book = book
        self.onEnd = onEnd
        events = ConversationEvents(
            reportsAtOnce: endpoint.configuration.acknowledgesWhenTaken, isObservedOnly: observer.isOnlyOne)
        machine = ConversationMachine(
            ConversationConfiguration(endpoint.configuration, reconnection), random: SystemRandomSource(),
            at: endpoint.configuration.time.monotonic)
        events.queue.onTaken { [weak self] load in
            Task { await self?.took(load) }
        }
        events.queue.observe { [weak self] event in
            if let self { observer.body(self, event) }
        }
    }

    // MARK: The machine

    /// Tells the machine what has happened, and does what it says.
    func post(_ event: ConversationMachine.Event) {
        mailbox.append(event)
        // Whatever is done while the machine is being followed comes after what it has said.
        guard !isHandling else { return }
        isHandling = true
        defer { isHandling = false }
        while !mailbox.isEmpty {
            for action in machine.handle(mailbox.removeFirst(), at: endpoint.configuration.time.monotonic) {
                perform(action)
            }
        }
        countUnstoredBytes()
        if carriers.count > 1 || machine.isOver { carriers = carriers.filter { machine.holds($0.key) } }
        setAlarm()
        wakeWaiters()
    }

    // MARK: What the application takes

    /// - Parameter isEarlier: Whether it is of an earlier conversation.
    private func took(_ load: ConversationEventQueue.Load, ofEarlier isEarlier: Bool = false) async {
        if let successor {
            if isHandingOver { handedOver.append(load) } else { await successor.took(load, ofEarlier: true) }
            return
        }
        post(.tookMessages(count: load.count, bytes: load.bytes, ofEarlier: isEarlier))
        if end != nil, !hasUntaken { await onEnd(self) }
    }

    /// Whether messages were told that the application has not taken yet, and no later conversation minds them.
    var hasUntaken: Bool { successor == nil && machine.untaken.count > 0 }

    /// Has a later conversation with the peer mind what the application has still to take of this one, which is over: it must
    /// not acknowledge what comes again of that before it is taken.
    func handOver(to later: Conversation) async {
        guard successor == nil else { return }
        successor = later
        isHandingOver = true
        await later.inherit(machine.untaken)
        isHandingOver = false
        for load in handedOver { await later.took(load, ofEarlier: true) }
        handedOver = []
    }

    private func inherit(_ untaken: (count: Int, bytes: Int)) {
        machine.inherit(untaken: untaken.count, bytes: untaken.bytes)
    }

    private func setAlarm() {
        guard let deadline = machine.nextDeadline else { return }
        // One that rings too early does no harm, and is cheaper than another.
        if let alarm, alarm.due <= deadline { return }
        let (alarms, now) = (endpoint.configuration.alarms, endpoint.configuration.time.monotonic)
        if let alarm { alarms.cancel(alarm.number) }
        let number = alarms.ring(after: max(deadline - now, .zero)) { [weak self] in await self?.alarmRang(deadline) }
        alarm = (number, deadline)
    }

    private func alarmRang(_ due: Duration) {
        guard alarm?.due == due else { return }
        alarm = nil
        post(.timeElapsed)
    }

    // MARK: Connections

    /// The session that carries the conversation now.
    var session: Session? { machine.link.flatMap { carriers[$0]?.session } }

    /// What there is to know about the session that carries the conversation now; nil while there is none.
    public var summary: SessionSummary? { session.map { SessionSummary($0) } }

    /// Whether the two are connected now.
    public var isConnected: Bool { machine.link != nil }

    /// Whether the conversation is over, so that nothing more is sent.
    public var hasEnded: Bool { end != nil }

    /// Asks whether the peer is there.
    ///
    /// - Returns: The time until its answer came.
    /// - Throws: ``KamuneError/Code/connectionLost`` and ``KamuneError/Code/sessionEnded``.
    public func ping() async throws(KamuneError) -> Duration {
        guard let session else { throw KamuneError(.connectionLost, "Nobody is connected at the moment.") }
        return try await session.ping()
    }

    /// Has a session carry the conversation from now on, in the place of an earlier one.
    ///
    /// - Parameter way: How to dial again when it is lost; nil leaves that as it was.
    /// - Returns: Whether the conversation goes on. When it is over, or about to be, the session is left alone.
    @discardableResult
    func attach(_ new: Session, redialing way: WayBack? = nil) -> Bool {
        guard machine.isOpen else { return false }
        // Kept before the peer took its present key, and come here after.
        guard !givenUpKeys.contains(new.peer.identity) else {
            new.abandon(KamuneError(.refusedByUs, "The peer has given up this key for another."))
            return true
        }
        let succeeds = latestKey != new.peer.identity
        latestKey = new.peer.identity
        givenUpKeys = Set(new.kept?.peer.formerKeys.map(\.key) ?? [])
        if let way {
            redialing = (way, new.peer.identity)
        } else {
            redialing?.identity = new.peer.identity
        }
        lastLink += 1
        let link = LinkID(lastLink)
        carriers[link] = Carrier(session: new)
        new.core.onDoubt { [weak self] in Task { await self?.checkDoubt(link) } }
        let own = endpoint.identity.publicKey.spki
        post(
            .joined(
                link,
                ConversationMachine.Joining(
                    isInitiator: new.isInitiator,
                    isOwnKeyFirst: own.lexicographicallyPrecedes(new.peer.identity.spki),
                    acknowledges: new.agreed.contains(.delivery), tellsRoutes: new.agreed.contains(.routes),
                    canRedial: way != nil, succeeds: succeeds)))
        return true
    }

    /// The session's peer does not answer, or does again.
    private func checkDoubt(_ link: LinkID) {
        if let session = carriers[link]?.session { post(.doubted(link, session.core.isDoubtful)) }
    }

    // MARK: Sending

    /// Sends a message: it is stored when this returns, and goes out as soon as the peer is there. Events tell how far it
    /// comes.
    ///
    /// - Parameters:
    ///   - body: At most ``Configuration/maximumMessageSize`` less 26 bytes: 61,409 by default.
    ///   - kind: What it carries. To programs of version 0.7 the body goes as it is, whatever the kind.
    /// - Throws: ``KamuneError/Code/messageTooLarge``; ``KamuneError/Code/sessionEnded`` when the conversation is over;
    ///   ``KamuneError/Code/system`` when it cannot be stored.
    @discardableResult
    public func send(_ body: [UInt8], kind: MessageKind = .text) async throws(KamuneError) -> StoredMessage {
        let messages = try await send(contentsOf: [body], kind: kind)
        guard let message = messages.first else { throw KamuneError(.system, "The message was not stored.") }
        return message
    }

    /// Sends a text as UTF-8. See ``send(_:kind:)-([UInt8],_)``.
    @discardableResult
    public func send(_ text: String) async throws(KamuneError) -> StoredMessage {
        try await send(Array(text.utf8))
    }

    /// Sends several messages in this order. They wait for the disk once.
    @discardableResult
    public func send(
        contentsOf bodies: [[UInt8]], kind: MessageKind = .text
    ) async throws(KamuneError) -> [StoredMessage] {
        guard end == nil else { throw .sessionHasEnded }
        try Self.checkSizes(of: bodies, endpoint.configuration)
        if bodies.isEmpty { return [] }
        let now = endpoint.configuration.time.date.milliseconds
        let messages = zip(store.newMessageIDs(bodies.count, to: peerID), bodies).map { id, body in
            DeliveryMessage(id: DeliveryID(id), kind: kind.rawValue, written: now, body: body)
        }
        lastWrite += 1
        let write = ConversationMachine.WriteID(lastWrite)
        let result = await withCheckedContinuation { continuation in
            writers[write] = continuation
            post(.wrote(write, messages))
        }
        return try result.get()
    }

    /// Looks into the store again: messages to the peer were stored there beside this conversation
    /// (``KamuneStore/Store/append(contentsOf:)``), and are to go out.
    public func storeHasMore() { post(.storeHasMore) }

    /// The largest body of a message, in bytes.
    public nonisolated var maximumBodySize: Int {
        Self.maximumBodySize(endpoint.configuration)
    }

    /// The largest body that a message of conversations with this configuration can have, in bytes.
    public static func maximumBodySize(_ configuration: Configuration) -> Int {
        max(0, configuration.maximumMessageSize - DeliveryMessage.overhead)
    }

    static func checkSizes(of bodies: [[UInt8]], _ configuration: Configuration) throws(KamuneError) {
        let limit = maximumBodySize(configuration)
        for body in bodies where body.count > limit {
            throw KamuneError(ProtocolError.misuse(.messageTooLarge(size: body.count, limit: limit)))
        }
    }

    /// How many messages that were sent through this object have not come as far as they can yet: see
    /// ``waitUntilDelivered(for:)``.
    public var undeliveredCount: Int { machine.outstandingCount }

    /// How many messages to the peer wait, those of earlier conversations too.
    ///
    /// - Throws: When the store cannot be read.
    public func waitingCount() async throws(KamuneError) -> Int {
        do throws(StoreError) {
            return try await store.waitingCount(to: peerID)
        } catch {
            throw KamuneError(error)
        }
    }

    /// Waits while 1,024 messages or more of this conversation are under way, or 16 MiB, so that a fast source does not fill
    /// the disk for a slow peer. Returns at once when the conversation is over.
    public func waitForRoom() async {
        await waitUntil { $0.hasRoom }
    }

    /// Waits until every message that was sent through this object has come as far as it can: delivered, or for a peer of
    /// version 0.7 sent. Returns also when the conversation is over, or the time is.
    ///
    /// - Returns: Whether all have.
    @discardableResult
    public func waitUntilDelivered(for limit: Duration) async -> Bool {
        try? await withDeadline(
            limit, by: endpoint.configuration.alarms, expired: KamuneError(.timedOut, "Not everything is delivered.")
        ) { () async throws(KamuneError) in
            await self.waitUntil { $0.outstandingCount == 0 }
        }
        return machine.outstandingCount == 0
    }

    // MARK: Ending

    /// Says goodbye: waits for what is under way to be acknowledged (``Configuration/closeTimeout`` at most), then closes
    /// the session. What is not delivered by then waits in the store. Does nothing when the conversation is over.
    public func close() async {
        post(.closeRequested)
        _ = await waitUntilEnded()
        await goodbye?.value
    }

    /// Waits until the conversation is over, and tells how it ended.
    public func waitUntilEnded() async -> SessionEnd {
        if let end { return end }
        return await withCheckedContinuation { endWaiters.append($0) }
    }

    func conclude(_ how: SessionEnd) {
        guard end == nil else { return }
        end = how
        dialing?.cancel()
        if let alarm { endpoint.configuration.alarms.cancel(alarm.number) }
        alarm = nil
        for waiter in endWaiters { waiter.resume(returning: how) }
        endWaiters = []
        // Whoever hears of the end finds the next conversation free to begin, and has heard of everything that was stored.
        Task { [onEnd, events] in
            await onEnd(self)
            await storing?.value
            events.queue.finish(with: .ended(how))
        }
    }

    // MARK: Waiting

    /// Waits until a condition holds, the conversation is over, or the task is cancelled.
    private func waitUntil(_ condition: @escaping @Sendable (ConversationMachine) -> Bool) async {
        if end != nil || condition(machine) { return }
        lastWaiter += 1
        let number = lastWaiter
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled {
                    continuation.resume()
                } else {
                    waiters[number] = Waiter(condition: condition, continuation: continuation)
                }
            }
        } onCancel: {
            Task { await self.stopWaiting(number) }
        }
    }

    private func stopWaiting(_ number: UInt64) {
        waiters.removeValue(forKey: number)?.continuation.resume()
    }

    private func wakeWaiters() {
        for (number, waiter) in waiters where end != nil || waiter.condition(machine) { stopWaiting(number) }
    }
}

extension ConversationConfiguration {
    fileprivate init(_ configuration: Configuration, _ reconnection: Reconnection) {
        self.init(
            handshakeTimeout: configuration.handshakeTimeout, closeTimeout: configuration.closeTimeout,
            confirmationTimeout: configuration.confirmationTimeout,
            acknowledgesWhenTaken: configuration.acknowledgesWhenTaken, reconnection: reconnection)
    }
}
