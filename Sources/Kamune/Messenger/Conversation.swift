import Foundation
import KamuneCrypto
import KamuneProtocol
public import KamuneStore

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
    /// The peer's record in the store.
    public nonisolated let peerID: PeerID
    /// Who the peer is, as the first session knew them.
    public nonisolated let peer: Peer
    /// What happens, in order. Take them, or the conversation comes to rest: the peer is made to wait when they take
    /// ``Configuration/maximumHeldBytes``.
    /// Beyond 4,096, changes of state are left out; the store knows them.
    public nonisolated let events: ConversationEvents

    let endpoint: Endpoint
    let store: Store
    let reconnection: Reconnection
    /// Tells that the conversation is over, so that the next session begins a new one.
    private let onEnd: @Sendable (Conversation) async -> Void
    /// Beats whenever there may be something to do, or something that is waited for has come about.
    let pulse = ConversationPulse()

    /// The session that carries the conversation now.
    var session: Session?
    /// Counts the sessions; whoever works for an earlier one stops.
    private(set) var generation = 0
    private var attached = Moment.monotonicNow()
    private var runner: Task<Void, Never>?
    /// How many sessions are worked for, or wait until the earlier ones are done with.
    private var runners = 0
    /// Dials again, or waits for the peer.
    var recovery: Task<Void, Never>?
    /// Where to dial again; nil when the peer is the one to dial.
    private(set) var address: String?

    /// The delivery over each session that is not over; none for those with a peer of version 0.7.
    var deliveries: [Int: DeliveryMachine] = [:]
    /// What is stored and not yet acknowledged, for each session.
    var owedAcknowledgements: [Int: OwedAcknowledgement] = [:]
    /// The session whose peer has told what it has, so that the rest may be sent.
    var readyGeneration: Int?
    /// The beat of the pulse at which the sender of the session had nothing to do; nil while it has. Only while no other
    /// beat has followed has it seen everything.
    var idleBeat: UInt64?
    /// Whether there may be messages in the store that were sent without anybody learning what became of them: of an
    /// earlier program, or of a session whose store failed.
    var hasStrays = true
    /// What was sent through this object and did not come as far as it can yet.
    var outstanding: Set<MessageID> = []
    /// What ended it, once it is decided.
    private var failure: KamuneError?
    private var isClosing = false
    private(set) var end: SessionEnd?
    private var endWaiters: [CheckedContinuation<SessionEnd, Never>] = []

    /// How many events wait before those that are not messages are dropped.
    private static let maximumWaitingChanges = 4_096
    /// How many sessions may wait for the earlier ones to be done with: each may have brought as many messages as may wait.
    private static let maximumRunners = 4
    /// How many messages may be under way before ``waitForRoom()`` waits.
    static let maximumOutstanding = 1_024

    init(
        _ peerID: PeerID, peer: Peer, endpoint: Endpoint, store: Store, reconnection: Reconnection,
        onEnd: @escaping @Sendable (Conversation) async -> Void
    ) {
        self.peerID = peerID
        self.peer = peer
        self.endpoint = endpoint
        self.store = store
        self.reconnection = reconnection
        self.onEnd = onEnd
        events = ConversationEvents(inbox: Mailbox(limit: endpoint.configuration.maximumHeldBytes))
    }

    // MARK: Connections

    /// Whether the two are connected now.
    public var isConnected: Bool { session != nil }

    /// Whether the conversation is over.
    var isOver: Bool { end != nil }

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
    /// - Parameter address: Where to dial when it is lost; nil leaves that as it was.
    /// - Returns: Whether the conversation goes on. When it is over, or about to be, the session is left alone.
    @discardableResult
    func attach(_ new: Session, redialing address: String? = nil) -> Bool {
        guard !isOver, !isClosing else { return false }
        if let address { self.address = address }
        let now = Moment.monotonicNow()
        if let session, prefers(session, to: new, at: now) {
            new.abandon()
            return true
        }
        // The peer comes again and again, while nobody takes what came over the connections before.
        guard runners < Self.maximumRunners else {
            new.abandon(KamuneError(.overloaded, "Earlier messages were not taken yet."))
            return true
        }
        let replaced = session
        generation += 1
        session = new
        attached = now
        if new.agreed.contains(.delivery) { deliveries[generation] = DeliveryMachine() }
        recovery?.cancel()
        recovery = nil
        replaced?.abandon()
        pulse.beat()
        // What came over the earlier session is stored before the peer is told what is.
        let earlier = runner
        let generation = generation
        runners += 1
        runner = Task {
            await earlier?.value
            await self.run(new, generation)
            self.runners -= 1
        }
        return true
    }

    /// Which of two sessions stays. The later one, since its initiator has given up the earlier; but when both sides dial at
    /// once, both must choose the same: that of the side whose identity comes first.
    private func prefers(_ session: Session, to new: Session, at now: Duration) -> Bool {
        guard session.isInitiator != new.isInitiator, now - attached < endpoint.configuration.handshakeTimeout else {
            return false
        }
        let own = endpoint.identity.publicKey.spki
        let isOwnFirst = own.lexicographicallyPrecedes(new.peer.identity.spki)
        return session.isInitiator == isOwnFirst
    }

    func isCurrent(_ generation: Int) -> Bool { generation == self.generation && session != nil }

    // MARK: Running

    private func run(_ session: Session, _ generation: Int) async {
        if isCurrent(generation) { await emit(.connected(SessionSummary(session))) }
        await settleEarlier()
        let sender = Task { await self.send(over: session, generation) }
        await receive(from: session, generation)
        sender.cancel()
        await sender.value
        await finished(generation, await session.waitUntilEnded())
    }

    private func finished(_ generation: Int, _ how: SessionEnd) async {
        deliveries[generation] = nil
        owedAcknowledgements[generation] = nil
        guard generation == self.generation, !isOver else { return }
        session = nil
        pulse.beat()
        switch how {
        case .closedByUs, .closedByPeer:
            await conclude(how)
        case .failed(let error):
            if isClosing {
                await conclude(.closedByUs)
            } else if failure != nil || !error.mayPass || reconnection.patience == .zero {
                await conclude(.failed(failure ?? error))
            } else {
                await emit(.disconnected(error))
                if generation == self.generation, !isOver, !isClosing { recover(from: error) }
            }
        }
    }

    /// Something that no other connection makes better.
    func fail(_ error: KamuneError, _ session: Session) {
        failure = failure ?? error
        session.abandon(error)
    }

    /// Adds an event; a message once there is room for it. Of the others those are dropped that are too many, so that who
    /// only sends need not take events.
    func emit(_ event: ConversationEvent) async {
        if case .message = event {
            if events.inbox.isFull { await events.inbox.waitForRoom() }
        } else if events.inbox.count >= Self.maximumWaitingChanges {
            return
        }
        events.inbox.add(event, size: event.memorySize, in: session?.core.budget)
    }

    // MARK: Ending

    /// Says goodbye: waits for what is under way to be acknowledged (``Configuration/closeTimeout`` at most), then closes
    /// the session. What is not delivered by then waits in the store. Does nothing when the conversation is over.
    public func close() async {
        guard !isOver else { return }
        guard !isClosing else {
            _ = await waitUntilEnded()
            return
        }
        isClosing = true
        recovery?.cancel()
        // Nobody may take events any more.
        events.inbox.liftLimit()
        guard let session else {
            await conclude(.closedByUs)
            return
        }
        await waitUntilQuiet(for: endpoint.configuration.closeTimeout)
        await session.close()
        _ = await waitUntilEnded()
    }

    /// Waits until the conversation is over, and tells how it ended.
    public func waitUntilEnded() async -> SessionEnd {
        if let end { return end }
        return await withCheckedContinuation { endWaiters.append($0) }
    }

    func conclude(_ how: SessionEnd) async {
        guard !isOver else { return }
        end = how
        recovery?.cancel()
        session?.abandon()
        session = nil
        pulse.beat()
        for waiter in endWaiters { waiter.resume(returning: how) }
        endWaiters = []
        await onEnd(self)
        events.inbox.add(.ended(how))
        events.inbox.finish()
    }

    /// Waits until nothing is under way over the session.
    private func waitUntilQuiet(for limit: Duration) async {
        await waiting(for: limit) { await $0.waitUntil { !$0.isConnected || $0.isQuiet } }
    }

    private var isQuiet: Bool {
        guard idleBeat == pulse.count, owedAcknowledgements[generation] == nil else { return false }
        guard let delivery = deliveries[generation] else { return true }
        // Before the peer has told what it has, what waits could not be sent.
        return readyGeneration == generation && delivery.inFlight == 0
    }

    /// Waits until a condition holds, or the task is cancelled. What it depends on is followed by a beat of the pulse.
    func waitUntil(_ condition: @Sendable (isolated Conversation) -> Bool) async {
        while !Task.isCancelled {
            let count = pulse.count
            if isOver || condition(self) { return }
            await pulse.wait(since: count)
        }
    }

    /// Runs `body`, and cancels it after a time.
    func waiting(for limit: Duration, _ body: @escaping @Sendable (Conversation) async -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await body(self) }
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }
}

extension KamuneError {
    /// Whether another connection may fare better after this one, which was established. What cannot be decrypted may come
    /// from anybody in between; what breaks the rules comes from the peer.
    var mayPass: Bool {
        switch code {
        case .protocolViolation, .incompatible, .misuse: false
        default: true
        }
    }

    /// Whether another attempt to connect may fare better. Before the handshake is through, everything may come from
    /// somebody else: a network that wants one to log in first answers on every port. But whoever proves to be somebody
    /// else than the peer is there for us, and the person is to know.
    var mayPassWhenDialing: Bool {
        switch code {
        case .refusedByUs, .invalidAddress, .misuse: false
        default: true
        }
    }
}
