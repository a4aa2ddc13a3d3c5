extension ConversationMachine {
    /// Goes from a phase to the next, which may be the same.
    private mutating func step(_ body: (consuming Phase, inout ConversationBooks) -> Phase) {
        let old = phase
        // Taken out while it changes, so that nothing is copied.
        phase = .over
        phase = body(consume old, &books)
    }

    /// Does whatever may be done now.
    mutating func advance(at now: Duration) {
        step { phase, books in
            switch phase {
            case .apart, .over:
                return phase
            case .together(var links):
                guard let ending = links.advance(&books, .open, at: now) else { return .together(links) }
                links.endSearch(&books)
                return Self.after(ending, of: links.current.id, &books, at: now)
            case .closing(var links, let deadline):
                if let ending = links.advance(&books, .closing, at: now) { return Self.afterClosing(ending, &books) }
                guard now >= deadline || links.isQuiet && books.unacknowledged.isEmpty else {
                    return .closing(links, until: deadline)
                }
                books.perform(.sayGoodbye(links.current.id))
                return Self.leave(links, until: now + books.configuration.closeTimeout * 2, &books, at: now)
            case .leaving(let links, let deadline):
                return Self.leave(links, until: deadline, &books, at: now)
            }
        }
    }

    private static func after(
        _ ending: Inbox.Ending, of link: LinkID, _ books: inout ConversationBooks, at now: Duration
    ) -> Phase {
        switch ending {
        case .left(.closedByUs): return concluded(.closedByUs, &books)
        case .left(.closedByPeer): return concluded(.closedByPeer, &books)
        case .violation(let error): return concluded(.failed(.violation(error)), &books)
        case .left(.lost(let mayPass)):
            guard mayPass, books.configuration.reconnection.patience != .zero else {
                return concluded(.failed(.link(link)), &books)
            }
            books.perform(.notify(.disconnected(link)))
            return decided(Recovery.after(.link(link), &books, at: now), &books)
        }
    }

    private static func leave(
        _ links: consuming Links, until deadline: Duration, _ books: inout ConversationBooks, at now: Duration
    ) -> Phase {
        if let ending = links.advance(&books, .leaving, at: now) { return afterClosing(ending, &books) }
        return now >= deadline ? concluded(.closedByUs, &books) : .leaving(links, until: deadline)
    }

    private static func afterClosing(_ ending: Inbox.Ending, _ books: inout ConversationBooks) -> Phase {
        switch ending {
        case .left(.closedByPeer): concluded(.closedByPeer, &books)
        case .violation(let error): concluded(.failed(.violation(error)), &books)
        case .left(.closedByUs), .left(.lost): concluded(.closedByUs, &books)
        }
    }

    private static func concluded(_ conclusion: Conclusion, _ books: inout ConversationBooks) -> Phase {
        books.perform(.conclude(conclusion))
        return .over
    }

    // MARK: Sessions

    mutating func join(_ id: LinkID, _ joining: Joining, at now: Duration) {
        step { phase, books in
            switch phase {
            case .apart(let recovery):
                recovery.end(&books)
                books.canRedial = books.canRedial || joining.canRedial
                return .together(Links(Link(id, joining, at: now)))
            case .together(var links):
                if links.isFull(books.limits) {
                    // The peer comes again and again, while nobody takes what came over the sessions before.
                    books.perform(.abandon(id, .overloaded))
                    return .together(links)
                }
                books.canRedial = books.canRedial || joining.canRedial
                if links.current.isPreferred(to: joining, books.configuration, at: now) {
                    books.perform(.abandon(id, .replaced))
                } else {
                    books.perform(.abandon(links.current.id, .replaced))
                    links.replace(with: Link(id, joining, at: now), &books)
                }
                return .together(links)
            case .closing, .leaving, .over:
                books.perform(.abandon(id, .unwanted))
                return phase
            }
        }
    }

    /// Changes a link that is still one of the conversation's, and passes over any other.
    @discardableResult
    mutating func with<Result>(
        _ id: LinkID, _ body: (inout Link, inout ConversationBooks) -> Result
    ) -> Result? {
        var result: Result?
        step { phase, books in
            switch phase {
            case .together(var links):
                result = links.with(id) { body(&$0, &books) }
                return .together(links)
            case .closing(var links, let deadline):
                result = links.with(id) { body(&$0, &books) }
                return .closing(links, until: deadline)
            case .leaving(var links, let deadline):
                result = links.with(id) { body(&$0, &books) }
                return .leaving(links, until: deadline)
            case .apart, .over:
                return phase
            }
        }
        return result
    }

    // MARK: Recovery

    private static func decided(_ decision: Recovery.Decision, _ books: inout ConversationBooks) -> Phase {
        switch decision {
        case .goOn(let recovery): .apart(recovery)
        case .giveUp(let cause): concluded(.failed(cause), &books)
        }
    }

    /// Goes on with getting the connection back, if that is under way.
    mutating func recover(_ body: (inout Recovery, inout ConversationBooks) -> Recovery.Decision) {
        step { phase, books in
            switch phase {
            case .apart(var recovery): Self.decided(body(&recovery, &books), &books)
            case .together, .closing, .leaving, .over: phase
            }
        }
    }

    /// Goes on with looking for the peer beside a session that seems to be lost, if that is under way.
    mutating func search(_ body: (inout Links, inout ConversationBooks) -> Void) {
        step { phase, books in
            guard case .together(var links) = phase else { return phase }
            body(&links, &books)
            return .together(links)
        }
    }

    // MARK: Ending

    mutating func close(at now: Duration) {
        step { phase, books in
            switch phase {
            case .apart(let recovery):
                recovery.end(&books)
                return Self.concluded(.closedByUs, &books)
            case .together(var links):
                links.endSearch(&books)
                return .closing(links, until: now + books.configuration.closeTimeout)
            case .closing, .leaving, .over:
                return phase
            }
        }
    }

    /// Something that no other session makes better.
    mutating func fail(_ cause: Cause, abandoning reason: Abandonment) {
        step { phase, books in
            switch phase {
            case .apart(let recovery):
                recovery.end(&books)
                return Self.concluded(.failed(cause), &books)
            case .together(var links), .closing(var links, _), .leaving(var links, _):
                links.endSearch(&books)
                books.perform(.abandon(links.current.id, reason))
                return Self.concluded(.failed(cause), &books)
            case .over:
                return phase
            }
        }
    }
}
