import KamuneCrypto
package import KamuneProtocol
import KamuneTestSupport

/// What a simulation asks of the store of one of its hosts. Everything but ``perform(_:record:at:)`` is done while the
/// host's program does not run.
package protocol SimulatedStore: AnyObject {
    typealias Operation = ConversationMachine.StoreOperation
    typealias Outcome = ConversationMachine.StoreOutcome

    /// Performs operations in one transaction.
    ///
    /// - Parameters:
    ///   - record: Under which of two records the peer is known: it may have shown two keys.
    ///   - now: In milliseconds.
    /// - Returns: The outcomes, and the bodies of the messages that came in and were new.
    func perform(
        _ operations: [Operation], record: Int, at now: Int64
    ) async throws -> (outcomes: [Outcome], told: [[UInt8]])

    /// Names for messages that are about to be written.
    func names(_ count: Int, record: Int) async throws -> [DeliveryID]

    /// Everything that is stored, in the order of the history.
    func contents(record: Int) async throws -> [SimulatedMessage]

    /// Makes a backup.
    func backUp(to name: Int) async throws

    /// Becomes a store that was made of a backup, or an empty one.
    func restore(from name: Int?) async throws

    /// Takes over from a backup what is missing here.
    func merge(from name: Int) async throws

    /// Deletes a message.
    func delete(_ body: [UInt8], record: Int) async throws

    /// The two records turn out to be one peer's.
    func joinRecords() async throws

    /// The program ends and begins again: names are made anew.
    func reopen() async throws
}

/// A message in a simulated store.
package struct SimulatedMessage: Sendable {
    /// How far it has come; nil for one that came in.
    package var state: State?
    /// The content, by which the simulation knows it.
    package var body: [UInt8]

    /// How far a message of ours has come.
    package enum State: Sendable {
        case waiting, sent, delivered, maybeLost
    }

    /// A message.
    package init(state: State?, body: [UInt8]) {
        self.state = state
        self.body = body
    }
}

/// A store as PROTOCOL 10.5 describes it, in memory: small enough to be seen to be right.
package final class ModelStore: SimulatedStore {
    private struct Message {
        var id: DeliveryID
        var kind: UInt8
        var body: [UInt8]
        var written: Int64
        /// By our clock.
        var time: Int64
        /// nil for one that came in.
        var state: SimulatedMessage.State?
        /// Only while it is waiting.
        var place: Int64 = 0
        /// Whether the stream that it stands in is the one that it was written into.
        var isNative = true
    }

    private struct Record {
        /// In the order of the history.
        var messages: [Message] = []
        var handedOver: Int64 = 0
        var handedOverPlainly: Int64 = 0

        var pending: [Int] {
            messages.indices.filter { messages[$0].state == .waiting }
                .sorted { messages[$0].place < messages[$1].place }
        }
    }

    private struct State {
        var records = [Record(), Record()]
        var lastPlace: Int64 = 0

        mutating func nextPlace() -> Int64 {
            lastPlace += 1
            return lastPlace
        }
    }

    private var state = State()
    private var backups: [Int: [[Message]]] = [:]
    private var random: SeededRandom
    private var stream: UInt64 = 0
    private var number: UInt64 = 0
    private let fault: Fault?

    /// What a store that is not right does: each is found by the simulation.
    package enum Fault: String, Sendable, CaseIterable {
        /// The peer's word settles what was never handed over.
        case settlesWhatWasNotHandedOver
        /// It settles what stands before a message that came in from elsewhere.
        case settlesBeforeForeign
        /// Messages of a backup take the places that they had.
        case mergesIntoTheMiddle
        /// What was acknowledged stays pending.
        case forgetsAcknowledgements
        /// A message that came twice is stored twice.
        case storesTwice
        /// What was under way plainly when the program ended is sent again.
        case resendsPlain

        /// Whether only what is done to stores shows it.
        var isShownByBackups: Bool {
            switch self {
            case .settlesWhatWasNotHandedOver, .settlesBeforeForeign, .mergesIntoTheMiddle: true
            case .forgetsAcknowledgements, .storesTwice, .resendsPlain: false
            }
        }
    }

    /// An empty store.
    package init(seed: UInt64, fault: Fault? = nil) {
        random = SeededRandom(seed)
        self.fault = fault
        stream = random.next()
    }

    package func perform(
        _ operations: [Operation], record: Int, at now: Int64
    ) async throws -> (outcomes: [Outcome], told: [[UInt8]]) {
        var told: [[UInt8]] = []
        let outcomes = operations.map { perform($0, record, now, &told) }
        return (outcomes, told)
    }

    private func perform(_ operation: Operation, _ record: Int, _ now: Int64, _ told: inout [[UInt8]]) -> Outcome {
        switch operation {
        case .append(let write, let messages, let handover):
            var placed: [OutgoingMessage] = []
            // What came into the stream in another way goes first.
            let isNext = state.records[record].pending.allSatisfy {
                state.records[record].messages[$0].place <= state.records[record].handedOver
            }
            for message in messages {
                let place = state.nextPlace()
                state.records[record].messages.append(
                    Message(
                        id: message.id, kind: message.kind, body: message.body, written: message.written, time: now,
                        state: .waiting, place: place))
                placed.append(OutgoingMessage(place: StreamPlace(place), message: message))
            }
            if handover != nil, !isNext { placed = [] }
            if let handover, let last = placed.last { handOver(through: last.place.number, handover, record) }
            return .appended(write, placed, for: handover)
        case .begin(let link):
            let mark = fault == .resendsPlain ? 0 : state.records[record].handedOverPlainly
            state.records[record].handedOverPlainly = 0
            let lost = settle(record, as: .maybeLost) { $0.place <= mark }
            return .began(link, lost: lost, last: state.records[record].messages.last { $0.state == nil }?.id)
        case .settle(let link, let id):
            guard
                let named = state.records[record].messages.first(where: { $0.id == id && $0.state == .waiting }),
                named.place <= state.records[record].handedOver || fault == .settlesWhatWasNotHandedOver
            else { return .settled(link, [], .delivered) }
            let isNative = named.isNative || fault == .settlesBeforeForeign
            return .settled(
                link,
                settle(record, as: .delivered) { isNative ? $0.place <= named.place : $0.place == named.place },
                .delivered)
        case .acknowledge(let link, let acknowledged):
            if fault == .forgetsAcknowledgements { return .settled(link, acknowledged.ids, .delivered) }
            return .settled(
                link, settle(record, as: .delivered) { $0.place <= acknowledged.through.number }, .delivered)
        case .confirm(let link, let through):
            return .settled(link, settle(record, as: .sent) { $0.place <= through.number }, .sent)
        case .giveUp(let link, let through):
            state.records[record].handedOverPlainly = 0
            let lost = through.map { through in settle(record, as: .maybeLost) { $0.place <= through.number } }
            return .settled(link, lost ?? [], .maybeLost)
        case .fetch(let handover, let after, let limit, let bytes):
            var page: [OutgoingMessage] = []
            var size = 0
            var isEnd = true
            for index in state.records[record].pending {
                let message = state.records[record].messages[index]
                if let after, message.place <= after.number { continue }
                guard page.count < limit, size < bytes else {
                    isEnd = false
                    break
                }
                size += message.body.count
                page.append(
                    OutgoingMessage(
                        place: StreamPlace(message.place),
                        message: DeliveryMessage(
                            id: message.id, kind: message.kind, written: message.written, body: message.body)))
            }
            if let last = page.last { handOver(through: last.place.number, handover, record) }
            return .fetched(handover.link, page, lost: [], isEnd: isEnd)
        case .keep(let link, let messages):
            var count = 0
            var bytes = 0
            for message in messages {
                if let id = message.id, fault != .storesTwice,
                    state.records[record].messages.contains(where: { $0.id == id && $0.state == nil })
                {
                    continue
                }
                state.records[record].messages.append(
                    Message(
                        id: message.id ?? newName(), kind: message.kind, body: message.body,
                        written: message.written, time: now, state: nil))
                told.append(message.body)
                count += 1
                bytes += message.body.count
            }
            return .kept(link, new: count, bytes: bytes)
        case .keepRoutes(let link, _):
            return .keptRoutes(link)
        }
    }

    private func handOver(through place: Int64, _ handover: ConversationMachine.Handover, _ record: Int) {
        state.records[record].handedOver = max(state.records[record].handedOver, place)
        if handover.isPlain {
            state.records[record].handedOverPlainly = max(state.records[record].handedOverPlainly, place)
        }
    }

    private func settle(
        _ record: Int, as new: SimulatedMessage.State, where fits: (Message) -> Bool
    ) -> [DeliveryID] {
        var ids: [DeliveryID] = []
        for index in state.records[record].pending where fits(state.records[record].messages[index]) {
            state.records[record].messages[index].state = new
            ids.append(state.records[record].messages[index].id)
        }
        return ids
    }

    private func newName() -> DeliveryID {
        number += 1
        return DeliveryID(high: stream, low: number)
    }

    package func names(_ count: Int, record: Int) async throws -> [DeliveryID] {
        (0..<count).map { _ in newName() }
    }

    package func reopen() async throws {
        stream = random.next()
        number = 0
    }

    package func contents(record: Int) async throws -> [SimulatedMessage] {
        state.records[record].messages.map { SimulatedMessage(state: $0.state, body: $0.body) }
    }

    package func delete(_ body: [UInt8], record: Int) async throws {
        state.records[record].messages.removeAll { $0.body == body }
    }

    // MARK: Backups

    package func backUp(to name: Int) async throws {
        // What was under way plainly may have arrived: it is not sent again by whoever restores this.
        backups[name] = state.records.map { record in
            record.messages.map { message in
                var message = message
                if message.state == .waiting, message.place <= record.handedOverPlainly { message.state = .maybeLost }
                return message
            }
        }
    }

    package func restore(from name: Int?) async throws {
        state = State()
        if let name { try await merge(from: name) }
    }

    package func merge(from name: Int) async throws {
        for (record, messages) in (backups[name] ?? []).enumerated() {
            for message in messages {
                let isKnown = state.records[record].messages.contains {
                    $0.id == message.id && ($0.state == nil) == (message.state == nil)
                }
                if isKnown { continue }
                var message = message
                message.isNative = false
                let place = state.nextPlace()
                if fault != .mergesIntoTheMiddle { message.place = place }
                // The history is in the order of time; the stream is not.
                let index = state.records[record].messages.firstIndex { $0.time > message.time }
                state.records[record].messages.insert(
                    message, at: index ?? state.records[record].messages.endIndex)
            }
        }
    }

    package func joinRecords() async throws {
        let other = state.records[1]
        state.records[1] = Record()
        for var message in other.messages {
            let isKnown = state.records[0].messages.contains {
                $0.id == message.id && ($0.state == nil) == (message.state == nil)
            }
            if isKnown { continue }
            if message.state == .waiting {
                if message.place <= other.handedOverPlainly {
                    message.state = .maybeLost
                } else {
                    message.place = state.nextPlace()
                    message.isNative = false
                }
            }
            let index = state.records[0].messages.firstIndex { $0.time > message.time }
            state.records[0].messages.insert(message, at: index ?? state.records[0].messages.endIndex)
        }
    }
}
