import Foundation
import KamuneProtocol
import KamuneStore

extension Conversation {
    /// How many messages are stored at once.
    private static let batchSize = 256
    /// How many messages are looked at, at once, for what the peer has of them.
    private static let peerHasSize = 64
    /// How many of the latest messages are looked through for one of the peer's.
    private static let lookback = 1_024

    /// Stores what arrives, until the session ends.
    func receive(from session: Session, _ generation: Int) async {
        let inbox = session.core.inbox
        do throws(KamuneError) {
            while let first = try await inbox.next() {
                let batch = [first] + inbox.takeReady(atMost: Self.batchSize - 1)
                if deliveries[generation] == nil {
                    try await take(batch, in: session)
                } else {
                    try await takeDelivery(batch, in: session, generation)
                }
            }
        } catch {
            // When the session itself has ended by an error, this changes nothing.
            session.abandon(error)
        }
    }

    /// Messages of a peer who does not name them.
    private func take(_ batch: [Message], in session: Session) async throws(KamuneError) {
        try await keep(
            batch.map { message in
                .incoming(
                    from: peerID, body: message.bytes, sent: message.sentAt ?? message.receivedAt,
                    received: message.receivedAt, session: session.record?.id)
            }, in: session)
    }

    private func takeDelivery(_ batch: [Message], in session: Session, _ generation: Int) async throws(KamuneError) {
        var incoming: [NewMessage] = []
        var last: DeliveryID?
        var acknowledged: [DeliveryID] = []
        var beginning: DeliveryID??
        do throws(ProtocolError) {
            for message in batch {
                switch try deliveries[generation]?.received(message.bytes) {
                case .peerHas(let id): beginning = .some(id)
                case .acknowledged(let ids): acknowledged += ids
                case .message(let delivered):
                    last = delivered.id
                    incoming.append(
                        .incoming(
                            from: peerID, body: delivered.body, sent: Date(milliseconds: delivered.written),
                            received: message.receivedAt, session: session.record?.id,
                            id: MessageID(delivered.id.bytes), kind: MessageKind(rawValue: delivered.kind)))
                case nil: break
                }
            }
        } catch {
            throw KamuneError(error)
        }
        if let beginning {
            if let id = beginning.flatMap({ MessageID($0.bytes) }) { try await peerHas(id, in: session) }
            readyGeneration = generation
        }
        try await delivered(acknowledged.compactMap { MessageID($0.bytes) }, in: session)
        if let last {
            try await keep(incoming, in: session) { $0.owedAcknowledgements[generation] = last }
        }
        pulse.beat()
    }

    /// Stores messages, and tells of those that are new.
    ///
    /// - Parameter stored: Is called when they are on the disk.
    private func keep(
        _ messages: [NewMessage], in session: Session, stored: (isolated Conversation) -> Void = { _ in }
    ) async throws(KamuneError) {
        let results: [StoredResult]
        do throws(StoreError) {
            results = try await store.append(contentsOf: messages)
        } catch {
            throw storeFailed(error, session)
        }
        stored(self)
        pulse.beat()
        for result in results where result.isNew { await emit(.message(result.message)) }
    }

    // MARK: What the peer has

    /// The peer has this message of ours, and so all that were written before it.
    private func peerHas(_ id: MessageID, in session: Session) async throws(KamuneError) {
        do throws(StoreError) {
            guard let last = try await store.message(id, with: peerID, .outgoing) else { return }
            while true {
                let page = try await store.pendingMessages(to: peerID, limit: Self.peerHasSize)
                let known = page.prefix { $0.position <= last.position }
                try await markDelivered(known.map(\.id))
                if known.count < Self.peerHasSize { return }
            }
        } catch {
            throw storeFailed(error, session)
        }
    }

    private func delivered(_ ids: [MessageID], in session: Session) async throws(KamuneError) {
        if ids.isEmpty { return }
        do throws(StoreError) {
            try await markDelivered(ids)
        } catch {
            throw storeFailed(error, session)
        }
    }

    private func markDelivered(_ ids: [MessageID]) async throws(StoreError) {
        if ids.isEmpty { return }
        let changed = try await store.setState(.delivered, of: ids, to: peerID, at: Date())
        outstanding.subtract(ids)
        pulse.beat()
        for id in changed { await emit(.stateChanged(id, .delivered)) }
    }

    /// The name of the last message that is stored of the peer; nil when there is none among the latest.
    func lastStored() async throws(StoreError) -> DeliveryID? {
        var position: MessagePosition?
        var count = 0
        while count < Self.lookback {
            let page = try await store.messages(with: peerID, before: position, limit: count == 0 ? 8 : Self.batchSize)
            if let last = page.last(where: { $0.direction == .incoming }) { return DeliveryID(last.id.bytes) }
            guard let first = page.first else { return nil }
            position = first.position
            count += page.count
        }
        return nil
    }

    /// The store does not work, so nothing can be taken or sent.
    func storeFailed(_ error: StoreError, _ session: Session) -> KamuneError {
        if error == .cancelled { return .cancellation }
        let error = KamuneError(error)
        fail(error, session)
        return error
    }
}

extension Date {
    init(milliseconds: Int64) {
        self.init(timeIntervalSince1970: Double(milliseconds) / 1_000)
    }

    /// Since 1970.
    var milliseconds: Int64 {
        Int64(exactly: (timeIntervalSince1970 * 1_000).rounded()) ?? 0
    }
}
