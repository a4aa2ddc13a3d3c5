/// Which of somebody's addresses is tried when, and who may be told there who we are (RFC 8305, for whole handshakes).
///
/// Each address is tried a moment after the one before, or as soon as that has failed, and what was begun goes on beside the
/// others. But we introduce ourselves at one of them at a time, since that tells who we are, and would fill the listener's
/// places for us: at the first where somebody has answered. While that is under way nothing more is begun; if nothing comes of
/// it, the next that has answered has its turn.
///
/// Events in, actions out. Whoever performs it ends it when one of the attempts is through.
struct DialMachine: Sendable {
    /// What is to be done, in this order.
    enum Action: Equatable, Sendable {
        /// Begin an attempt, numbered from 0 on, at an address of this number: connect, and find out whether anybody answers.
        case begin(attempt: Int, address: Int)
        /// Have it introduce itself.
        case turn(attempt: Int)
        /// End it: nobody answers in time.
        case drop(attempt: Int, address: Int)
        /// End it: it has waited for its turn for too long for the other side. It may be begun again.
        case postpone(attempt: Int)
        /// All have failed. It is the last action.
        case giveUp
    }

    /// What it goes by.
    struct Limits: Sendable {
        /// How long an attempt is alone ("Connection Attempt Delay" of RFC 8305).
        var attemptDelay = Duration.milliseconds(250)
        /// Within which time somebody has to answer.
        var answer = Duration.seconds(10)
        /// For how long who has answered is let wait for us: a good part of what a handshake may take (PROTOCOL §11).
        var waiting = Duration.seconds(10)
        /// How many attempts are under way at once.
        var attempts = 8
    }

    private enum Stage {
        case untried
        case connecting(attempt: Int, until: Duration)
        /// In the order of the answers.
        case waiting(attempt: Int, until: Duration, order: Int)
        case introducing(attempt: Int)
        case failed

        var attempt: Int? {
            switch self {
            case .connecting(let attempt, _), .waiting(let attempt, _, _), .introducing(let attempt): attempt
            case .untried, .failed: nil
            }
        }

        var deadline: Duration? {
            switch self {
            case .connecting(_, let deadline), .waiting(_, let deadline, _): deadline
            case .untried, .introducing, .failed: nil
            }
        }

        var isUntried: Bool { if case .untried = self { true } else { false } }
        var isConnecting: Bool { if case .connecting = self { true } else { false } }
        var isIntroducing: Bool { if case .introducing = self { true } else { false } }
        var hasFailed: Bool { if case .failed = self { true } else { false } }
    }

    private let limits: Limits
    private var stages: [Stage]
    private var lastAttempt = -1
    private var answers = 0
    private var notBefore: Duration
    private var isOver = false

    /// - Parameter count: How many addresses there are, the best first.
    init(addresses count: Int, limits: Limits = .init(), at now: Duration) {
        self.limits = limits
        stages = Array(repeating: .untried, count: count)
        notBefore = now
    }

    /// When to call ``advance(at:)``; nil when there is nothing to wait for but the attempts.
    var nextDeadline: Duration? {
        if isOver { return nil }
        let deadlines = stages.compactMap(\.deadline) + (mayBegin ? [notBefore] : [])
        return deadlines.min()
    }

    private var mayBegin: Bool {
        !stages.contains(where: \.isIntroducing) && stages.contains(where: \.isUntried)
            && stages.count(where: \.isConnecting) < limits.attempts
    }

    /// Somebody has answered an attempt.
    mutating func answered(_ attempt: Int, at now: Duration) -> [Action] {
        if let index = index(of: attempt), stages[index].isConnecting {
            answers += 1
            stages[index] = .waiting(attempt: attempt, until: now + limits.waiting, order: answers)
        }
        return advance(at: now)
    }

    /// An attempt has come to nothing.
    mutating func failed(_ attempt: Int, at now: Duration) -> [Action] {
        if let index = index(of: attempt) {
            stages[index] = .failed
            notBefore = min(notBefore, now)
        }
        return advance(at: now)
    }

    /// What is to be done now.
    mutating func advance(at now: Duration) -> [Action] {
        guard !isOver else { return [] }
        var actions = expire(at: now)
        if !stages.contains(where: \.isIntroducing), let next = nextWaiting, let attempt = stages[next].attempt {
            stages[next] = .introducing(attempt: attempt)
            actions.append(.turn(attempt: attempt))
        }
        while mayBegin, now >= notBefore, let next = stages.firstIndex(where: \.isUntried) {
            lastAttempt += 1
            stages[next] = .connecting(attempt: lastAttempt, until: now + limits.answer)
            actions.append(.begin(attempt: lastAttempt, address: next))
            notBefore = now + limits.attemptDelay
        }
        if stages.allSatisfy(\.hasFailed) {
            isOver = true
            actions.append(.giveUp)
        }
        return actions
    }

    private mutating func expire(at now: Duration) -> [Action] {
        var actions: [Action] = []
        for (index, stage) in stages.enumerated() {
            switch stage {
            case .connecting(let attempt, let deadline) where now >= deadline:
                stages[index] = .failed
                notBefore = min(notBefore, now)
                actions.append(.drop(attempt: attempt, address: index))
            case .waiting(let attempt, let deadline, _) where now >= deadline:
                stages[index] = .untried
                actions.append(.postpone(attempt: attempt))
            default:
                break
            }
        }
        return actions
    }

    /// The one that answered first.
    private var nextWaiting: Int? {
        let waiting = stages.indices.compactMap { index -> (index: Int, order: Int)? in
            if case .waiting(_, _, let order) = stages[index] { (index, order) } else { nil }
        }
        return waiting.min { $0.order < $1.order }?.index
    }

    private func index(of attempt: Int) -> Int? { stages.firstIndex { $0.attempt == attempt } }
}
