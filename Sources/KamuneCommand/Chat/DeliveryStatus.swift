import KamuneNode

/// How far the messages that a person wrote have come, in few words.
struct DeliveryStatus: Sendable {
    /// Those that may come further.
    private var unsettled: [MessageName: MessageInfo.State] = [:]
    /// Those of which it was told that they are settled before it was told that they were written.
    private var early: Set<MessageName> = []
    private var latest: (id: MessageName, state: MessageInfo.State)?

    /// How many are kept that came early. They come when a peer is quicker than the terminal.
    private static let maximumEarly = 1_024

    /// A message was stored, to be sent.
    mutating func wrote(_ id: MessageName) {
        guard early.remove(id) == nil else {
            latest = (id, .delivered)
            return
        }
        unsettled[id] = .waiting
        latest = (id, .waiting)
    }

    /// A message has come further.
    mutating func changed(_ id: MessageName, to state: MessageInfo.State) {
        if latest?.id == id { latest?.state = state }
        if state.isPending {
            if unsettled[id] != nil { unsettled[id] = state }
        } else if unsettled.removeValue(forKey: id) == nil, early.count < Self.maximumEarly {
            early.insert(id)
        }
    }

    /// How many wait for the other side to be there.
    var waitingCount: Int { unsettled.values.count { $0 == .waiting } }

    /// What to show beside the line that is being typed.
    var note: String {
        let waiting = waitingCount
        if waiting > 0 { return "\(waiting) waiting" }
        if !unsettled.isEmpty { return "sent" }
        return switch latest?.state {
        case nil, .received?: ""
        case .waiting?: "waiting"
        case .inFlight?, .sent?: "sent"
        case .delivered?: "delivered"
        case .maybeLost?: "may be lost"
        }
    }
}
