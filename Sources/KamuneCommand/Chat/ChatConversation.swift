import Kamune
import KamuneNode
import Synchronization

/// A conversation, as it looks through a window on the node.
final class ChatConversation: Sendable {
    /// With whom.
    let contact: ContactID
    /// Who they are, as the first session knew them.
    let peer: Peer
    /// What happens, in order. It ends after ``NodeEvent/ended(_:_:)``.
    let events = NodeEvents()
    private let node: any NodeAccess
    private let end = Promise<ConversationEnd>()

    private struct State {
        var isConnected = false
        var session: String?
    }

    private let state = Mutex(State())

    init(_ info: ConversationInfo, _ node: any NodeAccess) {
        contact = info.contact
        peer = info.peer.peer
        self.node = node
    }

    /// Something has happened.
    func take(_ event: NodeEvent) {
        switch event {
        case .connected(_, let link):
            // Whoever looks in while it begins may be told twice.
            let isNew = state.withLock { state in
                if state.isConnected, state.session == link.session { return false }
                (state.isConnected, state.session) = (true, link.session)
                return true
            }
            guard isNew else { return }
        case .disconnected: state.withLock { $0.isConnected = false }
        case .ended(_, let how):
            state.withLock { $0.isConnected = false }
            end.fulfill(how)
        default: break
        }
        events.add([event])
        if end.value != nil { events.finish() }
    }

    /// The node has gone, and the conversation with it.
    func lose() {
        guard end.value == nil else { return }
        end.fulfill(
            ConversationEnd(by: .failure, error: NodeError(.nodeGone, "The Kamune that holds the store has ended.")))
        events.finish()
    }

    /// Whether the two are connected now.
    var isConnected: Bool { state.withLock { $0.isConnected } }

    /// Whether the conversation is over.
    var hasEnded: Bool { end.value != nil }

    /// Sends messages in this order; waits while too much is under way.
    func send(contentsOf bodies: [[UInt8]]) async throws(NodeError) -> [MessageInfo] {
        guard !hasEnded else { throw NodeError(.sessionEnded, "The conversation is over.") }
        return try await node.ask(SendMessages(to: contact, bodies: bodies, waitsForRoom: true)).messages
    }

    /// Sends a text.
    func send(_ text: String) async throws(NodeError) -> MessageInfo {
        guard !hasEnded else { throw NodeError(.sessionEnded, "The conversation is over.") }
        guard let message = try await node.ask(SendMessages(to: contact, text: text)).messages.first else {
            throw NodeError(.other, "The message was not stored.")
        }
        return message
    }

    /// Asks whether the other side is there.
    func ping() async throws(NodeError) -> Duration {
        .seconds(try await node.ask(PingContact(contact)).seconds)
    }

    /// How many messages of this conversation have not come as far as they can yet, and how many to the contact wait, those of
    /// earlier conversations too. Of a conversation that is over, as it was at its end.
    func counts() async -> (undelivered: Int, waiting: Int) {
        if let last = lastInfo.withLock({ $0 }) { return (last.undelivered, last.waiting) }
        guard let info = try? await node.ask(GetConversation(with: contact)) else {
            return lastInfo.withLock { ($0?.undelivered ?? 0, $0?.waiting ?? 0) }
        }
        return (info.undelivered, info.waiting)
    }

    private let lastInfo = Mutex<ConversationInfo?>(nil)

    /// What the node said of the conversation when it ended.
    func concluded(_ info: ConversationInfo) { lastInfo.withLock { $0 = info } }

    /// Waits until every message has come as far as it can, or the time is over.
    ///
    /// - Returns: How many have not.
    func waitUntilDelivered(for limit: Duration) async -> Int {
        let answer = try? await node.ask(AwaitDelivery(with: contact, seconds: limit / .seconds(1)))
        guard let answer, !answer.isOver else { return await counts().undelivered }
        return answer.undelivered
    }

    /// Says goodbye, unless another window holds the conversation open, and waits until that is done.
    func close() async {
        if let answer = try? await node.ask(HangUp(contact)), !answer.isOver {
            end.fulfill(ConversationEnd(by: .us, error: nil))
            events.finish()
        }
        // Whatever came until then is told first.
        _ = await waitUntilEnded()
    }

    /// Says goodbye since what comes cannot be taken any more. Nothing of it counts as taken by that.
    func abandon() async {
        _ = try? await node.ask(HangUp(contact))
        end.fulfill(ConversationEnd(by: .us, error: nil))
    }

    /// Waits until the conversation is over, and tells how it ended.
    @discardableResult
    func waitUntilEnded() async -> ConversationEnd {
        // Nobody waits for this in vain: the node ends every conversation, and a node that has gone ends them all.
        await Task { [end] in await end.wait() }.value ?? ConversationEnd(by: .us, error: nil)
    }
}
