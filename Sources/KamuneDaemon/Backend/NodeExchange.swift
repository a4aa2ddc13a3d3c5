import Foundation
import Kamune
import KamuneCrypto
import KamuneNode
import KamuneSystem

/// What one window does on the network: dials, listens, and takes the node's events to where they belong.
actor NodeExchange {
    private let window: any NodeAccess
    private var pump: Task<Void, Never>?
    private var isOver = false

    private var servers: [ListenerID: NodeServerEntrance] = [:]
    /// The terms of servers that are being started, or run, and of dials: who is asked about is asked by them.
    private var serverTerms: DaemonTerms?
    private var dialTerms: DaemonTerms?
    private var dialCount = 0

    /// Those of this program.
    private var sessions: [ContactID: NodeSession] = [:]
    /// Conversations that began while something was dialed or a server was started: whose they are is known in a moment.
    private var begun: [ContactID: (session: NodeSession, listener: ListenerID?)] = [:]
    private var verifications: [VerificationID: Task<Void, Never>] = [:]
    /// Up to here every message was taken.
    private var position: Position?

    /// How many events are taken at once.
    private static let batchSize = 64

    private init(_ window: any NodeAccess) { self.window = window }

    /// Begins to follow what the node tells.
    static func begin(_ window: any NodeAccess) async throws(NodeError) -> NodeExchange {
        let exchange = NodeExchange(window)
        _ = try await window.ask(Subscribe(to: NodeClient.Subscription(), decides: true))
        let latest = try await window.ask(GetMessages(limit: 1)).messages.first?.position
        await exchange.start(from: latest)
        return exchange
    }

    private func start(from position: Position?) {
        self.position = position
        pump = Task { await self.follow() }
    }

    /// Follows nothing any more.
    func end() async {
        isOver = true
        for task in verifications.values { task.cancel() }
        pump?.cancel()
        for session in Array(sessions.values) + begun.values.map(\.session) { session.events.finish(.closed) }
        await pump?.value
    }

    // MARK: Dialing and listening

    func dial(_ address: String, _ terms: DaemonTerms) async throws(DaemonError) -> NodeSession {
        dialTerms = terms
        dialCount += 1
        defer {
            dialCount -= 1
            forgetBegun()
        }
        let info: ConversationInfo
        do throws(NodeError) {
            info = try await window.ask(Dial(address: address, ownName: terms.name))
        } catch {
            throw DaemonError(.dialFailed, error.message)
        }
        if let session = sessions[info.contact] { return session }
        let session =
            begun.removeValue(forKey: info.contact)?.session ?? NodeSession(info, window, at: SystemTime().date)
        sessions[info.contact] = session
        return session
    }

    func listen(on address: String, _ terms: DaemonTerms) async throws(DaemonError) -> NodeServerEntrance {
        serverTerms = terms
        dialCount += 1
        defer {
            dialCount -= 1
            forgetBegun()
        }
        do throws(NodeError) {
            let answer = try await window.ask(Listen(on: address, ownName: terms.name))
            let server = NodeServerEntrance(answer, window)
            servers[answer.listener] = server
            for (contact, entry) in begun where entry.listener == answer.listener {
                begun[contact] = nil
                take(entry.session, at: server)
            }
            return server
        } catch {
            throw DaemonError(.createServerFailed, error.message)
        }
    }

    private func take(_ session: NodeSession, at server: NodeServerEntrance) {
        guard sessions[session.contact] == nil else { return }
        sessions[session.contact] = session
        server.add(session)
    }

    /// Conversations that turned out to be another window's are not followed.
    private func forgetBegun() {
        if dialCount == 0 { begun = [:] }
    }

    // MARK: Events

    private func follow() async {
        while !isOver {
            let events = await window.events.next(atMost: Self.batchSize)
            if events.isEmpty { break }
            for event in events { await handle(event) }
        }
        // The node has ended.
        for session in sessions.values { session.events.finish(.lost("the Kamune that holds the storage has ended")) }
        let gone = NodeError(.nodeGone, "The Kamune that holds the storage has ended.")
        if !isOver { for server in servers.values { server.fail(gone) } }
    }

    private func session(_ contact: ContactID) -> NodeSession? { sessions[contact] ?? begun[contact]?.session }

    private func handle(_ event: NodeEvent) async {
        switch event {
        case .began(let info, let listener): conversationBegan(info, listener)
        case .connected(let contact, let link): connected(contact, link)
        case .disconnected(let contact, let error): session(contact)?.interrupted(error.message)
        case .reconnecting(let contact, let attempt, _): session(contact)?.events.add(.reconnecting(attempt: attempt))
        case .reconnectionFailed(let contact, let error):
            session(contact)?.events.add(.reconnectionFailed(error.message))
        case .message(let message): await take(message)
        case .ended(let info, let end):
            session(info.contact)?.ended(end)
            sessions[info.contact] = nil
            begun[info.contact] = nil
        case .listenerFailed(let listener, let error): servers.removeValue(forKey: listener)?.fail(error)
        case .verify(let id, let peer, let recognition, let listener):
            let terms = listener == nil ? dialTerms : serverTerms
            verifications[id] = Task { await self.verify(id, peer, recognition, terms) }
        case .verificationOver(let id): verifications.removeValue(forKey: id)?.cancel()
        case .lagged: await catchUp()
        default: break
        }
    }

    private func conversationBegan(_ info: ConversationInfo, _ listener: ListenerID?) {
        guard sessions[info.contact] == nil else { return }
        let session = NodeSession(info, window, at: SystemTime().date)
        if let listener, let server = servers[listener] {
            take(session, at: server)
        } else if dialCount > 0 {
            begun[info.contact] = (session, listener)
        }
    }

    private func connected(_ contact: ContactID, _ link: LinkInfo) {
        guard let session = session(contact) else { return }
        let isIncoming = !link.isInitiator && sessions[contact] != nil
        if isIncoming, link.session != session.id, let server = servers.values.first {
            let next = session.next(link, at: SystemTime().date)
            sessions[contact] = next
            server.add(next)
        } else {
            session.connected(link)
        }
    }

    private func take(_ message: MessageInfo) async {
        if let position, message.position <= position { return }
        position = message.position
        guard message.direction == .incoming, let session = session(message.contact) else { return }
        session.received(message)
        // While the program does not read, the node is left waiting, and after that the store.
        await session.events.waitForRoom()
    }

    /// Takes from the store what the node has left out.
    private func catchUp() async {
        do throws(NodeError) {
            while let after = position {
                let page = try await window.ask(GetIncoming(after: after))
                for message in page.messages { await take(message) }
                position = max(page.through, position ?? page.through)
                if page.isEnd { break }
            }
            let current = try await window.ask(ListConversations()).conversations
            for (contact, session) in sessions where !current.contains(where: { $0.contact == contact }) {
                session.events.finish(.lost("the conversation is over"))
                sessions[contact] = nil
            }
        } catch {
            // The node has ended; its events end too.
        }
    }

    // MARK: Verification

    private func verify(
        _ id: VerificationID, _ peer: PeerInfo, _ recognition: Recognition, _ terms: DaemonTerms?
    ) async {
        let answer: AnswerVerification
        if recognition.standing == .blocked {
            answer = AnswerVerification(id, refusing: "They are blocked.")
        } else {
            let introduction = DaemonIntroduction(
                name: peer.name, key: peer.publicKey.key, isKnown: recognition.standing == .known)
            switch await terms?.verify(introduction) ?? .refuse {
            case .acceptKnown: answer = AnswerVerification(id, accepting: .known)
            // Whoever lets in everybody has them remembered too, as the Go daemon does.
            case .accept, .acceptAnybody: answer = AnswerVerification(id, accepting: .person)
            case .refuse: answer = AnswerVerification(id, refusing: "They were refused.")
            }
        }
        verifications[id] = nil
        _ = try? await window.ask(answer)
    }
}
