extension Link {
    /// The store has taken stock.
    mutating func began(after last: DeliveryID?, _ books: inout ConversationBooks) {
        guard case .beginning = stage else { return }
        guard acknowledges else {
            stage = .plain(Confirmation())
            return
        }
        var machine = DeliveryMachine(limit: books.limits.unacknowledgedMessages, takesRoutes: tellsRoutes)
        let beginning = machine.begin(afterStoring: last)
        stage = .delivering(Delivery(machine: machine))
        sends += 1
        books.perform(.send(id, [beginning]))
        askRoutes(&books)
    }

    /// Takes what has arrived.
    mutating func received(_ arrivals: [ConversationMachine.Arrival], _ books: inout ConversationBooks) {
        guard inbox.isReading else { return }
        inbox.received()
        switch stage {
        case .waiting, .beginning:
            return
        case .plain, .givenUp:
            for arrival in arrivals {
                inbox.add(
                    ConversationMachine.IncomingMessage(
                        id: nil, kind: 0, written: arrival.sent ?? arrival.received, received: arrival.received,
                        body: arrival.payload))
            }
        case .delivering(var delivery):
            // Out of the stage while it changes, so that nothing is copied.
            stage = .waiting
            defer { stage = .delivering(delivery) }
            do {
                try take(arrivals, &delivery, &books)
            } catch {
                inbox.end(.violation(error))
                books.perform(.abandon(id, .violation(error)))
            }
        }
    }

    private mutating func take(
        _ arrivals: [ConversationMachine.Arrival], _ delivery: inout Delivery, _ books: inout ConversationBooks
    ) throws(ProtocolError) {
        // What was acknowledged before a rule was broken counts.
        var acknowledged: DeliveryMachine.Acknowledged?
        // Of several tellings the last one counts.
        var routes: ToldRoutes?
        defer {
            if let acknowledged { settle(.acknowledge(id, acknowledged), &books) }
            if let routes { settle(.keepRoutes(id, routes), &books) }
        }
        for arrival in arrivals {
            switch try delivery.machine.received(arrival.payload) {
            case .peerHas(let name):
                if let name { settle(.settle(id, peerHas: name), &books) }
            case .acknowledged(let more):
                acknowledged = DeliveryMachine.Acknowledged(
                    ids: (acknowledged?.ids ?? []) + more.ids, through: more.through)
            case .routes(let told):
                if delivery.routes.hears() { routes = told }
            case .message(let message):
                inbox.add(
                    ConversationMachine.IncomingMessage(
                        id: message.id, kind: message.kind, written: message.written, received: arrival.received,
                        body: message.body))
            }
        }
    }

    mutating func settle(_ operation: ConversationMachine.StoreOperation, _ books: inout ConversationBooks) {
        settlements += 1
        books.perform(.store(operation))
    }

    /// A batch is to be acknowledged.
    mutating func owe(_ batch: Inbox.Batch, _ books: ConversationBooks, at now: Duration) {
        guard let last = batch.last, case .delivering(var delivery) = stage else { return }
        stage = .waiting
        defer { stage = .delivering(delivery) }
        if delivery.owed == nil {
            delivery.owed = Owed(last: last, count: 0, due: now + books.limits.acknowledgementDelay)
        }
        delivery.owed?.last = last
        delivery.owed?.count += batch.load.count
    }

    /// Whether the session takes an acknowledgement. One more than the batches of messages may be under way, so that it does not
    /// wait for them.
    func canAcknowledge(_ limits: ConversationLimits) -> Bool { sends <= limits.batches }

    /// Acknowledges what is stored, a moment later, since more may come.
    mutating func acknowledge(_ books: inout ConversationBooks, isClosing: Bool, at now: Duration) {
        guard canAcknowledge(books.limits), case .delivering(var delivery) = stage, let owed = delivery.owed,
            isClosing || owed.count >= books.limits.acknowledgementCount || now >= owed.due
        else { return }
        stage = .waiting
        defer { stage = .delivering(delivery) }
        delivery.owed = nil
        sends += 1
        books.perform(.send(id, [delivery.machine.acknowledge(owed.last, count: owed.count)]))
    }
}
