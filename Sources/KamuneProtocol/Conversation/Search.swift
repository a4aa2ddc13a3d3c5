/// The peer does not answer, and may be gone, while nobody has said so: it is dialed again beside the session that there is,
/// which goes on if the peer answers after all.
///
/// The application is told nothing of it: either the peer is back, or another session takes the place of this one, or this
/// one is lost in the end, and then the application is told.
struct Search: Sendable {
    enum Step: Sendable {
        case dialing
        /// Until the next attempt.
        case resting(until: Duration)
        /// No attempt would ever fare better.
        case over
    }

    private(set) var step = Step.dialing
    private var attempts = 0

    /// When something is due.
    var nextDeadline: Duration? {
        switch step {
        case .resting(let deadline): deadline
        case .dialing, .over: nil
        }
    }

    /// Begins to dial.
    init(_ books: inout ConversationBooks) {
        books.perform(.dial)
    }

    mutating func dialFailed(
        _ failure: ConversationMachine.DialFailure, _ books: inout ConversationBooks, at now: Duration
    ) {
        guard case .dialing = step else { return }
        switch failure {
        case .isFinal:
            step = .over
        case .mayPass:
            attempts += 1
            let delay = books.configuration.reconnection.delay(before: attempts, using: &books.random)
            step = .resting(until: now + delay)
        }
    }

    /// Dials now, if that is to be done at all.
    mutating func hurry(_ books: inout ConversationBooks) {
        guard case .resting = step else { return }
        attempts = 0
        step = .dialing
        books.perform(.dial)
    }

    mutating func timeElapsed(_ books: inout ConversationBooks, at now: Duration) {
        guard case .resting(let deadline) = step, now >= deadline else { return }
        step = .dialing
        books.perform(.dial)
    }

    /// The peer is there, or nobody is to look for it any more.
    func end(_ books: inout ConversationBooks) {
        if case .dialing = step { books.perform(.stopDialing) }
    }
}
