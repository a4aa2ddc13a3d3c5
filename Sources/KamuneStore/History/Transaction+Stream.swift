package import Foundation
import GRDB
package import KamuneProtocol

/// A message of ours that is pending, and its place in the stream to its peer.
package struct PendingMessage: Sendable {
    /// Its place.
    package var place: StreamPlace
    /// The message.
    package var message: StoredMessage
}

/// To what kind of peer messages are handed over.
package enum Handover: Sendable {
    /// One that acknowledges what it has stored.
    case acknowledged
    /// One that does not: a message is sent to it once.
    case plain
}

// The stream of our messages to a peer (PROTOCOL 10.5): they are sent in the order of their turns, and how far they were
// handed over to a session is noted before a byte of them goes out.

extension ReadTransaction {
    func outbox(of peer: PeerID) throws -> OutboxRecord {
        try tables.outboxes.record(peer.row, in: self) ?? OutboxRecord(peer: peer.row)
    }

    /// Whether something waits that no session was handed.
    package func hasPendingNotHandedOver(to peer: PeerID) throws -> Bool {
        let place = try outbox(of: peer).handedOver
        let first = try tables.messages.all(
            "WHERE peer = ? AND turn > ?", [peer.row, place], .turn(after: place), limit: 1, in: self)
        return !first.isEmpty
    }

    /// How many of the latest messages are looked through for one of the peer's.
    private static let lookback = 1_024

    /// The last message that came in; `nil` when there is none among the latest.
    package func lastIncoming(from peer: PeerID) throws -> MessageID? {
        let latest = try tables.messages.cursor(
            "WHERE peer = ?", [peer.row], .rowDescending, limit: Self.lookback, in: self)
        while let record = try latest.next() {
            if record.direction == .incoming { return record.id }
        }
        return nil
    }
}

extension WriteTransaction {
    // MARK: Sending

    /// Appends messages of ours to the stream to their peer. Their names are new.
    ///
    /// - Parameter handover: says to what kind of session they are handed over when this is done; `nil` for none.
    package func appendToStream(
        _ messages: [NewMessage], to peer: PeerID, handingOver handover: Handover?
    ) throws -> [PendingMessage] {
        try expectPeer(peer)
        let pending = try messages.map { message in
            let record = try insert(message)
            guard let turn = record.turn else { throw StoreError.misuse(reason: "the message does not wait") }
            return PendingMessage(place: StreamPlace(turn.number), message: record.message)
        }
        if let handover, let last = pending.last?.place { try noteHandover(through: last, handover, to: peer) }
        return pending
    }

    /// The next pending messages, in the order of their turns, which are handed over when this is done.
    ///
    /// - Parameters:
    ///   - place: they come after this one.
    ///   - bytes: how many bytes their bodies may have, less the last one.
    /// - Returns: the messages; those in between that were under way to a peer that does not acknowledge when an earlier
    ///   version ended: they may be lost, and are not sent again; and whether these are all.
    package func handOver(
        to peer: PeerID, _ handover: Handover, after place: StreamPlace?, limit: Int, bytes: Int, at now: Date
    ) throws -> (messages: [PendingMessage], lost: [MessageID], isEnd: Bool) {
        let start = place?.number ?? .min
        let records = try tables.messages.cursor(
            "WHERE peer = ? AND turn > ?", [peer.row, start], .turn(after: start), in: self)
        var messages: [PendingMessage] = []
        var lost: [MessageRecord] = []
        var size = 0
        var isEnd = false
        while messages.count + lost.count < limit, size < bytes {
            guard let record = try records.next(), let turn = record.turn else {
                isEnd = true
                break
            }
            if record.state == .inFlight {
                lost.append(record)
            } else {
                messages.append(PendingMessage(place: StreamPlace(turn.number), message: record.message))
                size += record.body.count
            }
        }
        if let last = messages.last?.place { try noteHandover(through: last, handover, to: peer) }
        for record in lost { try settle(record, as: .maybeLost, at: now) }
        return (messages, lost.map(\.id), isEnd)
    }

    private func noteHandover(through place: StreamPlace, _ handover: Handover, to peer: PeerID) throws {
        try changeOutbox(of: peer) { outbox in
            outbox.handedOver = max(outbox.handedOver, place.number)
            if handover == .plain { outbox.handedOverPlainly = max(outbox.handedOverPlainly, place.number) }
        }
    }

    private func changeOutbox(of peer: PeerID, _ body: (inout OutboxRecord) -> Void) throws {
        let former = try tables.outboxes.record(peer.row, in: self)
        var outbox = former ?? OutboxRecord(peer: peer.row)
        body(&outbox)
        if outbox == former { return }
        if let former {
            try tables.outboxes.replace(former, with: outbox, in: self)
        } else {
            try tables.outboxes.insert(outbox, in: self)
        }
    }

    // MARK: Settling

    /// The peer says that it has this message of ours. It follows that it has all that are pending and were to be sent before it,
    /// since they were sent before it in whichever session it was sent; but not when its turn was given to it later, because it
    /// was restored or had been another peer's: then that one is settled alone. What was never handed over cannot have arrived.
    ///
    /// - Returns: the names of those that are delivered now and were not before.
    package func settle(peerHas id: MessageID, to peer: PeerID, at now: Date) throws -> [MessageID] {
        guard let record = try message(id, with: peer, .outgoing), let turn = record.turn,
            turn.number <= (try outbox(of: peer).handedOver)
        else { return [] }
        if turn.isNative {
            return try settle(through: StreamPlace(turn.number), to: peer, as: .delivered, at: now)
        }
        try settle(record, as: .delivered, at: now)
        return [id]
    }

    /// How many messages are held in memory while they are settled.
    private static let settlingStep = 64

    /// Settles all that are pending up to a place.
    ///
    /// - Returns: their names.
    package func settle(
        through place: StreamPlace, to peer: PeerID, as state: MessageState, at now: Date
    ) throws -> [MessageID] {
        var ids: [MessageID] = []
        var last = Int64.min
        while true {
            let records = try tables.messages.all(
                "WHERE peer = ? AND turn > ? AND turn <= ?", [peer.row, last, place.number], .turn(after: last),
                limit: Self.settlingStep, in: self)
            last = records.last?.turn?.number ?? last
            for record in records {
                try settle(record, as: state, at: now)
                ids.append(record.id)
            }
            if records.count < Self.settlingStep { return ids }
        }
    }

    private func settle(_ record: MessageRecord, as state: MessageState, at now: Date) throws {
        var settled = record
        try settled.settle(state, at: now.milliseconds) { try tables.streams.nextTurn(in: self) }
        try tables.messages.replace(record, with: settled, in: self)
    }

    /// What was handed over plainly and is still pending may be lost: of an earlier session that nobody has heard of again.
    ///
    /// - Parameter place: what was handed over beyond it has not left, and waits; `nil` when nothing has left.
    /// - Returns: the names of those that may be lost.
    package func giveUpPlainMessages(
        through place: StreamPlace?, to peer: PeerID, at now: Date
    ) throws -> [MessageID] {
        let lost = try place.map { try settle(through: $0, to: peer, as: .maybeLost, at: now) } ?? []
        try changeOutbox(of: peer) { $0.handedOverPlainly = 0 }
        return lost
    }

    /// What was under way plainly when the program ended, of which nothing will be heard any more, may be lost.
    ///
    /// - Returns: the names.
    package func giveUpEarlierPlainMessages(to peer: PeerID, at now: Date) throws -> [MessageID] {
        let place = try outbox(of: peer).handedOverPlainly
        return place > 0 ? try giveUpPlainMessages(through: StreamPlace(place), to: peer, at: now) : []
    }

    // MARK: Receiving

    /// Stores messages of a peer that came in, once each by their names.
    ///
    /// - Returns: those that are new.
    package func keep(_ messages: [NewMessage], from peer: PeerID) throws -> [StoredMessage] {
        try expectPeer(peer)
        return try messages.compactMap { message in
            if let record = try insertUnlessFound(message) { return record.message }
            guard let id = message.id, try self.message(id, with: peer, .incoming) != nil else {
                throw tables.messages.damaged
            }
            return nil
        }
    }
}
