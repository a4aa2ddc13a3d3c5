import Foundation
import KamuneStore
import KamuneTransport
import Testing

@testable import Kamune

/// Two people with messengers, each with a store of their own, joined over memory by whoever tests them.
struct TwoMessengers: Sendable {
    let ada: Messenger
    let bob: Messenger

    init(ada: Messenger, bob: Messenger) {
        self.ada = ada
        self.bob = bob
    }

    init(
        adaStore: Store? = nil, bobStore: Store? = nil, adaIdentity: Identity? = nil, bobIdentity: Identity? = nil,
        adaAnnounces: Bool = true, bobAnnounces: Bool = true, reconnection: Reconnection = .init(),
        adaVerifier: any PeerVerifier = .anyone, bobVerifier: any PeerVerifier = .anyone,
        bobObserver: ConversationObserver? = nil, adaBook: (any AddressBook)? = nil,
        adjust: (inout Configuration) -> Void = { _ in }
    ) async throws {
        ada = try await Self.messenger(
            "Ada", adaStore ?? Store.inMemory(), adaIdentity ?? .generate(.ed25519), adaAnnounces, reconnection,
            adaVerifier, nil, adaBook, adjust)
        bob = try await Self.messenger(
            "Bob", bobStore ?? Store.inMemory(), bobIdentity ?? .generate(.ed25519), bobAnnounces, reconnection,
            bobVerifier, bobObserver, nil, adjust)
    }

    private static func messenger(
        _ name: String, _ store: Store, _ identity: Identity, _ announces: Bool, _ reconnection: Reconnection,
        _ verifier: any PeerVerifier, _ observer: ConversationObserver?,
        _ book: (any AddressBook)?, _ adjust: (inout Configuration) -> Void
    ) async throws -> Messenger {
        if try await store.currentIdentity() == nil { _ = try await store.add(identity, name: name, at: Date()) }
        var configuration = Configuration()
        configuration.handshakeTimeout = .seconds(240)
        configuration.closeTimeout = .seconds(60)
        configuration.announcesCapabilities = announces
        adjust(&configuration)
        return Messenger(
            identity: identity, name: name, verifier: verifier, store: store, configuration: configuration,
            reconnection: reconnection, observer: observer, book: book)
    }

    /// Has each accept the other, as a person does. Only with whom one knows a session is resumed.
    func accept() async throws {
        _ = try await ada.store.accept(bob.endpoint.identity.publicKey, name: "Bob", at: Date())
        _ = try await bob.store.accept(ada.endpoint.identity.publicKey, name: "Ada", at: Date())
    }

    /// Connects the two, Ada as the initiator unless said otherwise.
    ///
    /// - Parameter wrap: Puts something around Ada's end of the connection.
    /// - Returns: The conversation of each, and the sessions under it.
    @discardableResult
    func connect(
        isAdaInitiator: Bool = true, isResuming: Bool = false,
        wrap: (any Connection) -> any Connection = { $0 }
    ) async throws(KamuneError) -> (ada: Conversation, bob: Conversation, sessions: SessionPair) {
        let (first, second) = MemoryTransport.pair()
        let near = wrap(first)
        let (ada, bob) = (ada.endpoint, bob.endpoint)
        let initiator = isAdaInitiator ? (ada, near) : (bob, second)
        let responder = isAdaInitiator ? (bob, second) : (ada, near)
        let accepting = Task { () async throws(KamuneError) -> Session in
            try await responder.0.respond(over: responder.1)
        }
        let dialed: Session
        do throws(KamuneError) {
            dialed = try await initiator.0.initiate(
                over: initiator.1, expecting: responder.0.identity.publicKey, isResuming: isResuming)
        } catch {
            responder.1.abort()
            // The other side may have come through; it then learns later that nobody is there.
            if case .success(let session) = await accepting.result {
                _ = try await (isAdaInitiator ? self.bob : self.ada).adopt(session)
            }
            throw error
        }
        let atInitiator = try await (isAdaInitiator ? self.ada : self.bob).adopt(dialed).conversation
        let accepted: Session
        switch await accepting.result {
        case .success(let session): accepted = session
        case .failure(let error): throw (error as? KamuneError) ?? KamuneError(.system, "\(error)")
        }
        let atResponder = try await (isAdaInitiator ? self.bob : self.ada).adopt(accepted).conversation
        let sessions = SessionPair(initiator: dialed, responder: accepted)
        return isAdaInitiator ? (atInitiator, atResponder, sessions) : (atResponder, atInitiator, sessions)
    }
}

/// Takes the events of a conversation as they come.
actor EventReader {
    private var iterator: ConversationEvents.AsyncIterator
    private(set) var seen: [ConversationEvent] = []

    init(_ conversation: Conversation) {
        iterator = conversation.events.makeAsyncIterator()
    }

    /// Takes events until one is found, which is returned; nil when the conversation ends without it.
    @discardableResult
    func next<Found: Sendable>(where find: @Sendable (ConversationEvent) -> Found?) async throws -> Found? {
        var iterator = iterator
        defer { self.iterator = iterator }
        while let event = try await iterator.next(isolation: self) {
            seen.append(event)
            if let found = find(event) { return found }
        }
        return nil
    }

    /// The next messages that come in, as texts.
    func texts(_ count: Int) async throws -> [String] {
        var texts: [String] = []
        while texts.count < count, let text = try await next(where: { $0.text }) { texts.append(text) }
        return texts
    }
}

extension ConversationEvent {
    /// What a message that came in says.
    var text: String? {
        if case .message(let message) = self { message.text } else { nil }
    }

    /// The state that a message of ours came to.
    func state(of id: MessageID) -> MessageState? {
        if case .stateChanged(id, let state) = self { state } else { nil }
    }

    var summary: SessionSummary? {
        if case .connected(let summary) = self { summary } else { nil }
    }

    /// Why the connection was lost.
    var loss: KamuneError? {
        if case .disconnected(let error) = self { error } else { nil }
    }

    /// Why dialing again came to nothing.
    var attemptFailure: KamuneError? {
        if case .reconnectionFailed(let error) = self { error } else { nil }
    }

    var end: SessionEnd? {
        if case .ended(let end) = self { end } else { nil }
    }
}
