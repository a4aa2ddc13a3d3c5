import DequeModule

extension Link {
    /// Sends what may be sent.
    mutating func send(_ books: inout ConversationBooks, at now: Duration) {
        switch stage {
        case .waiting, .beginning, .givenUp:
            return
        case .delivering(var delivery):
            // Out of the stage while it changes, so that nothing is copied.
            stage = .waiting
            defer { stage = .delivering(delivery) }
            while let batch = nextBatch(
                books, canSend: { delivery.machine.canSend }, payload: { try? delivery.machine.send($0) })
            {
                give(batch, &books)
            }
        case .plain(var confirmation):
            stage = .waiting
            defer { stage = .plain(confirmation) }
            let limit = books.limits.unconfirmedMessages
            while let batch = nextBatch(
                books, canSend: { confirmation.unconfirmed < limit },
                payload: { message in
                    confirmation.add(message.place)
                    return message.message.body
                })
            {
                confirmation.endBatch()
                give(batch, &books)
            }
            if confirmation.ask(until: confirmationDeadline(books, at: now)) { books.perform(.ping(id)) }
        }
    }

    /// Until when the answer to a ping that is sent now is waited for.
    private func confirmationDeadline(_ books: ConversationBooks, at now: Duration) -> Duration? {
        books.peerAnswersPings ? nil : now + books.configuration.confirmationTimeout
    }

    private typealias Batch = (ids: [DeliveryID], payloads: [[UInt8]])

    private mutating func nextBatch(
        _ books: ConversationBooks, canSend: () -> Bool, payload: (OutgoingMessage) -> [UInt8]?
    ) -> Batch? {
        guard sends < books.limits.batches else { return nil }
        var batch: Batch = ([], [])
        var bytes = 0
        while batch.ids.count < books.limits.batchMessages, bytes < books.limits.batchBytes, canSend(),
            let message = outbox.popFirst(), let payload = payload(message)
        {
            batch.ids.append(message.message.id)
            batch.payloads.append(payload)
            bytes += payload.count
        }
        return batch.ids.isEmpty ? nil : batch
    }

    private mutating func give(_ batch: Batch, _ books: inout ConversationBooks) {
        sends += 1
        books.perform(.send(id, batch.payloads))
        books.tell(batch.ids, .inFlight)
    }

    // MARK: Routes

    /// Has it asked where we want to be found, if the peer is to be told that.
    func askRoutes(_ books: inout ConversationBooks) {
        guard tellsRoutes, case .delivering = stage else { return }
        books.perform(.findRoutes(id))
    }

    /// The peer is to be told these, as soon as the session takes them.
    mutating func tell(_ routes: ToldRoutes) {
        guard tellsRoutes, case .delivering(var delivery) = stage else { return }
        stage = .waiting
        delivery.routes.tell(routes)
        stage = .delivering(delivery)
    }

    mutating func tellRoutes(_ books: inout ConversationBooks) {
        // As an acknowledgement, it does not wait for the messages that are under way.
        guard canAcknowledge(books.limits), case .delivering(var delivery) = stage else { return }
        stage = .waiting
        defer { stage = .delivering(delivery) }
        guard let routes = delivery.routes.take() else { return }
        sends += 1
        books.perform(.send(id, [DeliveryFrame.routes(routes).encoded]))
    }

    /// The session has taken a batch, or a part of it before it ended.
    mutating func sent(_ count: Int, _ books: inout ConversationBooks) {
        guard sends > 0 else { return }
        sends -= 1
        guard case .plain(var confirmation) = stage else { return }
        stage = .waiting
        let confirmed = confirmation.took(count)
        stage = .plain(confirmation)
        if let confirmed { settle(.confirm(id, through: confirmed), &books) }
    }

    /// The peer has read what was sent before the question.
    mutating func ponged(_ books: inout ConversationBooks) {
        guard case .plain(var confirmation) = stage, let through = confirmation.answered() else { return }
        books.peerAnswersPings = true
        stage = .plain(confirmation)
        settle(.confirm(id, through: through), &books)
    }

    /// The session's peer does not answer, so that it may be gone, or does again. While it does not, silence says nothing of
    /// whether its program answers pings, and nothing counts as sent for having been taken by the session.
    mutating func doubted(_ isDoubtful: Bool, _ books: inout ConversationBooks, at now: Duration) {
        guard case .plain(var confirmation) = stage else { return }
        stage = .waiting
        let through = confirmation.doubted(isDoubtful, until: confirmationDeadline(books, at: now))
        stage = .plain(confirmation)
        if let through { settle(.confirm(id, through: through), &books) }
    }

    /// A peer that does not answer is not asked again.
    mutating func timeElapsed(_ books: inout ConversationBooks, at now: Duration) {
        guard case .plain(var confirmation) = stage, let deadline = confirmation.deadline, now >= deadline else {
            return
        }
        let through = confirmation.giveUpAsking()
        stage = .plain(confirmation)
        if let through { settle(.confirm(id, through: through), &books) }
    }

    /// How messages that are being written are stored. A link that is given up sends nothing, and what was handed over
    /// plainly after that would count as lost.
    mutating func wrote(
        _ messages: [DeliveryMessage], _ limits: ConversationLimits
    ) -> ConversationMachine.Handover? {
        if case .givenUp = stage { return nil }
        return outbox.wrote(messages, limits)
    }

    /// What was sent plainly and not confirmed may be lost; what the session did not take waits for the next one.
    mutating func giveUp(_ books: inout ConversationBooks) {
        guard sends == 0, case .plain(let confirmation) = stage else { return }
        stage = .givenUp
        settle(.giveUp(id, through: confirmation.taken), &books)
    }
}

/// What a peer of version 0.7 was sent, and whether it has read it: the answer to a ping says that everything before was
/// read. While it is awaited, more is sent.
struct Confirmation: Sendable {
    private enum Question: Sendable {
        case none
        case asked(Mark, until: Duration?)
        /// The peer's program does not answer: what the session has taken counts as sent.
        case useless
    }

    /// A message, and how many up to it were not confirmed when it was sent.
    private struct Mark: Sendable {
        var place: StreamPlace
        var count: Int
    }

    private var question = Question.none
    /// Whether the connection seems to be lost.
    private var isDoubted = false
    /// The batches that the session was given and has not taken yet.
    private var batches = Deque<[StreamPlace]>()
    private var batch: [StreamPlace] = []
    private var last: StreamPlace?
    /// The last message that the session has taken.
    private(set) var taken: StreamPlace?
    /// How many messages were sent and not confirmed.
    private(set) var unconfirmed = 0

    /// Until when an answer is waited for.
    var deadline: Duration? {
        if !isDoubted, case .asked(_, let deadline) = question { deadline } else { nil }
    }

    mutating func add(_ place: StreamPlace) {
        batch.append(place)
        last = place
        unconfirmed += 1
    }

    mutating func endBatch() {
        batches.append(batch)
        batch = []
    }

    /// - Returns: Whether the peer is to be asked now.
    mutating func ask(until deadline: Duration?) -> Bool {
        guard case .none = question, unconfirmed > 0, let last else { return false }
        question = .asked(Mark(place: last, count: unconfirmed), until: deadline)
        return true
    }

    /// - Returns: Up to where messages are confirmed.
    mutating func answered() -> StreamPlace? {
        guard case .asked(let mark, _) = question else { return nil }
        question = .none
        unconfirmed -= mark.count
        return mark.place
    }

    /// - Returns: Up to where messages count as sent.
    mutating func took(_ count: Int) -> StreamPlace? {
        guard let batch = batches.popFirst() else { return nil }
        let places = batch.prefix(count)
        taken = places.last ?? taken
        guard case .useless = question, !isDoubted, !places.isEmpty else { return nil }
        unconfirmed -= places.count
        return taken
    }

    /// The connection seems to be lost, or does no more.
    ///
    /// - Parameter deadline: Until when an answer is waited for from now on.
    /// - Returns: Up to where messages count as sent.
    mutating func doubted(_ isDoubtful: Bool, until deadline: Duration?) -> StreamPlace? {
        guard isDoubtful != isDoubted else { return nil }
        isDoubted = isDoubtful
        guard !isDoubtful else { return nil }
        switch question {
        case .none:
            return nil
        case .asked(let mark, let before):
            question = .asked(mark, until: before.flatMap { _ in deadline })
            return nil
        case .useless:
            return giveUpAsking()
        }
    }

    /// - Returns: Up to where messages count as sent.
    mutating func giveUpAsking() -> StreamPlace? {
        question = .useless
        unconfirmed = batches.reduce(0) { $0 + $1.count }
        return taken
    }
}
