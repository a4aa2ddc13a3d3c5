import Synchronization

/// Somebody who is told what happens in all conversations of a ``Messenger``, as it happens: what one builds a stream of
/// events on, or keeps a list of conversations by.
public struct ConversationObserver: Sendable {
    /// Told of an event, in the order in which they happen in each conversation; of different conversations at once, too. It
    /// holds up the conversation, so it must neither wait nor take long.
    public typealias Body = @Sendable (Conversation, ConversationEvent) -> Void

    /// Whether nobody takes ``Conversation/events``: messages count as taken when the observer was told of them, so that no
    /// peer is made to wait, and that sequence has nothing but the end.
    let isOnlyOne: Bool
    let body: Body

    /// Somebody who is told what happens.
    ///
    /// - Parameters:
    ///   - isOnlyOne: Whether nobody takes ``Conversation/events``. The observer then answers for what is held in memory.
    ///   - body: Told of every event, also of those that ``Conversation/events`` leaves out when they are not taken.
    public init(isOnlyOne: Bool, _ body: @escaping Body) {
        self.isOnlyOne = isOnlyOne
        self.body = body
    }
}

/// Those within this library who are told what happens in all conversations.
final class ConversationWatchers: Sendable {
    private struct State {
        var bodies: [UInt64: ConversationObserver.Body] = [:]
        var last: UInt64 = 0
    }

    private let state = Mutex(State())

    /// - Returns: What ``remove(_:)`` takes.
    func add(_ body: @escaping ConversationObserver.Body) -> UInt64 {
        state.withLock { state in
            state.last += 1
            state.bodies[state.last] = body
            return state.last
        }
    }

    func remove(_ number: UInt64) {
        let body = state.withLock { $0.bodies.removeValue(forKey: number) }
        withExtendedLifetime(body) {}
    }

    /// All of them as one, with the application's own first.
    func observer(beside other: ConversationObserver?, _ hub: EventHub) -> ConversationObserver {
        ConversationObserver(isOnlyOne: other?.isOnlyOne ?? false) { [self] conversation, event in
            other?.body(conversation, event)
            for body in state.withLock({ $0.bodies }).values { body(conversation, event) }
            hub.note(conversation)
        }
    }
}

/// How a conversation gets its connection back.
struct WayBack: Sendable {
    /// Where to dial, the best first.
    var addresses: [DialAddress]
    /// Who decides then whether to talk to whom is found there; nil for the messenger's own verifier.
    var verifier: (any PeerVerifier)?
    /// What whoever is found there is told to call us; nil for the messenger's own name.
    var name: String?
    /// What is done otherwise than for the messenger's other conversations.
    var settings: LinkSettings?
}
