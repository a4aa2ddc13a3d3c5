import KamuneProtocol

/// What is true in a simulation, against which everything that the hosts say is held.
struct SimulationLedger {
    /// A broken promise.
    struct Broken: Error {
        let promise: String
    }

    /// The second host's kind.
    let peer: SimulationPlan.Peer
    /// By whose names messages go.
    private var keys: [DeliveryID: MessageKey] = [:]
    /// What each host was ever sent in a session.
    private var sent: [Set<MessageKey>] = [[], []]
    /// What each host's store has ever yielded to be sent.
    private var yielded: Set<DeliveryID> = []
    /// What each host has ever stored, or read if it stores nothing.
    private var had: [Set<MessageKey>] = [[], []]
    /// What the first host's machine was handed that came once, and is not stored yet.
    private var handed: Set<MessageKey> = []
    /// What each host's application was told, for either record.
    private var told: [[Set<MessageKey>]] = [[[], []], [[], []]]
    /// The last message that it was told of, of those whose order is known, by the record that its author had for it.
    private var last: [[[Int: MessageKey]]] = [[[:], [:]], [[:], [:]]]
    /// Under which record messages were written.
    private var records: [MessageKey: Int] = [:]
    /// In which run of the author's program they were.
    private var runs: [MessageKey: Int] = [:]
    /// Messages that came into their author's stream by a backup or from another record: they come later than they were
    /// written.
    private var foreign: Set<MessageKey> = []
    /// Messages that their receiver has deleted: they may come again.
    private var deleted: Set<MessageKey> = []
    /// Whether the host's store is still the one that it was at the beginning.
    private var hasWholeStore = [true, true]

    init(_ peer: SimulationPlan.Peer) {
        self.peer = peer
    }

    private func isHonest(_ host: Int) -> Bool { host == 0 || peer != .liar }

    private func expect(_ condition: Bool, _ promise: @autoclosure () -> String) throws(Broken) {
        if !condition { throw Broken(promise: promise()) }
    }

    // MARK: What happens

    mutating func wrote(_ key: MessageKey, as id: DeliveryID, for record: Int, in run: Int) throws(Broken) {
        records[key] = record
        runs[key] = run
        try expect(keys.updateValue(key, forKey: id) == nil, "\(key) has a name that was given before")
    }

    mutating func yielded(_ messages: [OutgoingMessage]) { yielded.formUnion(messages.map(\.message.id)) }

    mutating func sent(_ body: [UInt8], to host: Int) throws(Broken) {
        guard let key = MessageKey(body) else { return }
        let isNew = sent[host].insert(key).inserted
        // What is sent plainly is sent once, but for what a restored author cannot know of.
        if host == 1, peer == .plain || peer == .mute {
            try expect(isNew || !hasWholeStore[0], "\(key) was sent plainly a second time")
        }
    }

    mutating func stored(_ body: [UInt8], at host: Int, _ record: Int) throws(Broken) {
        guard let key = MessageKey(body), isHonest(key.author) else { return }
        had[host].insert(key)
        if host == 0 { handed.remove(key) }
        let isNew = told[host][record].insert(key).inserted
        if deleted.contains(key) { return }
        try expect(isNew, "\(key) came a second time")
        // A program of version 0.7 may write over two sessions at once, which keep no order between them.
        if foreign.contains(key) || key.author == 1 && peer != .kamune { return }
        let stream = records[key] ?? 0
        if let last = last[host][record][stream] { try expect(last < key, "\(key) came after \(last)") }
        last[host][record][stream] = key
    }

    /// The first host's machine has taken what a program of version 0.7 sends once: it is to be stored.
    mutating func handed(_ bodies: [[UInt8]]) { handed.formUnion(bodies.compactMap(MessageKey.init)) }

    /// What was handed over and is not stored may be lost.
    mutating func forgive() { handed = [] }

    /// A program that stores nothing has read a message.
    mutating func read(_ body: [UInt8], at host: Int) {
        if let key = MessageKey(body) { had[host].insert(key) }
    }

    /// A host says how far messages of its own have come.
    ///
    /// - Parameters:
    ///   - run: Which run of the host's program says so.
    ///   - isConfirmed: Whether the other one is known to say what it has read.
    func settled(
        _ ids: [DeliveryID], _ progress: ConversationMachine.Progress, at host: Int, in run: Int, isConfirmed: Bool
    ) throws(Broken) {
        for id in ids {
            guard let key = keys[id] else { throw Broken(promise: "an unknown message became \(progress)") }
            switch progress {
            case .inFlight: break
            case .maybeLost:
                // A later run cannot know what became of what an earlier one was about to send.
                try expect(
                    runs[key] != run || sent[1 - host].contains(key), "\(key) is called lost and was never sent")
            case .delivered:
                try expect(yielded.contains(id), "\(key) is called delivered and was never to be sent")
                try expect(
                    !isHonest(1 - host) || had[1 - host].contains(key), "\(key) is called delivered and did not arrive")
            case .sent:
                try expect(sent[1 - host].contains(key), "\(key) is called sent and was not")
                try expect(
                    peer != .plain || !isConfirmed || had[1 - host].contains(key), "\(key) is called read and was not")
            }
        }
    }

    // MARK: What is done to stores

    /// A host's store is another one now.
    mutating func replaced(_ contents: [[SimulatedMessage]], at host: Int) {
        hasWholeStore[host] = false
        for (record, messages) in contents.enumerated() {
            told[host][record] = Set(messages.filter { $0.state == nil }.compactMap { MessageKey($0.body) })
            last[host][record] = [:]
            foreign.formUnion(messages.filter { $0.state == .waiting }.compactMap { MessageKey($0.body) })
        }
    }

    /// A host's store has taken over messages.
    mutating func merged(from old: [[SimulatedMessage]], to new: [[SimulatedMessage]], at host: Int) {
        hasWholeStore[host] = false
        for (old, new) in zip(old, new) {
            let known = Set(old.compactMap { MessageKey($0.body) })
            let pending = Set(new.filter { $0.state == .waiting }.compactMap { MessageKey($0.body) })
            foreign.formUnion(pending.subtracting(known))
        }
        for record in 0...1 {
            told[host][record].formUnion(new[record].filter { $0.state == nil }.compactMap { MessageKey($0.body) })
        }
    }

    mutating func joined(_ other: [SimulatedMessage], at host: Int) {
        foreign.formUnion(other.filter { $0.state == .waiting }.compactMap { MessageKey($0.body) })
        told[host][0].formUnion(told[host][1])
        told[host][1] = []
        last[host] = [[:], [:]]
    }

    mutating func deleted(_ body: [UInt8], at host: Int) {
        guard let key = MessageKey(body) else { return }
        hasWholeStore[host] = false
        if key.author != host { deleted.insert(key) }
    }

    // MARK: In the end

    func expectEnd(_ stores: [[SimulatedMessage]]) throws(Broken) {
        if let key = handed.min() { throw Broken(promise: "\(key) was read and never stored") }
        for (host, messages) in stores.enumerated() {
            var incoming: Set<MessageKey> = []
            for message in messages {
                guard let key = MessageKey(message.body) else { continue }
                switch message.state {
                case nil:
                    if !isHonest(key.author) { continue }
                    try expect(incoming.insert(key).inserted, "\(key) is stored twice")
                case .waiting?:
                    try expect(!isHonest(1 - host), "\(key) still waits")
                case .delivered?:
                    try expect(!isHonest(1 - host) || had[1 - host].contains(key), "\(key) is lost")
                case .sent?, .maybeLost?:
                    break
                }
            }
            if isHonest(1 - host), hasWholeStore[host], peer == .kamune {
                let delivered = stores[1 - host].filter { $0.state == .delivered }.compactMap { MessageKey($0.body) }
                for key in delivered where !deleted.contains(key) {
                    try expect(incoming.contains(key), "\(key) was delivered and is gone")
                }
            }
        }
    }
}
