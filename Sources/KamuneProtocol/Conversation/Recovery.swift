/// Nobody is connected: we dial, or wait for the peer.
struct Recovery: Sendable {
    enum Step: Sendable {
        /// Until the peer comes, or patience is at its end.
        case awaitingPeer(until: Duration?)
        /// Until the next attempt.
        case resting(until: Duration)
        case dialing
    }

    /// What is to be done next.
    enum Decision: Sendable {
        case goOn(Recovery)
        case giveUp(ConversationMachine.Cause)
    }

    private(set) var step: Step
    /// What failed last.
    private var cause: ConversationMachine.Cause
    private let since: Duration
    private var attempts = 0

    /// When something is due.
    var nextDeadline: Duration? {
        switch step {
        case .awaitingPeer(let deadline): deadline
        case .resting(let deadline): deadline
        case .dialing: nil
        }
    }

    private init(_ step: Step, after cause: ConversationMachine.Cause, since: Duration) {
        self.step = step
        self.cause = cause
        self.since = since
    }

    /// Before the first session.
    static func beginning(at now: Duration) -> Recovery {
        Recovery(.awaitingPeer(until: nil), after: .dialing, since: now)
    }

    /// After a session was lost.
    static func after(
        _ cause: ConversationMachine.Cause, _ books: inout ConversationBooks, at now: Duration
    ) -> Decision {
        let patience = books.configuration.reconnection.patience
        var recovery = Recovery(.awaitingPeer(until: patience.map { now + $0 }), after: cause, since: now)
        return books.canRedial ? recovery.rest(&books, at: now) : .goOn(recovery)
    }

    /// Waits for the next attempt, if there is to be one.
    private mutating func rest(_ books: inout ConversationBooks, at now: Duration) -> Decision {
        let reconnection = books.configuration.reconnection
        attempts += 1
        let delay = reconnection.delay(before: attempts, using: &books.random)
        let isTooLate = reconnection.patience.map { now - since + delay > $0 } ?? false
        guard !isTooLate, attempts <= reconnection.maximumAttempts ?? .max else { return .giveUp(cause) }
        books.perform(.notify(.reconnecting(attempt: attempts, delay: delay)))
        step = .resting(until: now + delay)
        return .goOn(self)
    }

    mutating func dialFailed(
        _ failure: ConversationMachine.DialFailure, _ books: inout ConversationBooks, at now: Duration
    ) -> Decision {
        guard case .dialing = step else { return .goOn(self) }
        cause = .dialing
        switch failure {
        case .isFinal:
            return .giveUp(cause)
        case .mayPass:
            // A refusal, a wrong key, a failed handshake: anybody on the path can bring them about.
            books.perform(.notify(.attemptFailed))
            return rest(&books, at: now)
        }
    }

    /// Dials now, if that is to be done at all.
    mutating func hurry(_ books: inout ConversationBooks) -> Decision {
        if case .resting = step {
            attempts = 0
            step = .dialing
            books.perform(.dial)
        }
        return .goOn(self)
    }

    mutating func timeElapsed(_ books: inout ConversationBooks, at now: Duration) -> Decision {
        switch step {
        case .resting(let deadline) where now >= deadline:
            step = .dialing
            books.perform(.dial)
        case .awaitingPeer(let deadline?) where now >= deadline:
            return .giveUp(cause)
        case .resting, .awaitingPeer, .dialing:
            break
        }
        return .goOn(self)
    }

    /// The peer is there, or nobody is to wait for it any more.
    func end(_ books: inout ConversationBooks) {
        if case .dialing = step { books.perform(.stopDialing) }
    }
}
