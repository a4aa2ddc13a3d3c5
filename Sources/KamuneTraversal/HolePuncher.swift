internal import Crypto
public import KamuneBroker
public import KamuneCrypto

/// Tries to reach a peer directly from behind NATs and firewalls, both sides at once: a machine without I/O, and without a
/// clock. It speaks with a machine of the same kind on the other side, by probes.
///
/// - Every candidate of the peer's is asked a few times. The question opens our own NAT for the answer.
/// - Whoever asks is answered, and asked back where the question came from: behind a symmetric NAT that is another port
///   than anybody was told.
/// - Of a symmetric NAT with a rule the next ports are tried too.
/// - Of one without a rule, its side opens many ports towards the other, and the other guesses one (the birthday paradox);
///   only with a peer that has named its addresses itself.
///
/// An endpoint is reached when something comes from there that answers our own question to it.
public struct HolePuncher<Random: RandomSource>: Sendable {
    /// A way that was found.
    public struct Path: Hashable, Sendable {
        /// Which of our sockets.
        public let socket: Int
        /// Where the peer is, seen from there.
        public let remote: IPEndpoint
        /// There and back.
        public let roundTrip: Duration
    }

    /// What is to be done.
    public enum Action: Hashable, Sendable {
        /// Open so many more sockets: their numbers follow those that there are. There is one, number 0, at the begin.
        case openSockets(Int)
        /// Send a datagram.
        case send([UInt8], socket: Int, to: IPEndpoint)
        /// There is a way. The initiator opens the conversation on the first; the responder takes it on any of its sockets.
        case reached(Path)
        /// The time is over: nobody was reached, or nobody has opened a conversation.
        case timedOut
    }

    private struct Due {
        var at: Duration
        var socket: Int
        var endpoint: IPEndpoint
    }

    private struct Question: Hashable {
        var socket: Int
        var endpoint: IPEndpoint
    }

    /// A question that was sent: each has a number of its own, so that it shows which of them was answered.
    private struct Asked {
        var question: Question
        var at: Duration
    }

    private let role: PunchRole
    private let key: SymmetricKey
    private let ours: TraversalOffer
    private let theirs: TraversalOffer
    private let isPeerProven: Bool
    private let limits: PunchLimits
    private var random: Random

    /// What is to be asked, the next one first.
    private var schedule: [Due] = []
    private var asked: Set<Question> = []
    private var questions: [UInt64: Asked] = [:]
    /// How many datagrams went where, while nobody had answered from there.
    private var sentToEndpoint: [IPEndpoint: Int] = [:]
    private var sentToAddress: [IPAddress: Int] = [:]
    private var proven: Set<IPEndpoint> = []
    /// Where questions came from.
    private var heard: Set<IPEndpoint> = []
    /// Where questions came from that we were not told of.
    private var triggered: Set<IPEndpoint> = []
    /// The questions that were answered, so that one which is repeated from elsewhere is not.
    private var answered: Set<UInt64> = []
    private static var answeredLimit: Int { 4096 }
    private var socketCount = 1
    private var started: Duration?
    private var hasGuessed = false
    private var isOver = false
    /// How many datagrams have been sent.
    public private(set) var datagramsSent = 0

    /// - Parameters:
    ///   - role: Which of the two we are.
    ///   - key: A secret of the two.
    ///   - isPeerProven: Whether the offer has come from the peer itself, over a session. Else it is the broker's word.
    ///   - random: Names the questions, and guesses.
    public init(
        role: PunchRole, key: borrowing SecretBytes, ours: TraversalOffer, theirs: TraversalOffer, isPeerProven: Bool,
        limits: PunchLimits = PunchLimits(), random: Random
    ) {
        self.role = role
        self.key = key.withUnsafeBytes { SymmetricKey(data: $0) }
        self.ours = ours
        self.theirs = theirs
        self.isPeerProven = isPeerProven
        self.limits = limits
        self.random = random
    }

    /// Whether somebody who knows the secret has sent something from there, so that a conversation may begin there.
    public func isKnown(_ source: IPEndpoint) -> Bool { proven.contains(source) || heard.contains(source) }

    /// When ``tick(now:)`` has something to do.
    public var deadline: Duration? {
        guard let started, !isOver else { return nil }
        let guessing = hasGuessed || !needsGuessing ? nil : started + limits.birthdayDelay
        return [schedule.first?.at, guessing, started + limits.timeout].compactMap { $0 }.min()
    }

    // MARK: Asking

    /// Begins.
    public mutating func start(now: Duration) -> [Action] {
        guard started == nil else { return [] }
        started = now
        // The foretold ports come first: whatever we send elsewhere takes one of our own, which the other side counts.
        let predicted = predictedEndpoints
        for round in limits.tries.prefix(2) {
            for (index, endpoint) in predicted.enumerated() {
                plan(Due(at: now + round + limits.birthdayInterval * index, socket: 0, endpoint: endpoint))
            }
        }
        let after = limits.birthdayInterval * predicted.count
        for delay in limits.tries {
            for candidate in theirs.candidates { plan(Due(at: now + delay + after, socket: 0, endpoint: candidate)) }
        }
        return tick(now: now)
    }

    /// Does what is due.
    public mutating func tick(now: Duration) -> [Action] {
        guard let started, !isOver else { return [] }
        guard now < started + limits.timeout else {
            isOver = true
            return [.timedOut]
        }
        var actions: [Action] = []
        if now >= started + limits.birthdayDelay, !hasGuessed, needsGuessing { actions += planGuessing(now: now) }
        let due = schedule.prefix { $0.at <= now }
        schedule.removeFirst(due.count)
        for question in due { actions += ask(question.socket, question.endpoint, now: now) }
        return actions
    }

    /// Ends it: a conversation was opened. Nothing is sent any more.
    public mutating func stop() {
        isOver = true
        schedule = []
    }

    private mutating func plan(_ due: Due) {
        let place = schedule.lastIndex { $0.at <= due.at }.map { $0 + 1 } ?? 0
        schedule.insert(due, at: place)
    }

    private mutating func ask(_ socket: Int, _ endpoint: IPEndpoint, now: Duration) -> [Action] {
        let question = Question(socket: socket, endpoint: endpoint)
        // Who has answered need not be asked again.
        guard !proven.contains(endpoint), mayAsk(endpoint) else { return [] }
        let nonce = random.integer(UInt64.self)
        asked.insert(question)
        questions[nonce] = Asked(question: question, at: now)
        sentToEndpoint[endpoint, default: 0] += 1
        sentToAddress[endpoint.address, default: 0] += 1
        return [send(PunchProbe(isQuestion: true, nonce: nonce), socket, endpoint)]
    }

    private func mayAsk(_ endpoint: IPEndpoint) -> Bool {
        let sent = sentToEndpoint[endpoint, default: 0]
        let perAddress = isPeerProven ? limits.datagramsPerPeerAddress : limits.datagramsPerStrangerAddress
        // Those of many sockets go to one endpoint, which has said itself that it wants them.
        let perEndpoint = isPeerProven && opensManySockets ? perAddress : limits.datagramsPerEndpoint
        if heard.contains(endpoint) { return sent < max(perEndpoint, limits.datagramsPerHeardEndpoint) }
        return sent < perEndpoint && sentToAddress[endpoint.address, default: 0] < perAddress
    }

    private mutating func send(_ probe: PunchProbe, _ socket: Int, _ endpoint: IPEndpoint) -> Action {
        datagramsSent += 1
        return .send(probe.encoded(by: role, key: key), socket: socket, to: endpoint)
    }

    // MARK: Guessing

    /// Where the peer's NAT is seen. What is in our own network has none before it, and is not ours to search for ports.
    private var foreignEndpoint: IPEndpoint? { theirs.lastSeen.flatMap { $0.address.isLocal ? nil : $0 } }

    /// The ports that the peer's NAT takes next, by its rule.
    private var predictedEndpoints: [IPEndpoint] {
        guard case .dependent(let step?) = theirs.mapping, let seen = foreignEndpoint else { return [] }
        return (1...max(limits.predictedPorts, 1)).compactMap { index in
            UInt16(exactly: Int(seen.port) + Int(step) * index).map { IPEndpoint(seen.address, $0) }
        }
    }

    private var guessesPorts: Bool { theirs.mapping == .dependent(step: nil) && !ours.mapping.isDependent }
    private var opensManySockets: Bool { ours.mapping == .dependent(step: nil) && !theirs.mapping.isDependent }
    private var needsGuessing: Bool { isPeerProven && proven.isEmpty && (guessesPorts || opensManySockets) }

    private mutating func planGuessing(now: Duration) -> [Action] {
        hasGuessed = true
        guard let seen = foreignEndpoint else { return [] }
        if opensManySockets {
            let added = max(limits.birthdaySockets - socketCount, 0)
            for index in 0..<added {
                plan(
                    Due(at: now + limits.birthdayInterval * index, socket: socketCount + index, endpoint: seen))
            }
            socketCount += added
            return [.openSockets(added)]
        }
        // Each port once. The peer opens its ports meanwhile, so the first guesses come a little later.
        let lowest = UInt32(limits.lowestGuessedPort)
        var ports: Set<UInt16> = []
        var at = now + limits.birthdayInterval * (limits.birthdaySockets / 4)
        while ports.count < min(limits.birthdayGuesses, Int(65_536 - lowest)) {
            let port = UInt16(truncatingIfNeeded: lowest + random.integer(below: 65_536 - lowest))
            guard ports.insert(port).inserted else { continue }
            plan(Due(at: at, socket: 0, endpoint: IPEndpoint(seen.address, port)))
            at += limits.birthdayInterval
        }
        return []
    }

    // MARK: Answering

    /// Takes a datagram that has arrived on a socket.
    public mutating func receive(
        _ datagram: [UInt8], on socket: Int, from source: IPEndpoint, now: Duration
    ) -> [Action] {
        guard started != nil, !isOver, let probe = PunchProbe(parsing: datagram, from: role.other, key: key) else {
            return []
        }
        guard probe.isQuestion else {
            // An answer counts only from where the question went, at the socket that asked.
            let question = Question(socket: socket, endpoint: source)
            guard let asked = questions[probe.nonce], asked.question == question else { return [] }
            guard proven.insert(source).inserted else { return [] }
            return [.reached(Path(socket: socket, remote: source, roundTrip: now - asked.at))]
        }
        // The same question comes again when our answer was lost, and from the same place.
        let question = Question(socket: socket, endpoint: source)
        let isKnown = asked.contains(question) || triggered.contains(source)
        guard
            isKnown
                || answered.count < Self.answeredLimit && triggered.count < limits.triggeredEndpoints
                    && !answered.contains(probe.nonce)
        else { return [] }
        if answered.count < Self.answeredLimit {
            answered.insert(probe.nonce)
            heard.insert(source)
        }
        var actions = [send(PunchProbe(isQuestion: false, nonce: probe.nonce), socket, source)]
        guard !proven.contains(source) else { return actions }
        if !asked.contains(question) {
            triggered.insert(source)
            for delay in limits.tries.dropFirst() { plan(Due(at: now + delay, socket: socket, endpoint: source)) }
        }
        actions += ask(socket, source, now: now)
        return actions
    }
}
