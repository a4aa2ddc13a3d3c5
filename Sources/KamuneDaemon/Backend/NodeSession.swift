import Foundation
import Kamune
import KamuneCrypto
import KamuneNode
import Synchronization

/// A conversation through a node, as long as it goes on.
final class NodeSession: DaemonSession {
    let id: String
    let peerName: String
    let peerVersion: String
    let remoteAddress: String
    let startedAt: Date
    let messageCount = 0

    let contact: ContactID
    private let access: any NodeAccess
    let events = SessionEvents()
    private let wasInterrupted = Mutex(false)
    private let peer: PeerInfo

    convenience init(_ info: ConversationInfo, _ access: any NodeAccess, at now: Date) {
        self.init(info.contact, info.peer, info.link, access, at: now)
    }

    private init(_ contact: ContactID, _ peer: PeerInfo, _ link: LinkInfo?, _ access: any NodeAccess, at now: Date) {
        self.contact = contact
        self.peer = peer
        id = link?.session ?? contact.description
        peerName = peer.name
        peerVersion = peer.version
        remoteAddress = HostPort.withoutScheme(link?.address ?? "")
        startedAt = now
        self.access = access
    }

    func nextEvent() async -> DaemonSessionEvent? { await events.next() }

    func send(_ bodies: [[UInt8]]) async throws(DaemonError) -> [Date] {
        do throws(NodeError) {
            return try await access.ask(SendMessages(to: contact, bodies: bodies, waitsForRoom: true))
                .messages.map(\.written)
        } catch {
            throw DaemonError(.sendMessageFailed, error.message)
        }
    }

    func close() async {
        _ = try? await access.ask(HangUp(contact))
        // Where another window holds the conversation open, it is over for this one all the same.
        events.finish(.closed)
    }

    // MARK: What the node tells

    func interrupted(_ reason: String) {
        wasInterrupted.withLock { $0 = true }
        events.add(.interrupted(reason))
    }

    /// The two are connected by this session.
    func connected(_ link: LinkInfo) {
        let was = wasInterrupted.withLock { was in
            defer { was = false }
            return was
        }
        if was || link.session != id { events.add(.reconnected) }
    }

    /// What comes in the place of this one when the peer, who dials, has begun anew: to a program that is another session.
    func next(_ link: LinkInfo, at now: Date) -> NodeSession {
        events.finish(.lost("the peer has connected anew"))
        return NodeSession(contact, peer, link, access, at: now)
    }

    func received(_ message: MessageInfo) {
        events.add(.message(message.body, writtenAt: message.written))
    }

    func ended(_ end: ConversationEnd) {
        switch end.by {
        case .us: events.finish(.closed)
        case .peer: events.finish(.closedByPeer)
        case .failure: events.finish(.lost(end.error?.message ?? "the connection is lost"))
        }
    }
}

/// What has happened in a session and was not taken yet. Whoever adds much waits for room.
final class SessionEvents: Sendable {
    private struct State {
        var waiting: [DaemonSessionEvent] = []
        var bytes = 0
        var isFinished = false
        var taker: CheckedContinuation<DaemonSessionEvent?, Never>?
        var adder: CheckedContinuation<Void, Never>?
    }

    /// How many bytes of messages wait.
    private static let limit = 1 << 20
    /// What an event takes beside a message.
    private static let overhead = 256

    private let state = Mutex(State())

    func add(_ event: DaemonSessionEvent) {
        let taker = state.withLock { state -> CheckedContinuation<DaemonSessionEvent?, Never>? in
            guard !state.isFinished else { return nil }
            if let taker = state.taker.take() { return taker }
            state.waiting.append(event)
            state.bytes += Self.size(of: event)
            return nil
        }
        taker?.resume(returning: event)
    }

    /// Adds the last event.
    func finish(_ end: DaemonSessionEnd) {
        add(.ended(end))
        let (taker, adder) = state.withLock { state in
            state.isFinished = true
            return (state.taker.take(), state.adder.take())
        }
        taker?.resume(returning: nil)
        adder?.resume()
    }

    /// Waits while too much waits. Called by one task at a time.
    func waitForRoom() async {
        await withCheckedContinuation { continuation in
            let waits = state.withLock { state in
                guard !state.isFinished, state.bytes > Self.limit else { return false }
                state.adder = continuation
                return true
            }
            if !waits { continuation.resume() }
        }
    }

    /// The next event, waiting for it; nil after the last. Called by one task at a time.
    func next() async -> DaemonSessionEvent? {
        await withCheckedContinuation { continuation in
            let (answer, adder) = state.withLock {
                state -> (DaemonSessionEvent??, CheckedContinuation<Void, Never>?) in
                guard !state.waiting.isEmpty else {
                    if state.isFinished { return (.some(nil), nil) }
                    state.taker = continuation
                    return (nil, nil)
                }
                let event = state.waiting.removeFirst()
                state.bytes -= Self.size(of: event)
                return (.some(event), state.bytes <= Self.limit ? state.adder.take() : nil)
            }
            adder?.resume()
            if let answer { continuation.resume(returning: answer) }
        }
    }

    private static func size(of event: DaemonSessionEvent) -> Int {
        if case .message(let bytes, _) = event { bytes.count + overhead } else { overhead }
    }
}

/// Sessions that have come to a server and were not taken yet.
final class NodeServerEntrance: DaemonServer {
    let address: String
    let listener: ListenerID
    private let access: any NodeAccess
    private let stream: AsyncStream<Result<NodeSession, DaemonError>>
    private let continuation: AsyncStream<Result<NodeSession, DaemonError>>.Continuation

    init(_ answer: Listen.Answer, _ access: any NodeAccess) {
        // A relay's says by its scheme that what follows is a token.
        address = RelayAddressText.isOne(answer.address) ? answer.address : HostPort.withoutScheme(answer.address)
        listener = answer.listener
        self.access = access
        // The node lets in no more than it holds, so this is bounded by that.
        (stream, continuation) = AsyncStream.makeStream()
    }

    func nextSession() async throws(DaemonError) -> (any DaemonSession)? {
        var iterator = stream.makeAsyncIterator()
        return try await iterator.next(isolation: nil)?.get()
    }

    func close() async {
        continuation.finish()
        _ = try? await access.ask(StopListening(listener))
    }

    func add(_ session: NodeSession) { continuation.yield(.success(session)) }

    func fail(_ error: NodeError) {
        continuation.yield(.failure(DaemonError(.createServerFailed, error.message)))
        continuation.finish()
    }
}
