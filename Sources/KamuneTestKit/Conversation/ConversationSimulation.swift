import KamuneProtocol
import KamuneTestSupport

/// Two conversation machines with their stores, on two computers that crash, over a network that fails: all of it on virtual
/// time, and decided by a seed. What must hold of a conversation is checked at every step and in the end (PROTOCOL 10.5):
/// nothing that was written is lost, nothing comes twice, order is kept, what is called delivered is, no more memory is held
/// than there may be, and when the trouble is over, everything has arrived and nothing moves any more.
package final class ConversationSimulation {
    /// What has been seen not to hold.
    package struct Failure: Error, CustomStringConvertible {
        /// The seed, with which it happens again.
        package let seed: UInt64
        /// What did not hold, and what happened until then.
        package let description: String
    }

    /// What is going to happen.
    enum Happening {
        case tick
        case calm
        /// Everybody has learned of every loss: whoever waits for the other one to come dials.
        case lastDial
        /// A host without a conversation connects.
        case begin(host: Int)
        case dialed(host: Int, life: Int, attempt: Int?)
        case joins(SimulatedSession, side: Int, life: Int?)
        case arrives(SimulatedSession, side: Int, SimulatedSession.Frame)
        case delivers(SimulatedSession, side: Int)
        case took(SimulatedSession, side: Int, run: Int, count: Int)
        case learns(SimulatedSession, side: Int)
        case stored(host: Int)
        case rings(host: Int, run: Int)
        case writes(host: Int)
        case takes(host: Int, run: Int)
        case findsRoutes(host: Int, run: Int, LinkID, ToldRoutes)
        case starts(host: Int)
        case lies
    }

    let seed: UInt64
    var random: SeededRandom
    /// For what came to be simulated later, so that each seed goes on finding what it finds.
    var laterRandom: SeededRandom
    let plan: SimulationPlan
    var ledger: SimulationLedger
    var hosts: [SimulatedHost]
    var queue = TimedQueue<Happening>()
    /// In microseconds.
    var now: Int64 = 0
    var isCalm = false
    var sessions: [SimulatedSession] = []
    var attempts = 0
    var backups: [[Int]] = [[], []]
    /// What the liar has seen of names.
    var overheard: [DeliveryID] = []
    private var lines: [String]?

    /// How many steps a simulation takes at most: who does not come to rest by then never will.
    private static let stepLimit = 400_000
    /// How many of the last lines of what happened a failure shows.
    private static let lineLimit = 400

    /// A simulation.
    ///
    /// - Parameters:
    ///   - stores: Those of the two hosts, empty.
    ///   - meddlesMuch: Whether much is done to the stores, whatever the seed says: faults that only backups show are found
    ///     within few seeds then.
    ///   - isTraced: Whether a failure says what happened before it.
    package init(
        seed: UInt64, stores: [any SimulatedStore], meddlesMuch: Bool = false, isTraced: Bool = false
    ) {
        self.seed = seed
        random = SeededRandom(seed)
        laterRandom = SeededRandom(seed ^ 0x6C61_7465_72)
        var plan = SimulationPlan(&random)
        if meddlesMuch { plan.meddleMuch() }
        self.plan = plan
        ledger = SimulationLedger(plan.peer)
        hosts = stores.prefix(2).enumerated().map { SimulatedHost(index: $0, store: $1) }
        if isTraced { lines = [] }
    }

    /// Runs the simulation of a seed over stores as the specification describes them; one that fails is run again, to tell
    /// what happened.
    package static func run(seed: UInt64, fault: ModelStore.Fault? = nil) async throws(Failure) {
        func simulation(isTraced: Bool) -> ConversationSimulation {
            ConversationSimulation(
                seed: seed, stores: [ModelStore(seed: seed, fault: fault), ModelStore(seed: ~seed, fault: fault)],
                meddlesMuch: fault?.isShownByBackups ?? false, isTraced: isTraced)
        }
        do throws(Failure) {
            try await simulation(isTraced: false).run()
        } catch {
            try await simulation(isTraced: true).run()
            throw error
        }
    }

    /// Runs it to its end.
    ///
    /// - Throws: What did not hold, or what a store threw.
    package func run() async throws(Failure) {
        do {
            try await runToEnd()
        } catch {
            let reason = (error as? SimulationLedger.Broken)?.promise ?? "a store failed: \(error)"
            let trace = lines.map { "\n" + $0.suffix(Self.lineLimit).joined(separator: "\n") } ?? ""
            throw Failure(seed: seed, description: "seed \(seed), \(time): \(reason)\(trace)")
        }
    }

    private func runToEnd() async throws {
        queue.add(.tick, at: 1_000_000)
        queue.add(.calm, at: plan.trouble)
        queue.add(.begin(host: 0), at: 0)
        if plan.bothDial { queue.add(.begin(host: 1), at: below(100_000)) }
        for host in 0...1 { queue.add(.writes(host: host), at: below(1_000_000)) }
        if plan.peer == .liar { queue.add(.lies, at: 0) }
        var steps = 0
        while let next = queue.popFirst() {
            now = next.time
            steps += 1
            guard steps < Self.stepLimit else { throw SimulationLedger.Broken(promise: "it does not come to rest") }
            try await happen(next.element)
        }
        try await expectEnd()
    }

    // MARK: Helpers

    func below(_ limit: Int64) -> Int64 { limit <= 0 ? 0 : Int64(random.next() % UInt64(limit)) }

    func chance(perMille: UInt64) -> Bool { random.next() % 1_000 < perMille }

    func laterChance(perMille: UInt64) -> Bool { laterRandom.next() % 1_000 < perMille }

    var moment: Duration { .microseconds(now) }

    var milliseconds: Int64 { 1_750_000_000_000 + now / 1_000 }

    private var time: String { "\(now / 1_000_000).\(String(now % 1_000_000 + 1_000_000).dropFirst()) s" }

    func note(_ line: @autoclosure () -> String) {
        guard lines != nil else { return }
        lines?.append("\(time) \(line())")
    }

    func expect(_ condition: Bool, _ promise: @autoclosure () -> String) throws {
        if !condition { throw SimulationLedger.Broken(promise: promise()) }
    }

    /// Whether the host runs a conversation machine, and not a program of version 0.7 or worse.
    func isKamune(_ host: Int) -> Bool { host == 0 || plan.peer == .kamune }

    /// Whether peers tell where they want to be found: in a part of the seeds, so that the others have more of what is rare.
    var tellsRoutes: Bool { seed % 4 == 1 }

    // MARK: What happens

    private func happen(_ happening: Happening) async throws {
        switch happening {
        case .tick:
            if !isCalm {
                try await makeTrouble()
                queue.add(.tick, at: now + 1_000_000)
            }
        case .calm: try await calmDown()
        case .lastDial:
            if hosts[0].machine?.link == nil { dialAgain(0) }
        case .begin(let host): begin(host)
        case .dialed(let host, let life, let attempt): try dialed(host, life, attempt)
        case .joins(let session, let side, let life): try join(session, side, life)
        case .arrives(let session, let side, let frame): try arrive(frame, session, side)
        case .delivers(let session, let side): try deliver(session, side)
        case .took(let session, let side, let run, let count): try took(session, side, run, count)
        case .learns(let session, let side): try end(session, side, .lost(mayPass: true))
        case .stored(let host): try await performOperations(host)
        case .rings(let host, let run):
            guard hosts[host].run == run else { return }
            hosts[host].alarm = nil
            try tell(host, .timeElapsed)
        case .writes(let host): try await write(host)
        case .takes(let host, let run): try take(host, run)
        case .findsRoutes(let host, let run, let link, let routes):
            guard hosts[host].run == run else { return }
            try tell(host, .foundRoutes(link, routes))
            if !isCalm, chance(perMille: 300) { try tell(host, .routesChanged) }
        case .starts(let host): try await start(host)
        case .lies: try lie()
        }
    }

    /// Hands an event to a host's machine, and does what it says.
    func tell(_ index: Int, _ event: ConversationMachine.Event) throws {
        let host = hosts[index]
        switch event {
        case .wrote(_, let messages): host.unsettled.formUnion(messages.map(\.id))
        case .stored(.notAppended(let ids, _)): host.unsettled.subtract(ids)
        default: break
        }
        guard host.machine != nil, let actions = host.machine?.handle(event, at: moment) else { return }
        note("host \(index): \(summary(event))")
        let run = host.run
        for action in actions {
            note("host \(index)   → \(summary(action))")
            try perform(action, host)
            if host.run != run { return }
        }
        try check(host)
        guard let deadline = host.machine?.nextDeadline else { return }
        let time = max(deadline.microseconds, now)
        if host.alarm.map({ $0 > time }) ?? true {
            host.alarm = time
            queue.add(.rings(host: index, run: run), at: time)
        }
    }

    private func check(_ host: SimulatedHost) throws {
        guard let load = host.machine?.load, let outstanding = host.machine?.outstandingCount else { return }
        try expect(
            outstanding == host.unsettled.count,
            "\(outstanding) messages count as under way, and \(host.unsettled.count) are")
        let limits = plan.configuration.limits
        let factor = host.isClosing ? limits.closingFactor : 1
        // One batch beyond the limit, for each of what was received and what is being stored.
        try expect(
            load.messages < factor * limits.waitingMessages + Self.largestBatch, "\(load.messages) messages are held")
        try expect(
            load.outgoing <= 3 * limits.pageMessages + limits.lowPage,
            "\(load.outgoing) messages wait in memory to be sent")
    }

    /// How many messages are read from a session at once.
    static let largestBatch = 32

    // MARK: The end

    private func calmDown() async throws {
        isCalm = true
        note("calm")
        queue.add(.lastDial, at: now + 60_000_000)
        for host in hosts {
            // One that talks under the record that is given up ends its conversation.
            if host.isUp, host.record == 1 { try await crash(host) }
            try await join(records: host)
            if !host.isUp { try await start(host.index) }
            if isKamune(host.index), host.machine != nil {
                // It is a session that shows that both are one, and it takes the place of the one under the former key.
                host.expectsSuccessor = true
                dialAgain(host.index)
            }
            if isKamune(host.index), host.machine == nil {
                queue.add(.begin(host: host.index), at: now + below(3_000_000))
            }
            scheduleTaking(host, soon: true)
            queue.add(.writes(host: host.index), at: now)
        }
    }

    private func expectEnd() async throws {
        var stores: [[SimulatedMessage]] = []
        for host in hosts where isKamune(host.index) { stores.append(try await host.store.contents(record: 0)) }
        if plan.peer != .kamune { stores.append([]) }
        try ledger.expectEnd(stores)
        guard plan.peer != .liar else { return }
        for host in hosts where isKamune(host.index) {
            guard let machine = host.machine else {
                throw SimulationLedger.Broken(promise: "nobody is there in the end")
            }
            let count = machine.outstandingCount
            let isConnected = machine.link != nil
            try expect(count == 0, "\(count) messages of host \(host.index) count as under way in the end")
            try expect(isConnected, "host \(host.index) is not connected in the end")
            try expect(host.untaken.isEmpty, "host \(host.index) was told something that was never taken")
        }
    }
}

extension Duration {
    fileprivate var microseconds: Int64 {
        let (seconds, attoseconds) = components
        // Upwards: nothing is due before its time.
        return seconds * 1_000_000 + (attoseconds + 999_999_999_999) / 1_000_000_000_000
    }
}
