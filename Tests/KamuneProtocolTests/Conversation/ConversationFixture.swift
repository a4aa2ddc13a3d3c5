import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneProtocol

/// A conversation's machine, on a clock that stands still until it is moved, with the answers that a store gives.
struct ConversationFixture {
    typealias Machine = ConversationMachine

    var machine: Machine
    var now = Duration.zero
    private var lastPlace: Int64 = 0

    init(_ adjust: (inout ConversationConfiguration) -> Void = { _ in }) {
        var configuration = ConversationConfiguration()
        configuration.reconnection.jitter = 0
        adjust(&configuration)
        machine = Machine(configuration, random: SeededRandom(1), at: .zero)
    }

    mutating func handle(_ event: Machine.Event) -> [Machine.Action] { machine.handle(event, at: now) }

    static func joining(
        isInitiator: Bool = true, isOwnKeyFirst: Bool = true, acknowledges: Bool = true, canRedial: Bool = true,
        succeeds: Bool = false
    ) -> Machine.Joining {
        Machine.Joining(
            isInitiator: isInitiator, isOwnKeyFirst: isOwnKeyFirst, acknowledges: acknowledges, canRedial: canRedial,
            succeeds: succeeds)
    }

    static func id(_ number: UInt64) -> DeliveryID { DeliveryID(high: 1, low: number) }

    static func message(_ number: UInt64, size: Int = 1) -> DeliveryMessage {
        DeliveryMessage(id: id(number), kind: 0, written: 5, body: [UInt8](repeating: 7, count: size))
    }

    static func arrival(_ payload: [UInt8]) -> Machine.Arrival {
        Machine.Arrival(payload: payload, sent: 3, received: 4)
    }

    static func incoming(_ number: UInt64) -> Machine.IncomingMessage {
        Machine.IncomingMessage(id: id(number), kind: 0, written: 5, received: 4, body: [7])
    }

    static func payload(_ number: UInt64) -> [UInt8] { DeliveryFrame.message(message(number)).encoded }

    /// A session joins, both sides have begun, and nothing waits.
    mutating func connect(_ link: LinkID = LinkID(1), acknowledges: Bool = true, canRedial: Bool = true) {
        _ = handle(.joined(link, Self.joining(acknowledges: acknowledges, canRedial: canRedial)))
        _ = handle(.stored(.began(link, lost: [], last: nil)))
        if acknowledges {
            _ = handle(.sent(link, count: 1))
            _ = handle(.received(link, [Self.arrival([0])]))
        }
        _ = handle(.stored(.fetched(link, [], lost: [], isEnd: true)))
    }

    /// The application writes messages, and the store has them.
    ///
    /// - Returns: What is done then.
    mutating func write(_ numbers: ClosedRange<UInt64>) -> [Machine.Action] {
        let messages = numbers.map { Self.message($0) }
        let write = Machine.WriteID(numbers.lowerBound)
        guard case .store(.append(write, messages, let handover))? = handle(.wrote(write, messages)).first else {
            Issue.record("nothing is to be stored")
            return []
        }
        return handle(.stored(.appended(write, place(messages), for: handover)))
    }

    mutating func place(_ messages: [DeliveryMessage]) -> [OutgoingMessage] {
        messages.map { message in
            lastPlace += 1
            return OutgoingMessage(place: StreamPlace(lastPlace), message: message)
        }
    }
}
