import Foundation
import KamuneProtocol
public import KamuneStore
import Synchronization

extension Conversation {
    /// How many messages are read from the store at once.
    private static let pageSize = 64

    // MARK: For the application

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
        guard !isOver else { throw .sessionHasEnded }
        let limit = maximumBodySize
        for body in bodies where body.count > limit {
            throw KamuneError(ProtocolError.misuse(.messageTooLarge(size: body.count, limit: limit)))
        }
        let now = Date()
        let record = session?.record?.id
        do throws(StoreError) {
            let results = try await store.append(
                contentsOf: bodies.map {
                    .outgoing(to: peerID, body: $0, at: now, session: record, kind: kind)
                })
            let messages = results.map(\.message)
            outstanding.formUnion(messages.map(\.id))
            pulse.beat()
            return messages
        } catch {
            throw KamuneError(error)
        }
    }

    /// The largest body of a message, in bytes.
    public nonisolated var maximumBodySize: Int {
        Self.maximumBodySize(endpoint.configuration)
    }

    /// Waits while 1,024 messages or more of this conversation are under way, so that a fast source does not fill the disk
    /// for a slow peer. Returns at once when the conversation is over.
    public func waitForRoom() async {
        await waitUntil { $0.outstanding.count < Self.maximumOutstanding }
    }

    /// Waits until every message that was sent through this object has come as far as it can: delivered, or for a peer of
    /// version 0.7 sent. Returns also when the conversation is over, or the time is.
    ///
    /// - Returns: Whether all have.
    @discardableResult
    public func waitUntilDelivered(for limit: Duration) async -> Bool {
        await waiting(for: limit) { await $0.waitUntil { $0.outstanding.isEmpty } }
        return outstanding.isEmpty
    }

    // MARK: Over a session

    /// Sends what is owed and what waits, until the session ends or another takes its place.
    func send(over session: Session, _ generation: Int) async {
        do throws(KamuneError) {
            if deliveries[generation] != nil {
                try await sendDelivery(over: session, generation)
            } else {
                try await sendPlainly(over: session, generation)
            }
        } catch {
            // Ends the session, unless that is what happened.
            if error.code != .cancelled { session.abandon(error) }
        }
    }

    private func sendDelivery(over session: Session, _ generation: Int) async throws(KamuneError) {
        let last: DeliveryID?
        do throws(StoreError) {
            last = try await lastStored()
        } catch {
            throw storeFailed(error, session)
        }
        guard let beginning = deliveries[generation]?.begin(afterStoring: last) else { return }
        try await session.send(beginning)
        var page: ArraySlice<StoredMessage> = []
        var position: MessagePosition?
        while isCurrent(generation), !Task.isCancelled {
            let count = pulse.count
            if let owed = owedAcknowledgements[generation], owed.isDue {
                owedAcknowledgements[generation] = nil
                guard let frame = deliveries[generation]?.acknowledge(owed.last) else { return }
                try await session.send(frame)
                continue
            }
            if readyGeneration == generation, deliveries[generation]?.canSend == true {
                if page.isEmpty { page = try await waiting(after: position, session)[...] }
                if let message = page.popFirst() {
                    position = message.position
                    try await deliver(message, over: session, generation)
                    continue
                }
            }
            await rest(since: count)
        }
    }

    private func deliver(_ message: StoredMessage, over session: Session, _ generation: Int) async throws(KamuneError) {
        guard let id = DeliveryID(message.id.bytes) else { return }
        let frame: [UInt8]?
        do throws(ProtocolError) {
            frame = try deliveries[generation]?.send(
                DeliveryMessage(
                    id: id, kind: message.kind.rawValue, written: message.sent.milliseconds, body: message.body))
        } catch {
            throw KamuneError(error)
        }
        guard let frame else { return }
        try await session.send(frame)
        await emit(.stateChanged(message.id, .inFlight))
    }

    /// To a peer of version 0.7. The answer to a ping says that it has read what was sent before.
    private func sendPlainly(over session: Session, _ generation: Int) async throws(KamuneError) {
        var position: MessagePosition?
        // Pings are answered by the programs, not by their library: one that does not is not waited for again.
        var answersPings = true
        while isCurrent(generation), !Task.isCancelled {
            let count = pulse.count
            let page = try await waiting(after: position, session)
            guard let last = page.last else {
                await rest(since: count)
                continue
            }
            position = last.position
            hasStrays = true
            try await setState(.inFlight, of: page, session)
            var sent = 0
            do throws(KamuneError) {
                for message in page {
                    sent += 1
                    try await session.send(message.body)
                    await emit(.stateChanged(message.id, .inFlight))
                }
                if answersPings { answersPings = try await hasAnswered(session) }
            } catch {
                // What was never handed over waits for the next session.
                try await setState(.maybeLost, of: Array(page.prefix(sent)), session)
                try await setState(.waiting, of: Array(page.dropFirst(sent)), session)
                throw error
            }
            try await setState(.sent, of: page, session)
            hasStrays = false
        }
    }

    /// Whether the peer answers a ping in time.
    ///
    /// - Throws: What ended the session meanwhile.
    private func hasAnswered(_ session: Session) async throws(KamuneError) -> Bool {
        let outcome = PingOutcome()
        // Not waited for beyond the limit: a ping ends with its answer or the session.
        Task { [pulse] in
            do throws(KamuneError) {
                _ = try await session.ping()
                outcome.set(.success(()))
            } catch {
                outcome.set(.failure(error))
            }
            pulse.beat()
        }
        await waiting(for: endpoint.configuration.confirmationTimeout) {
            await $0.waitUntil { _ in outcome.value != nil }
        }
        switch outcome.value {
        case .success?: return true
        case .failure(let error)?: throw error
        case nil where Task.isCancelled: throw .cancellation
        case nil: return false
        }
    }

    /// Messages that an earlier program has sent without learning what became of them.
    func settleEarlier() async {
        guard hasStrays else { return }
        var position: MessagePosition?
        // A failing store shows itself as soon as something is to be sent.
        while let page = try? await store.pendingMessages(to: peerID, after: position, limit: Self.pageSize),
            let last = page.last
        {
            position = last.position
            let stray = page.filter { $0.state == .inFlight }.map(\.id)
            if stray.isEmpty { continue }
            let changed = (try? await store.setState(.maybeLost, of: stray, to: peerID, at: Date())) ?? []
            outstanding.subtract(changed)
            for id in changed { await emit(.stateChanged(id, .maybeLost)) }
        }
        hasStrays = false
        pulse.beat()
    }

    private func waiting(
        after position: MessagePosition?, _ session: Session
    ) async throws(KamuneError) -> [StoredMessage] {
        do throws(StoreError) {
            return try await store.pendingMessages(to: peerID, after: position, limit: Self.pageSize)
                .filter { $0.state == .waiting }
        } catch {
            throw storeFailed(error, session)
        }
    }

    private func setState(
        _ state: MessageState, of messages: [StoredMessage], _ session: Session
    ) async throws(KamuneError) {
        if messages.isEmpty { return }
        let ids = messages.map(\.id)
        let changed: [MessageID]
        do throws(StoreError) {
            changed = try await store.setState(state, of: ids, to: peerID, at: Date())
        } catch {
            throw storeFailed(error, session)
        }
        if state == .inFlight { return }
        if state != .waiting { outstanding.subtract(ids) }
        pulse.beat()
        for id in changed { await emit(.stateChanged(id, state)) }
    }

    /// Waits for something to do.
    private func rest(since count: UInt64) async {
        guard pulse.count == count else { return }
        // For who waits for quiet; whoever waits here notes the count afterwards.
        pulse.beat()
        let now = pulse.count
        idleBeat = now
        defer { idleBeat = nil }
        await pulse.wait(since: now)
    }
}

/// What came of a ping.
private final class PingOutcome: Sendable {
    private let state = Mutex<Result<Void, KamuneError>?>(nil)

    var value: Result<Void, KamuneError>? { state.withLock { $0 } }

    func set(_ value: Result<Void, KamuneError>) { state.withLock { $0 = value } }
}
