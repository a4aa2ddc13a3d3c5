import Foundation
import KamuneProtocol
import KamuneStore

/// What came of an operation: for the machine, and the messages themselves, for the application.
struct StoreResult: Sendable {
    var outcome: ConversationMachine.StoreOutcome
    /// Those that were written, or came in and are new.
    var messages: [StoredMessage] = []
}

extension Store {
    /// Does what a conversation's machine asks for, in one transaction.
    ///
    /// - Parameters:
    ///   - current: the session in which messages are written.
    ///   - sessions: in which messages come in.
    func perform(
        _ operations: [ConversationMachine.StoreOperation], with peer: PeerID, in current: SessionID?,
        sessions: [LinkID: SessionID], at now: Date
    ) async throws(StoreError) -> [StoreResult] {
        try await write { transaction in
            try operations.map {
                try transaction.perform($0, with: peer, in: current, sessions: sessions, at: now)
            }
        }
    }
}

extension WriteTransaction {
    fileprivate func perform(
        _ operation: ConversationMachine.StoreOperation, with peer: PeerID, in current: SessionID?,
        sessions: [LinkID: SessionID], at now: Date
    ) throws -> StoreResult {
        switch operation {
        case .append(let write, let messages, let handover):
            // What came into the stream in another way goes first, so all of it is to be read from the store then.
            let isNext = try handover == nil || !hasPendingNotHandedOver(to: peer)
            let pending = try appendToStream(
                messages.map { message in
                    .outgoing(
                        to: peer, body: message.body, at: Date(plausible: message.written), session: current,
                        id: MessageID(message.id), kind: MessageKind(rawValue: message.kind))
                }, to: peer, handingOver: isNext ? handover.map { Handover($0) } : nil)
            let outgoing =
                isNext ? zip(pending, messages).map { OutgoingMessage(place: $0.place, message: $1) } : []
            return StoreResult(outcome: .appended(write, outgoing, for: handover), messages: pending.map(\.message))
        case .begin(let link):
            let lost = try giveUpEarlierPlainMessages(to: peer, at: now)
            let last = try lastIncoming(from: peer)
            return StoreResult(outcome: .began(link, lost: lost.names, last: last.map { DeliveryID($0) }))
        case .settle(let link, let id):
            let ids = try settle(peerHas: MessageID(id), to: peer, at: now)
            return StoreResult(outcome: .settled(link, ids.names, .delivered))
        case .acknowledge(let link, let acknowledged):
            let ids = try settle(through: acknowledged.through, to: peer, as: .delivered, at: now)
            return StoreResult(outcome: .settled(link, ids.names, .delivered))
        case .confirm(let link, let place):
            let ids = try settle(through: place, to: peer, as: .sent, at: now)
            return StoreResult(outcome: .settled(link, ids.names, .sent))
        case .giveUp(let link, let place):
            let ids = try giveUpPlainMessages(through: place, to: peer, at: now)
            return StoreResult(outcome: .settled(link, ids.names, .maybeLost))
        case .fetch(let handover, let place, let limit, let bytes):
            let page = try handOver(
                to: peer, Handover(handover), after: place, limit: limit, bytes: bytes, at: now)
            return StoreResult(
                outcome: .fetched(
                    handover.link, page.messages.map { OutgoingMessage($0) }, lost: page.lost.names,
                    isEnd: page.isEnd))
        case .keep(let link, let messages):
            let new = try keep(
                messages.map { message in
                    .incoming(
                        from: peer, body: message.body, sent: Date(plausible: message.written),
                        received: Date(plausible: message.received), session: sessions[link],
                        id: message.id.map { MessageID($0) }, kind: MessageKind(rawValue: message.kind))
                }, from: peer)
            let bytes = new.reduce(0) { $0 + $1.body.count }
            return StoreResult(outcome: .kept(link, new: new.count, bytes: bytes), messages: new)
        case .keepRoutes(let link, let routes):
            _ = try setToldRoutes(routes.texts, of: peer, at: now)
            return StoreResult(outcome: .keptRoutes(link))
        }
    }
}

extension Handover {
    fileprivate init(_ handover: ConversationMachine.Handover) {
        self = handover.isPlain ? .plain : .acknowledged
    }
}

extension OutgoingMessage {
    fileprivate init(_ pending: PendingMessage) {
        let message = pending.message
        self.init(
            place: pending.place,
            message: DeliveryMessage(
                id: DeliveryID(message.id), kind: message.kind.rawValue, written: message.sent.milliseconds,
                body: message.body))
    }
}

extension DeliveryID {
    init(_ id: MessageID) { self.init(high: id.stream, low: id.number) }
}

extension MessageID {
    init(_ id: DeliveryID) { self.init(stream: id.high, number: id.low) }
}

extension [MessageID] {
    fileprivate var names: [DeliveryID] { map { DeliveryID($0) } }
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
