import KamuneCrypto

@testable import KamuneProtocol

/// A conversation with a peer who says what it likes, over sessions that come and go, with a store that takes its time.
func fuzzConversation(_ input: [UInt8]) throws {
    var choices = Choices(input)
    var conversation = FuzzedConversation(choices.below(2) == 0)
    while !choices.isEmpty, !conversation.machine.isOver {
        try conversation.step(&choices)
    }
}

private struct FuzzedConversation {
    typealias Machine = ConversationMachine

    var machine: Machine
    private let limits: ConversationLimits
    private var now = Duration.zero
    private var links: [LinkID] = []
    private var reading: Set<LinkID> = []
    private var sending: [(link: LinkID, count: Int)] = []
    private var operations: [Machine.StoreOperation] = []
    private var untaken = 0
    private var isClosing = false
    /// What was written and is not settled, by its place.
    private var pending: [OutgoingMessage] = []
    private var lastPlace: Int64 = 0
    private var names: UInt64 = 0

    /// - Parameter isSmall: Whether the limits are reached soon.
    init(_ isSmall: Bool) {
        var limits = ConversationLimits()
        if isSmall {
            limits.waitingMessages = 4
            limits.pageMessages = 3
            limits.lowPage = 2
            limits.batchMessages = 2
            limits.drainingLinks = 2
            limits.unacknowledgedMessages = 6
            limits.acknowledgementCount = 2
        }
        self.limits = limits
        var configuration = ConversationConfiguration()
        configuration.limits = limits
        machine = Machine(configuration, random: Zeros(), at: .zero)
    }

    mutating func step(_ choices: inout Choices) throws {
        switch choices.below(10) {
        case 0:
            let joining = Machine.Joining(
                isInitiator: choices.below(2) == 0, isOwnKeyFirst: true, acknowledges: choices.below(4) != 0,
                tellsRoutes: choices.below(2) == 0, canRedial: choices.below(2) == 0)
            links.append(LinkID(UInt64(links.count)))
            try take(.joined(links[links.count - 1], joining))
        case 1, 2:
            guard let link = reading.sorted().last else { return }
            reading.remove(link)
            let arrivals = (0...choices.below(6)).map { _ in
                Machine.Arrival(payload: frame(&choices), sent: nil, received: 0)
            }
            try take(.received(link, arrivals))
        case 3:
            guard let link = reading.sorted().first else { return }
            reading.remove(link)
            let ends: [Machine.LinkEnd] = [
                .closedByUs, .closedByPeer, .lost(mayPass: true), .lost(mayPass: true), .lost(mayPass: false),
            ]
            try take(.left(link, ends[choices.below(ends.count)]))
        case 4:
            guard !sending.isEmpty else { return }
            let (link, count) = sending.removeFirst()
            try take(.sent(link, count: choices.below(5) == 0 ? count / 2 : count))
        case 5, 6:
            guard !operations.isEmpty else { return }
            try take(.stored(choices.below(32) == 0 ? failure() : perform()))
        case 7:
            let messages = (0...choices.below(4)).map { _ in
                names += 1
                return DeliveryMessage(id: DeliveryID(high: 1, low: names), kind: 0, written: 0, body: [1])
            }
            try take(.wrote(Machine.WriteID(names), messages))
        case 8:
            let count = min(untaken, 1 + choices.below(8))
            untaken -= count
            try take(.tookMessages(count: count, bytes: 0))
        default:
            switch choices.below(16) {
            case 0: try take(.closeRequested)
            case 1: try take(.dialFailed(choices.below(2) == 0 ? .mayPass : .isFinal))
            case 2: try take(.ponged(links.last ?? LinkID(0)))
            case 3: try take(.storeHasMore)
            case 4: try take(.hurry)
            case 5: try take(.routesChanged)
            case 6: try take(.foundRoutes(links.last ?? LinkID(0), routes(&choices)))
            default:
                now += .milliseconds(1 << choices.below(16))
                try take(.timeElapsed)
            }
        }
    }

    /// Mostly one that means something.
    private func frame(_ choices: inout Choices) -> [UInt8] {
        switch choices.below(8) {
        case 0: choices.bytes()
        case 1: DeliveryFrame.stored(choices.below(2) == 0 ? nil : name(&choices)).encoded
        case 2: DeliveryFrame.acknowledgement(name(&choices)).encoded
        case 3: DeliveryFrame.routes(routes(&choices)).encoded
        default:
            DeliveryFrame.message(DeliveryMessage(id: name(&choices), kind: 0, written: 0, body: [2])).encoded
        }
    }

    private func routes(_ choices: inout Choices) -> ToldRoutes {
        ToldRoutes((0..<choices.below(3)).map { _ in "tcp://\(choices.below(4)).example:1" })
    }

    private func name(_ choices: inout Choices) -> DeliveryID {
        DeliveryID(high: 1, low: UInt64(choices.below(16)))
    }

    private mutating func take(_ event: Machine.Event) throws {
        if event == .closeRequested { isClosing = true }
        let actions = machine.handle(event, at: now)
        for (index, action) in actions.enumerated() {
            switch action {
            case .read(let link):
                try expect(machine.holds(link), "a session is read that is none of the conversation's")
                try expect(reading.insert(link).inserted, "a session is read twice")
            case .send(let link, let payloads):
                try expect(!payloads.isEmpty, "nothing is sent")
                sending.append((link, payloads.count))
            case .store(let operation): operations.append(operation)
            case .conclude: try expect(index == actions.count - 1, "something comes after the end")
            case .ping, .sayGoodbye, .abandon, .dial, .stopDialing, .findRoutes, .notify: break
            }
        }
        let load = machine.load
        let factor = isClosing ? limits.closingFactor : 1
        // A batch of this target has seven messages at most.
        try expect(load.messages < factor * limits.waitingMessages + 7, "too many messages are held")
        try expect(load.outgoing <= 3 * limits.pageMessages + limits.lowPage, "too many messages wait to be sent")
    }

    private mutating func failure() -> Machine.StoreOutcome {
        if case .append(_, let messages, let handover) = operations.removeFirst() {
            return .notAppended(messages.map(\.id), for: handover)
        }
        return .failed
    }

    private mutating func perform() -> Machine.StoreOutcome {
        switch operations.removeFirst() {
        case .append(let write, let messages, let handover):
            let placed = messages.map { message in
                lastPlace += 1
                return OutgoingMessage(place: StreamPlace(lastPlace), message: message)
            }
            pending += placed
            return .appended(write, placed, for: handover)
        case .begin(let link): return .began(link, lost: [], last: nil)
        case .settle(let link, let id):
            guard let place = pending.first(where: { $0.message.id == id })?.place else {
                return .settled(link, [], .delivered)
            }
            return settle(link, through: place, .delivered)
        case .acknowledge(let link, let acknowledged): return settle(link, through: acknowledged.through, .delivered)
        case .confirm(let link, let place): return settle(link, through: place, .sent)
        case .giveUp(let link, let place):
            return place.map { settle(link, through: $0, .maybeLost) } ?? .settled(link, [], .maybeLost)
        case .fetch(let handover, let after, let limit, _):
            let rest = pending.filter { $0.place > after ?? StreamPlace(0) }
            return .fetched(handover.link, Array(rest.prefix(limit)), lost: [], isEnd: rest.count <= limit)
        case .keep(let link, let messages):
            untaken += messages.count
            return .kept(link, new: messages.count, bytes: 0)
        case .keepRoutes(let link, _):
            return .keptRoutes(link)
        }
    }

    private mutating func settle(
        _ link: LinkID, through place: StreamPlace, _ progress: Machine.Progress
    ) -> Machine.StoreOutcome {
        let settled = pending.filter { $0.place <= place }
        pending.removeFirst(settled.count)
        return .settled(link, settled.map(\.message.id), progress)
    }
}

private struct Zeros: RandomSource {
    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        for index in buffer.indices { buffer[index] = 0 }
    }
}
