import KamuneProtocol
import KamuneTestSupport

/// The network between the two hosts.
extension ConversationSimulation {
    // MARK: Connecting

    /// A host without a conversation connects, if it is one that does.
    func begin(_ index: Int) {
        let host = hosts[index]
        guard host.isUp, host.machine == nil, isKamune(index) || plan.bothDial,
            index == 0 || plan.bothDial || isCalm
        else { return }
        attempts += 1
        queue.add(.dialed(host: index, life: host.life, attempt: nil), at: now + 3 * plan.latency + below(50_000))
    }

    /// The machine of a host connects again, or its application once more.
    func dial(_ host: SimulatedHost) {
        attempts += 1
        host.dialing = attempts
        queue.add(
            .dialed(host: host.index, life: host.life, attempt: attempts),
            at: now + 3 * plan.latency + 1_000 + below(50_000))
    }

    /// Somebody dials though there may be a conversation.
    func dialAgain(_ index: Int) {
        note("host \(index): dials once more")
        queue.add(.dialed(host: index, life: hosts[index].life, attempt: nil), at: now + 3 * plan.latency)
    }

    func dialed(_ index: Int, _ life: Int, _ attempt: Int?) throws {
        let host = hosts[index]
        let other = hosts[1 - index]
        guard host.isUp, host.life == life else { return }
        let isWanted = attempt == nil || host.dialing == attempt
        let fails = !other.isUp || !isCalm && chance(perMille: plan.dialFailures * 8)
        if fails {
            if attempt == nil {
                if host.machine == nil { queue.add(.begin(host: index), at: now + 500_000 + below(8_000_000)) }
            } else if isWanted {
                host.dialing = nil
                note("host \(index): dialing fails")
                try tell(index, .dialFailed(.mayPass))
            }
            return
        }
        // Called off at the last moment, it may still arrive at the other side.
        guard isWanted || chance(perMille: 500) else { return }
        let session = SimulatedSession(number: sessions.count, initiator: index, acknowledges: plan.peer.acknowledges)
        sessions.append(session)
        note("host \(index): session \(session.number)")
        queue.add(.joins(session, side: 1 - index, life: nil), at: now + below(2 * plan.latency + 1_000))
        if isWanted {
            queue.add(.joins(session, side: index, life: life), at: now + below(2 * plan.latency + 1_000))
        } else {
            cut(session)
        }
    }

    /// - Parameter life: Which run of the program has dialed; nil at the responder.
    func join(_ session: SimulatedSession, _ side: Int, _ life: Int?) throws {
        let host = hosts[side]
        guard host.isUp, life == nil || life == host.life else {
            cut(session)
            return
        }
        if life != nil { host.dialing = nil }
        guard isKamune(side) else {
            session.ends[side].holder = host.run
            try acceptEarly(session, side)
            return
        }
        if let isOpen = host.machine?.isOpen, !isOpen {
            // It is being closed; then a new one begins.
            host.waiting.append(session)
            return
        }
        if host.machine == nil {
            host.forgetConversation()
            host.machine = ConversationMachine(
                plan.configuration, random: SeededRandom(random.next()), at: moment)
        }
        let link = host.newLink(session)
        let succeeds = host.expectsSuccessor
        host.expectsSuccessor = false
        session.ends[side].holder = host.run
        session.ends[side].link = link
        try tell(
            side,
            .joined(
                link,
                ConversationMachine.Joining(
                    isInitiator: session.initiator == side, isOwnKeyFirst: side == 0,
                    acknowledges: session.acknowledges, tellsRoutes: session.acknowledges && tellsRoutes,
                    canRedial: session.initiator == side, succeeds: succeeds)))
        try acceptEarly(session, side)
    }

    private func acceptEarly(_ session: SimulatedSession, _ side: Int) throws {
        let early = session.ends[side].early
        session.ends[side].early = []
        for frame in early { try accept(frame, session, side) }
    }

    // MARK: Frames

    func send(_ frame: SimulatedSession.Frame, _ session: SimulatedSession, from side: Int) {
        let arrival = max(
            session.ends[1 - side].lastArrival, now + plan.latency / 2 + below(plan.latency / 2 + 200))
        session.ends[1 - side].lastArrival = arrival
        session.ends[1 - side].underWay += 1
        queue.add(.arrives(session, side: 1 - side, frame), at: arrival)
    }

    /// Sends what is to be sent over a session, one after the other.
    func runLane(_ session: SimulatedSession, _ side: Int) throws {
        guard !session.ends[side].isSending, !session.ends[side].lane.isEmpty else { return }
        let run = session.ends[side].holder ?? -1
        session.ends[side].isSending = true
        guard case .payloads(let payloads) = session.ends[side].lane[0] else {
            if session.ends[side].end == nil { send(.ping, session, from: side) }
            queue.add(.took(session, side: side, run: run, count: 0), at: now)
            return
        }
        var count = 0
        if session.ends[side].end == nil {
            // Sometimes the session breaks in the middle of a batch.
            let isBroken = !isCalm && chance(perMille: plan.cuts / 50)
            count = isBroken ? Int(below(Int64(payloads.count))) : payloads.count
            for payload in payloads.prefix(count) {
                let body = session.acknowledges ? Self.body(of: payload) : payload
                if let body { try ledger.sent(body, to: 1 - side) }
                send(.payload(payload), session, from: side)
            }
            if isBroken {
                cut(session)
                try end(session, side, .lost(mayPass: true))
            }
        }
        // Whoever sends much waits for the other side to take it.
        let wait = below(500) + (session.ends[1 - side].underWay > 64 ? plan.latency : 0)
        queue.add(.took(session, side: side, run: run, count: count), at: now + wait)
    }

    private static func body(of payload: [UInt8]) -> [UInt8]? {
        guard case .message(let message)? = try? DeliveryFrame(payload) else { return nil }
        return message.body
    }

    func took(_ session: SimulatedSession, _ side: Int, _ run: Int, _ count: Int) throws {
        guard session.ends[side].holder == run, hosts[side].run == run, !session.ends[side].lane.isEmpty else { return }
        session.ends[side].isSending = false
        let command = session.ends[side].lane.removeFirst()
        try runLane(session, side)
        if case .payloads = command, let link = session.ends[side].link { try tell(side, .sent(link, count: count)) }
    }

    func arrive(_ frame: SimulatedSession.Frame, _ session: SimulatedSession, _ side: Int) throws {
        session.ends[side].underWay -= 1
        if let cut = session.cut, cut <= now { return }
        if session.ends[side].holder == nil {
            // Whoever has not come to the session yet has read nothing of it.
            session.ends[side].early.append(frame)
            return
        }
        try accept(frame, session, side)
    }

    private func accept(_ frame: SimulatedSession.Frame, _ session: SimulatedSession, _ side: Int) throws {
        guard session.ends[side].end == nil, hosts[side].isUp else { return }
        switch frame {
        case .payload(let payload):
            guard isKamune(side) else { return takePlainly(payload, side) }
            session.ends[side].inbox.append(
                ConversationMachine.Arrival(payload: payload, sent: milliseconds, received: milliseconds))
            if session.ends[side].isReading { queue.add(.delivers(session, side: side), at: now + below(500)) }
        case .ping:
            if isKamune(side) || plan.peer == .plain { send(.pong, session, from: side) }
        case .pong:
            if let link = session.ends[side].link, session.ends[side].holder == hosts[side].run {
                hosts[side].hasHeardAnswer = true
                try tell(side, .ponged(link))
            }
        case .goodbye:
            try end(session, side, .closedByPeer)
        }
    }

    /// Answers that a session is read.
    func deliver(_ session: SimulatedSession, _ side: Int) throws {
        guard session.ends[side].isReading, session.ends[side].holder == hosts[side].run,
            let link = session.ends[side].link
        else { return }
        let batch = Array(session.ends[side].inbox.prefix(1 + Int(below(Int64(Self.largestBatch)))))
        if !batch.isEmpty {
            session.ends[side].isReading = false
            session.ends[side].inbox.removeFirst(batch.count)
            if !session.acknowledges, side == 0, hosts[0].machine?.holds(link) == true {
                ledger.handed(batch.map(\.payload))
            }
            try tell(side, .received(link, batch))
        } else if let end = session.ends[side].end {
            session.ends[side].isReading = false
            try tell(side, .left(link, end))
        }
    }

    // MARK: Ending

    /// A host learns that its session is over.
    func end(_ session: SimulatedSession, _ side: Int, _ end: ConversationMachine.LinkEnd) throws {
        guard session.ends[side].end == nil else { return }
        session.ends[side].end = end
        note("host \(side): session \(session.number) ends: \(end)")
        if session.ends[side].isReading { queue.add(.delivers(session, side: side), at: now + below(500)) }
    }

    /// The connection is gone. Both sides learn of it, sooner or later.
    func cut(_ session: SimulatedSession) {
        guard session.cut == nil else { return }
        session.cut = now
        note("session \(session.number) is cut")
        for side in 0...1 {
            let wait = chance(perMille: 700) ? plan.latency + below(100_000) : below(35_000_000)
            queue.add(.learns(session, side: side), at: now + wait)
        }
    }

    /// A host gives a session up.
    func abandon(_ session: SimulatedSession, _ side: Int) {
        guard session.ends[side].end == nil else { return }
        session.ends[side].end = .lost(mayPass: true)
        if session.ends[side].isReading { queue.add(.delivers(session, side: side), at: now + below(500)) }
        if chance(perMille: 500) {
            cut(session)
        } else {
            let last = max(session.ends[1 - side].lastArrival, now + plan.latency)
            queue.add(.learns(session, side: 1 - side), at: last + 1)
        }
    }
}

extension SimulationPlan.Peer {
    /// Whether it announces `delivery/1`.
    var acknowledges: Bool { self == .kamune || self == .liar }
}
