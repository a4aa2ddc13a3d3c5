import KamuneProtocol
import KamuneTestSupport

/// What a host's program does for its machine.
extension ConversationSimulation {
    func perform(_ action: ConversationMachine.Action, _ host: SimulatedHost) throws {
        switch action {
        case .read(let link):
            guard let session = host.sessions[link] else { return }
            let side = host.index
            try expect(!session.ends[side].isReading, "a session is read twice")
            session.ends[side].isReading = true
            if !session.ends[side].inbox.isEmpty || session.ends[side].end != nil {
                queue.add(.delivers(session, side: side), at: now + below(1_000))
            }
        case .send(let link, let payloads):
            guard let session = host.sessions[link] else { return }
            session.ends[host.index].lane.append(.payloads(payloads))
            try runLane(session, host.index)
        case .ping(let link):
            guard let session = host.sessions[link] else { return }
            session.ends[host.index].lane.append(.ping)
            try runLane(session, host.index)
        case .sayGoodbye(let link):
            guard let session = host.sessions[link] else { return }
            send(.goodbye, session, from: host.index)
            try end(session, host.index, .closedByUs)
        case .abandon(let link, _):
            guard let session = host.sessions[link] else { return }
            abandon(session, host.index)
        case .dial:
            dial(host)
        case .stopDialing:
            host.dialing = nil
        case .findRoutes(let link):
            // Often others than the last time.
            let routes = ToldRoutes((0..<below(3)).map { _ in "tcp://host\(host.index).example:\(9_000 + below(3))" })
            queue.add(.findsRoutes(host: host.index, run: host.run, link, routes), at: now + below(100_000))
        case .store(let operation):
            host.operations.append((host.run, operation))
            storeSoon(host)
        case .notify(let notice):
            if case .changed(let ids, let progress) = notice {
                try ledger.settled(ids, progress, at: host.index, in: host.run, isConfirmed: host.hasHeardAnswer)
                if progress != .inFlight { host.unsettled.subtract(ids) }
            }
        case .conclude(let conclusion):
            if case .failed(.violation(let error)) = conclusion {
                try expect(plan.peer == .liar, "an honest peer breaks a rule: \(error)")
            }
            // Whoever closes does not wait for ever.
            if case .closedByUs = conclusion, host.index == 0 { ledger.forgive() }
            for (_, session) in host.sessions.sorted(by: { $0.key < $1.key })
            where session.ends[host.index].end == nil {
                abandon(session, host.index)
            }
            concluded(host)
        }
    }

    private func concluded(_ host: SimulatedHost) {
        let waiting = host.waiting
        host.waiting = []
        host.forgetConversation()
        for session in waiting { queue.add(.joins(session, side: host.index, life: nil), at: now) }
        // Whoever gave up comes back later, unless it was a liar that they had to do with.
        guard plan.peer != .liar || !isCalm else { return }
        queue.add(.begin(host: host.index), at: now + 1_000 + below(20_000_000))
    }

    // MARK: The store

    private func storeSoon(_ host: SimulatedHost) {
        guard host.operationsUnderWay == 0, !host.operations.isEmpty else { return }
        host.operationsUnderWay = host.operations.count
        queue.add(.stored(host: host.index), at: now + 10 + below(isCalm ? 2_000 : plan.storeTime))
    }

    func performOperations(_ index: Int) async throws {
        let host = hosts[index]
        let batch = Array(host.operations.prefix(host.operationsUnderWay))
        guard host.isUp, !batch.isEmpty else { return }
        host.operations.removeFirst(batch.count)
        host.operationsUnderWay = 0
        defer { storeSoon(host) }
        guard isCalm || !chance(perMille: plan.storeFailures / 8) else {
            note("host \(index): the store fails")
            if index == 0 { ledger.forgive() }
            for (run, operation) in batch where run == host.run {
                if case .append(_, let messages, let handover) = operation {
                    try tell(index, .stored(.notAppended(messages.map(\.id), for: handover)))
                } else {
                    try tell(index, .stored(.failed))
                }
            }
            return
        }
        let outcomes = try await commit(batch.map(\.operation), host)
        for ((run, _), (outcome, told)) in zip(batch, outcomes) where run == host.run {
            if !told.isEmpty {
                host.untaken += told
                scheduleTaking(host)
            }
            try tell(index, .stored(outcome))
        }
    }

    /// Has the store perform operations, and notes what is true from then on.
    func commit(
        _ operations: [ConversationMachine.StoreOperation], _ host: SimulatedHost
    ) async throws -> [(ConversationMachine.StoreOutcome, told: [[UInt8]])] {
        var (outcomes, told) = try await host.store.perform(operations, record: host.record, at: milliseconds)
        var results: [(ConversationMachine.StoreOutcome, told: [[UInt8]])] = []
        for outcome in outcomes {
            var new: [[UInt8]] = []
            switch outcome {
            case .kept(_, let count, _):
                new = Array(told.prefix(count))
                told.removeFirst(new.count)
                for body in new { try ledger.stored(body, at: host.index, host.record) }
            case .settled(_, let ids, let progress):
                try ledger.settled(ids, progress, at: host.index, in: host.run, isConfirmed: host.hasHeardAnswer)
            case .appended(_, let messages, for: .some), .fetched(_, let messages, _, _):
                ledger.yielded(messages)
            case .appended, .notAppended, .began, .keptRoutes, .failed:
                break
            }
            results.append((outcome, new))
        }
        outcomes = []
        return results
    }

    // MARK: The application

    func write(_ index: Int) async throws {
        let host = hosts[index]
        let total = UInt64(plan.messages[index])
        guard host.written < total, !isCalm || plan.peer != .liar else { return }
        let pause = isCalm ? 10_000 : plan.trouble / Int64(total + 1)
        defer {
            if hosts[index].written < total { queue.add(.writes(host: index), at: now + 1_000 + below(pause * 4)) }
        }
        if !isKamune(index) {
            writePlainly(index)
            return
        }
        // Most wait for room, some do not.
        guard let hasRoom = host.machine?.hasRoom, hasRoom || chance(perMille: 300), !host.isClosing else { return }
        let count = min(total - host.written, 1 + UInt64(below(chance(perMille: 100) ? 200 : 4)))
        let names = try await host.store.names(Int(count), record: host.record)
        var messages: [DeliveryMessage] = []
        for name in names {
            let key = MessageKey(author: index, number: host.written)
            host.written += 1
            try ledger.wrote(key, as: name, for: host.record, in: host.run)
            messages.append(
                DeliveryMessage(
                    id: name, kind: 0, written: milliseconds, body: key.body(size: Int(below(Int64(plan.largestBody)))))
            )
        }
        host.writes += 1
        let write = ConversationMachine.WriteID(host.writes)
        // Somebody else writes, beside the conversation. What is written in it and not stored yet would come after.
        guard host.operations.isEmpty, laterChance(perMille: 100) else {
            return try tell(index, .wrote(write, messages))
        }
        _ = try await commit([.append(write, messages, for: nil)], host)
        note("host \(index): stored beside the conversation: \(messages.compactMap { MessageKey($0.body) })")
        try tell(index, .storeHasMore)
    }

    func scheduleTaking(_ host: SimulatedHost, soon: Bool = false) {
        guard !host.isTaking, !host.untaken.isEmpty, isCalm || !plan.takesNothing[host.index] else { return }
        host.isTaking = true
        queue.add(
            .takes(host: host.index, run: host.run), at: now + (soon ? 0 : 1 + below(isCalm ? 10_000 : plan.takingTime))
        )
    }

    func take(_ index: Int, _ run: Int) throws {
        let host = hosts[index]
        guard host.run == run else { return }
        host.isTaking = false
        let taken = Array(host.untaken.prefix(1 + Int(below(64))))
        host.untaken.removeFirst(taken.count)
        scheduleTaking(host)
        try tell(index, .tookMessages(count: taken.count, bytes: taken.reduce(0) { $0 + $1.count }))
    }

    // MARK: For reading what happened

    func summary(_ event: ConversationMachine.Event) -> String {
        switch event {
        case .wrote(let write, let messages):
            "wrote \(write.number): \(messages.compactMap { MessageKey($0.body) })"
        case .received(let link, let arrivals):
            "received \(link.number): \(arrivals.map { summary($0.payload) })"
        case .stored(let outcome): "stored \(summary(outcome))"
        case .storeHasMore, .hurry, .tookMessages, .closeRequested, .joined, .sent, .ponged, .left, .doubted,
            .dialFailed, .foundRoutes, .routesChanged, .timeElapsed:
            "\(event)"
        }
    }

    func summary(_ action: ConversationMachine.Action) -> String {
        switch action {
        case .send(let link, let payloads): "send \(link.number): \(payloads.map { summary($0) })"
        case .store(.append(let write, let messages, let handover)):
            "append \(write.number): \(messages.compactMap { MessageKey($0.body) }) for \(handover as Any)"
        case .store(.keep(let link, let messages)):
            "keep \(link.number): \(messages.compactMap { MessageKey($0.body) })"
        default: "\(action)"
        }
    }

    private func summary(_ outcome: ConversationMachine.StoreOutcome) -> String {
        switch outcome {
        case .appended(let write, let messages, _): "appended \(write.number): \(messages.map(\.place.number))"
        case .fetched(let link, let messages, _, let isEnd):
            "fetched \(link.number): \(messages.map(\.place.number)) end \(isEnd)"
        default: "\(outcome)"
        }
    }

    private func summary(_ payload: [UInt8]) -> String {
        if let key = MessageKey(payload) { return "\(key)" }
        switch try? DeliveryFrame(payload) {
        case .message(let message): return MessageKey(message.body).map { "message \($0)" } ?? "message"
        case let frame?: return "\(frame)"
        case nil: return "\(payload.prefix(20))"
        }
    }
}
