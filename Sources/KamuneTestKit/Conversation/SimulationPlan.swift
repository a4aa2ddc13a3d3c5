import KamuneProtocol
import KamuneTestSupport

/// What a simulation's seed decides: who talks, how much, over what network, and what befalls them. Times are in
/// microseconds.
struct SimulationPlan {
    /// Who the second host is.
    enum Peer: String {
        /// One like the first.
        case kamune
        /// A program of version 0.7.
        case plain
        /// One of version 0.7 that answers no pings.
        case mute
        /// One that says anything.
        case liar
    }

    var peer: Peer
    /// How many messages each side writes.
    var messages: [Int]
    /// How large they are at most.
    var largestBody: Int
    /// Until when things go wrong.
    var trouble: Int64
    var latency: Int64
    /// Chances, in thousandths for each second of trouble.
    var cuts: UInt64
    var crashes: UInt64
    var dials: UInt64
    var closings: UInt64
    var storeFailures: UInt64
    /// How long a transaction takes at most.
    var storeTime: Int64
    /// How long the application takes to look for messages again at most; it may not look at all until the trouble is over.
    var takingTime: Int64
    var takesNothing: [Bool]
    /// Whether what is stored survives a crash.
    var isDurable: [Bool]
    /// Whether backups are made, restored and merged, messages deleted, and records joined.
    var hasBackups: Bool
    /// The chance of a backup, in thousandths for each second.
    var backups: UInt64
    /// How many such things are done to a store at most each time that its program begins again.
    var meddling: Int64
    /// Whether the second host dials too.
    var bothDial: Bool
    /// How a dial that comes to nothing fails.
    var dialFailures: UInt64
    var configuration: ConversationConfiguration

    /// What goes wrong with backups goes wrong between one and another.
    mutating func meddleMuch() {
        hasBackups = true
        backups = 500
        meddling = 6
        crashes = max(crashes, 200)
    }

    init(_ random: inout SeededRandom) {
        func chance(_ percent: UInt64, _ random: inout SeededRandom) -> Bool { random.next() % 100 < percent }
        func amount(_ limit: UInt64, _ random: inout SeededRandom) -> UInt64 {
            // Often small or none, sometimes much.
            let scale = random.next() % 4
            return scale == 0 ? 0 : random.next() % (limit >> (3 - scale) + 1)
        }
        switch random.next() % 10 {
        case 0: peer = .liar
        case 1: peer = .plain
        case 2: peer = chance(50, &random) ? .plain : .mute
        default: peer = .kamune
        }
        let most: UInt64 = chance(2, &random) ? 2_500 : chance(20, &random) ? 400 : 60
        messages = [Int(random.next() % most), chance(30, &random) ? 0 : Int(random.next() % most)]
        largestBody = chance(10, &random) ? 60_000 : chance(50, &random) ? 2_000 : 40
        trouble = Int64(1 + random.next() % 240) * 1_000_000
        latency = Int64(chance(20, &random) ? random.next() % 500_000 : random.next() % 20_000)
        cuts = amount(2_000, &random)
        crashes = amount(200, &random)
        dials = amount(500, &random)
        closings = amount(60, &random)
        storeFailures = amount(30, &random)
        storeTime = Int64(chance(15, &random) ? random.next() % 3_000_000 : random.next() % 20_000)
        takingTime = Int64(chance(20, &random) ? random.next() % 5_000_000 : random.next() % 50_000)
        takesNothing = [chance(8, &random), chance(8, &random)]
        isDurable = [!chance(8, &random), !chance(8, &random)]
        hasBackups = chance(35, &random)
        backups = 60
        meddling = 3
        let meddlesMuch = hasBackups && chance(40, &random)
        bothDial = chance(40, &random)
        dialFailures = amount(60, &random)
        configuration = ConversationConfiguration()
        configuration.closeTimeout = .milliseconds(Int64(random.next() % 3_000))
        if chance(60, &random) {
            // Small limits are reached sooner.
            var limits = ConversationLimits()
            limits.waitingMessages = 1 + Int(random.next() % 32)
            limits.waitingBytes = 1 + Int(random.next() % 20_000)
            limits.pageMessages = 1 + Int(random.next() % 16)
            limits.pageBytes = 1 + Int(random.next() % 10_000)
            limits.lowPage = 1 + Int(random.next() % 8)
            limits.batchMessages = 1 + Int(random.next() % 8)
            limits.batches = 1 + Int(random.next() % 3)
            limits.unconfirmedMessages = 1 + Int(random.next() % 16)
            limits.drainingLinks = 1 + Int(random.next() % 4)
            limits.acknowledgementCount = 1 + Int(random.next() % 16)
            configuration.limits = limits
        }
        if chance(10, &random) { configuration.reconnection.patience = .seconds(Int64(random.next() % 20)) }
        if chance(10, &random) { configuration.reconnection.maximumAttempts = Int(random.next() % 4) }
        configuration.reconnection.maximumDelay = .seconds(Int64(1 + random.next() % 20))
        if meddlesMuch { meddleMuch() }
    }
}
