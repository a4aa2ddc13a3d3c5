import KamuneProtocol

/// One of the two computers of a simulation, with the program that drives a ``ConversationMachine`` on it. It may crash and
/// come back with what its store has.
final class SimulatedHost {
    let index: Int
    let store: any SimulatedStore
    var isUp = true
    /// Which run of the program, or conversation of it, this is: what was begun by another concerns nobody.
    var run = 0
    var machine: ConversationMachine?
    /// How often the program was started.
    var life = 0
    /// Under which record the other host is known.
    var record = 0
    /// Whether the next session that joins shows that this record's peer has another key now.
    var expectsSuccessor = false
    var sessions: [LinkID: SimulatedSession] = [:]
    private var lastLink: UInt64 = 0

    /// What the store has to do, of which the first ones are being done.
    var operations: [(run: Int, operation: ConversationMachine.StoreOperation)] = []
    var operationsUnderWay = 0
    /// The attempt to dial that is under way for the machine.
    var dialing: Int?
    /// For when the next look at the time is planned.
    var alarm: Int64?
    /// Sessions that came while the conversation was being closed.
    var waiting: [SimulatedSession] = []

    /// How many messages the application has written.
    var written: UInt64 = 0
    var writes: UInt64 = 0
    /// What was written in this conversation, of which the application was not told that it has come as far as it can.
    var unsettled: Set<DeliveryID> = []
    /// Messages that the application was told of and has not taken.
    var untaken: [[UInt8]] = []
    var isTaking = false
    /// Whether the application has asked to close this conversation.
    var isClosing = false
    /// Whether the other one has answered a ping in this conversation.
    var hasHeardAnswer = false

    init(index: Int, store: any SimulatedStore) {
        self.index = index
        self.store = store
    }

    func newLink(_ session: SimulatedSession) -> LinkID {
        lastLink += 1
        let link = LinkID(lastLink)
        sessions[link] = session
        return link
    }

    /// The program, or the conversation, is no more.
    func forgetConversation() {
        run += 1
        machine = nil
        sessions = [:]
        dialing = nil
        alarm = nil
        unsettled = []
        untaken = []
        isTaking = false
        isClosing = false
        expectsSuccessor = false
        hasHeardAnswer = false
    }
}

/// A message of a simulation: who wrote it, and which one it is. Its body begins with that.
struct MessageKey: Hashable, Comparable, CustomStringConvertible {
    let author: Int
    let number: UInt64

    private static let size = 9
    /// What the bodies of either host begin with, unlike a frame of delivery.
    private static let marks: [UInt8] = [0xaa, 0xbb]

    func body(size: Int) -> [UInt8] {
        var body = [UInt8](repeating: 0, count: max(size, Self.size))
        body[0] = Self.marks[author]
        for byte in 0..<8 { body[1 + byte] = UInt8(truncatingIfNeeded: number >> (56 - 8 * byte)) }
        return body
    }

    init(author: Int, number: UInt64) {
        self.author = author
        self.number = number
    }

    init?(_ body: [UInt8]) {
        guard body.count >= Self.size, let author = Self.marks.firstIndex(of: body[0]) else { return nil }
        self.author = author
        number = body[1..<9].reduce(0) { $0 << 8 | UInt64($1) }
    }

    static func < (left: MessageKey, right: MessageKey) -> Bool {
        (left.author, left.number) < (right.author, right.number)
    }

    var description: String { "\(author).\(number)" }
}
