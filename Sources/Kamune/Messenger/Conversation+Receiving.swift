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
                    from: peerID, body: message.bytes,
                    sent: message.sentAt.map { Date(plausible: $0.milliseconds) } ?? message.receivedAt,
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
                            from: peerID, body: delivered.body, sent: Date(plausible: delivered.written),
                            received: message.receivedAt, session: session.record?.id,
                            id: MessageID(delivered.id.bytes), kind: MessageKind(rawValue: delivered.kind)))
                case nil: break
                }
            }
        } catch {
            // The peer itself said so, and would say so again.
            let error = KamuneError(error)
            fail(error, session)
            throw error
        }
        if let beginning {
            if let id = beginning.flatMap({ MessageID($0.bytes) }) { try await peerHas(id, in: session) }
            readyGeneration = generation
        }
        // There is more room for what waits, or it may be sent at all: until the sender has looked, it is not idle.
        if beginning != nil || !acknowledged.isEmpty { pulse.beat() }
        try await delivered(acknowledged.compactMap { MessageID($0.bytes) }, in: session)
        if let last {
            let count = incoming.count
            try await keep(incoming, in: session) { $0.owe(last, count: count, generation) }
        }
        pulse.beat()
    }

    /// Notes that messages are stored, and so are to be acknowledged: a moment later, since more may come.
    private func owe(_ last: DeliveryID, count: Int, _ generation: Int) {
        var owed = owedAcknowledgements[generation] ?? OwedAcknowledgement(last: last)
        if owed.count == 0 {
            Task { [weak self] in
                try? await Task.sleep(for: OwedAcknowledgement.delay)
                await self?.acknowledgementIsDue(generation)
            }
        }
        owed.last = last
        owed.count += count
        owedAcknowledgements[generation] = owed
    }

    private func acknowledgementIsDue(_ generation: Int) {
        guard owedAcknowledgements[generation] != nil else { return }
        owedAcknowledgements[generation]?.hasWaited = true
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
            var position: MessagePosition?
            while true {
                let page = try await store.pendingMessages(to: peerID, after: position, limit: Self.peerHasSize)
                let known = page.prefix { $0.position <= last.position }
                try await markDelivered(known.filter { $0.state == .waiting }.map(\.id))
                guard known.count == Self.peerHasSize, let end = known.last else { return }
                position = end.position
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

/// An acknowledgement that is to be sent: of this message and all before it. Each one costs a signature at this end and
/// its check at the other, so that one for many is better than one for each.
struct OwedAcknowledgement {
    /// The last message that is stored.
    var last: DeliveryID
    /// How many are stored since the acknowledgement before.
    var count = 0
    /// Whether it has waited for more to come.
    var hasWaited = false

    /// How long it waits.
    static let delay: Duration = .milliseconds(10)
    /// How many messages it waits for at most, a small part of those that may be on their way.
    static let maximumCount = 128

    /// Whether it is to be sent now.
    var isDue: Bool { hasWaited || count >= Self.maximumCount }
}

extension Date {
    /// What a peer says about the time, in milliseconds since 1970, within the years 1 to 9999: calendars and formats
    /// know no others.
    init(plausible milliseconds: Int64) {
        let earliest: Int64 = -62_135_596_800_000
        let latest: Int64 = 253_402_300_799_999
        self.init(timeIntervalSince1970: Double(min(max(milliseconds, earliest), latest)) / 1_000)
    }

    /// Since 1970.
    var milliseconds: Int64 {
        let value = (timeIntervalSince1970 * 1_000).rounded()
        return value.isNaN ? 0 : Int64(exactly: value) ?? (value < 0 ? .min : .max)
    }
}
