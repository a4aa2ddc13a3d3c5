import KamuneCrypto

/// What a conversation knows apart from its sessions, and what is to be done next.
struct ConversationBooks: Sendable {
    let configuration: ConversationConfiguration
    var random: any RandomSource
    /// Whether the peer can be dialed.
    var canRedial = false
    /// Whether the peer has ever answered a ping. Then one that is not answered means that the connection is lost.
    var peerAnswersPings = false
    /// Messages of ours that did not come as far as they can yet.
    var outstanding = Outstanding()
    /// Messages that the application was told of and has not taken.
    var untaken = Load()
    /// What is stored and not acknowledged yet, where that waits for the application.
    var unacknowledged = Unacknowledged()
    var actions: [ConversationMachine.Action] = []

    var limits: ConversationLimits { configuration.limits }

    init(_ configuration: ConversationConfiguration, random: any RandomSource) {
        self.configuration = configuration
        self.random = random
    }

    mutating func perform(_ action: ConversationMachine.Action) { actions.append(action) }

    /// Whether a session may be read whose messages of so much are not stored yet.
    func hasRoom(beside unstored: Load, isClosing: Bool) -> Bool {
        let factor = isClosing ? limits.closingFactor : 1
        return untaken.count + unstored.count < factor * limits.waitingMessages
            && untaken.bytes + unstored.bytes < factor * limits.waitingBytes
    }

    /// Tells the application how far messages have come, and strikes those that come no further.
    mutating func tell(_ ids: [DeliveryID], _ progress: ConversationMachine.Progress) {
        if progress != .inFlight { outstanding.remove(ids) }
        if !ids.isEmpty { perform(.notify(.changed(ids, progress))) }
    }
}

/// So many messages of so many bytes.
struct Load: Equatable, Sendable {
    var count = 0
    var bytes = 0

    mutating func add(body size: Int) {
        count += 1
        bytes += size + ConversationLimits.messageOverhead
    }

    /// - Parameter size: That of all bodies.
    mutating func remove(_ number: Int, bodies size: Int) {
        count = max(0, count - number)
        bytes = max(0, bytes - size - number * ConversationLimits.messageOverhead)
    }

    static func += (left: inout Load, right: Load) {
        left.count += right.count
        left.bytes += right.bytes
    }

    static func -= (left: inout Load, right: Load) {
        left.count = max(0, left.count - right.count)
        left.bytes = max(0, left.bytes - right.bytes)
    }
}

/// Messages of ours that were written in this conversation and did not come as far as they can yet.
struct Outstanding: Sendable {
    private var sizes: [DeliveryID: Int] = [:]
    private(set) var bytes = 0

    var count: Int { sizes.count }

    mutating func insert(_ messages: [DeliveryMessage]) {
        for message in messages where sizes.updateValue(message.body.count, forKey: message.id) == nil {
            bytes += message.body.count
        }
    }

    mutating func remove(_ ids: [DeliveryID]) {
        for id in ids { bytes -= sizes.removeValue(forKey: id) ?? 0 }
    }

    /// Nothing is left to be sent: what did not come through was deleted meanwhile.
    mutating func removeAll() {
        sizes.removeAll(keepingCapacity: true)
        bytes = 0
    }
}
