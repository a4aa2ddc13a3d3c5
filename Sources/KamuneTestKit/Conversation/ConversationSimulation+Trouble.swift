import KamuneCrypto
import KamuneProtocol
import KamuneTestSupport

/// What befalls the hosts and what lies between them.
extension ConversationSimulation {
    /// Once a second.
    func makeTrouble() async throws {
        var rest = plan.cuts
        while rest > 0 {
            let isDue = chance(perMille: min(rest, 1_000))
            rest -= min(rest, 1_000)
            if isDue, let session = randomSession() { cut(session) }
        }
        for host in hosts where host.isUp {
            if chance(perMille: plan.crashes / 4) { try await crash(host) }
        }
        for host in hosts where host.isUp && host.machine != nil && (host.index == 0 || plan.bothDial) {
            guard chance(perMille: plan.dials) else { continue }
            dialAgain(host.index)
            // At the same moment as the other one.
            if plan.bothDial, chance(perMille: 500), hosts[1 - host.index].machine != nil { dialAgain(1 - host.index) }
        }
        for host in hosts where host.isUp {
            guard let link = host.machine?.link, chance(perMille: plan.dials / 2) else { continue }
            // It seems to be lost, or is heard of again.
            try tell(host.index, .doubted(link, chance(perMille: 700)))
        }
        for host in hosts where host.isUp && host.machine != nil && laterChance(perMille: plan.dials / 4) {
            try tell(host.index, .hurry)
        }
        for host in hosts where host.isUp && host.machine != nil {
            guard chance(perMille: plan.closings) else { continue }
            host.isClosing = true
            try tell(host.index, .closeRequested)
        }
        if plan.hasBackups {
            for host in hosts where isKamune(host.index) && chance(perMille: plan.backups) {
                let name = backups[host.index].count
                note("host \(host.index): backup \(name)")
                try await host.store.backUp(to: name)
                backups[host.index].append(name)
            }
        }
    }

    private func randomSession() -> SimulatedSession? {
        let live = sessions.suffix(8).filter { $0.cut == nil }
        return live.isEmpty ? nil : live[Int(below(Int64(live.count)))]
    }

    // MARK: Crashes

    func crash(_ host: SimulatedHost) async throws {
        note("host \(host.index) crashes")
        if host.operationsUnderWay > 0, chance(perMille: 500) {
            // It was durable a moment before, and nobody was told.
            let batch = host.operations.prefix(host.operationsUnderWay).map(\.operation)
            _ = try await commit(batch, host)
        }
        host.operations = []
        host.operationsUnderWay = 0
        if host.index == 0 { ledger.forgive() }
        host.isUp = false
        host.waiting = []
        for session in sessions.suffix(32) where session.ends[host.index].end == nil {
            session.ends[host.index].end = .lost(mayPass: true)
            cut(session)
        }
        host.forgetConversation()
        host.life += 1
        queue.add(.starts(host: host.index), at: now + 100_000 + below(15_000_000))
    }

    func start(_ index: Int) async throws {
        let host = hosts[index]
        guard !host.isUp else { return }
        if isKamune(index) {
            if !plan.isDurable[index] {
                note("host \(index): an empty store")
                try await host.store.restore(from: nil)
                ledger.replaced([[], []], at: index)
            }
            if plan.hasBackups, !isCalm { try await meddle(host) }
            try await host.store.reopen()
        }
        note("host \(index) starts")
        host.isUp = true
        queue.add(.begin(host: index), at: now + below(2_000_000))
    }

    // MARK: What people do to stores

    private func contents(_ host: SimulatedHost) async throws -> [[SimulatedMessage]] {
        [try await host.store.contents(record: 0), try await host.store.contents(record: 1)]
    }

    private func meddle(_ host: SimulatedHost) async throws {
        let index = host.index
        for _ in 0..<below(plan.meddling + 1) {
            switch random.next() % 6 {
            case 0:
                guard let name = randomBackup(index) else { continue }
                note("host \(index): restores backup \(name)")
                try await host.store.restore(from: name)
                ledger.replaced(try await contents(host), at: index)
            case 1, 2:
                guard let name = randomBackup(index) else { continue }
                note("host \(index): merges backup \(name)")
                let old = try await contents(host)
                try await host.store.merge(from: name)
                ledger.merged(from: old, to: try await contents(host), at: index)
            case 3, 4:
                let messages = try await host.store.contents(record: host.record)
                guard !messages.isEmpty else { continue }
                // Of ours that wait, and sometimes others.
                let waiting = messages.filter { $0.state == .waiting }
                let candidates = waiting.isEmpty || chance(perMille: 200) ? messages : waiting
                let body = candidates[Int(below(Int64(candidates.count)))].body
                note("host \(index): deletes \(MessageKey(body).map { "\($0)" } ?? "something")")
                try await host.store.delete(body, record: host.record)
                ledger.deleted(body, at: index)
            default:
                if host.record == 0, chance(perMille: 500) {
                    note("host \(index): the other has another key")
                    host.record = 1
                } else {
                    try await join(records: host)
                }
            }
        }
    }

    /// The peer's two keys turn out to be one person's.
    func join(records host: SimulatedHost) async throws {
        guard isKamune(host.index) else { return }
        let other = try await host.store.contents(record: 1)
        if other.isEmpty, host.record == 0 { return }
        note("host \(host.index): both records are one")
        try await host.store.joinRecords()
        ledger.joined(other, at: host.index)
        host.record = 0
    }

    private func randomBackup(_ host: Int) -> Int? {
        backups[host].isEmpty ? nil : backups[host][Int(below(Int64(backups[host].count)))]
    }

    // MARK: Other programs

    /// A program of version 0.7, or a liar, takes what it was sent.
    func takePlainly(_ payload: [UInt8], _ side: Int) {
        if plan.peer == .liar {
            if case .message(let message)? = try? DeliveryFrame(payload) { overheard.append(message.id) }
        } else {
            ledger.read(payload, at: side)
        }
    }

    /// A program of version 0.7 writes, if it is connected.
    func writePlainly(_ side: Int) {
        let host = hosts[side]
        guard plan.peer != .liar,
            let session = sessions.last(where: { $0.ends[side].holder == host.run && $0.ends[side].end == nil })
        else { return }
        let key = MessageKey(author: side, number: host.written)
        host.written += 1
        send(.payload(key.body(size: Int(below(Int64(plan.largestBody))))), session, from: side)
    }

    /// A liar says anything.
    func lie() throws {
        if !isCalm { queue.add(.lies, at: now + 1_000 + below(2_000_000)) }
        guard let session = sessions.last(where: { $0.ends[1].holder == hosts[1].run && $0.ends[1].end == nil }) else {
            return
        }
        func name() -> DeliveryID {
            if let known = overheard.randomElement(using: &random), chance(perMille: 900) {
                // Sometimes of a message that was not sent yet.
                return DeliveryID(high: known.high, low: known.low &+ (chance(perMille: 300) ? random.next() % 8 : 0))
            }
            return DeliveryID(high: random.next(), low: random.next() % 8)
        }
        var frames: [[UInt8]] = []
        if chance(perMille: 700) { frames.append(DeliveryFrame.stored(chance(perMille: 300) ? nil : name()).encoded) }
        switch random.next() % 8 {
        case 0: frames.append(random.bytes(Int(below(60))))
        case 1: frames += (0..<below(3)).map { _ in DeliveryFrame.acknowledgement(name()).encoded }
        case 2:
            // More than may be on their way.
            for number in 0..<UInt64(below(1_500)) {
                frames.append(message(DeliveryID(high: 3, low: number), size: 10))
            }
        default:
            for _ in 0..<below(20) { frames.append(message(name(), size: Int(below(1_000)))) }
        }
        for frame in frames { send(.payload(frame), session, from: 1) }
    }

    private func message(_ id: DeliveryID, size: Int) -> [UInt8] {
        DeliveryFrame.message(
            DeliveryMessage(
                id: id, kind: UInt8(truncatingIfNeeded: random.next()), written: Int64(bitPattern: random.next()),
                body: [255] + random.bytes(size))
        ).encoded
    }
}
