import KamuneProtocol

/// A session between the two hosts of a simulation: it keeps the order, may be cut, and each end may learn of that late.
final class SimulatedSession {
    enum Frame {
        case payload([UInt8])
        case ping
        case pong
        case goodbye
    }

    /// One host's end.
    struct End {
        /// Which run of the host's program holds it; nil before it joined, or when nobody does.
        var holder: Int?
        var link: LinkID?
        /// What has arrived before it joined.
        var early: [Frame] = []
        /// What has arrived and was not read.
        var inbox: [ConversationMachine.Arrival] = []
        /// How it ended for this host.
        var end: ConversationMachine.LinkEnd?
        /// Whether this host waits for something to read.
        var isReading = false
        /// When the last frame to this end arrives: none overtakes another.
        var lastArrival: Int64 = 0
        /// How many frames are on their way to this end.
        var underWay = 0
        /// What is to be sent, in order.
        var lane: [Command] = []
        /// Whether something of that is being sent.
        var isSending = false
    }

    /// What a host's program has its end do.
    enum Command {
        case payloads([[UInt8]])
        case ping
    }

    let number: Int
    let initiator: Int
    let acknowledges: Bool
    var ends = [End(), End()]
    /// When it was cut: what arrives later is lost.
    var cut: Int64?

    init(number: Int, initiator: Int, acknowledges: Bool) {
        self.number = number
        self.initiator = initiator
        self.acknowledges = acknowledges
    }
}
