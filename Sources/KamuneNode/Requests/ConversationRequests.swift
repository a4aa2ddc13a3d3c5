import Kamune
import KamuneStore
import KamuneSystem

/// Connects to an address, and holds the conversation open until this client hangs up or goes.
public struct Dial: NodeRequest {
    /// How it is called.
    public static let name = "conversations.dial"
    /// The conversation.
    public typealias Answer = ConversationInfo

    /// Where somebody listens; without it, the contact's known addresses are tried.
    public var address: String?
    /// Whom to reach; nobody else is accepted then. Without it, whoever is there.
    public var contact: ContactID?
    /// The fingerprint of the key that whoever is there must have; with it nobody is asked.
    public var expects: KeyFingerprint?
    /// What whoever is there is told to call us; without it, the name of the identity.
    public var ownName: String?
    /// What is done otherwise than by the node's other conversations.
    public var options: LinkOptions?

    /// Asks for it.
    public init(
        address: String? = nil, contact: ContactID? = nil, expecting expects: KeyFingerprint? = nil,
        ownName: String? = nil, options: LinkOptions? = nil
    ) {
        (self.address, self.contact, self.expects, self.ownName) = (address, contact, expects, ownName)
        self.options = options
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> ConversationInfo {
        let settings = try options?.settings()
        var expected = expects?.key
        var addresses = address.map { [DialAddress($0)] } ?? []
        if let contact {
            let (peer, _) = try await node.peer(contact)
            if let expects, !expects.matches(peer.key) {
                throw NodeError(.invalidParameter, "The contact has another key than the one that is expected.")
            }
            expected = peer.key
            // Whoever is there need not be looked for, and nobody else's connection is to be replaced.
            if addresses.isEmpty, let conversation = await node.talk(with: peer.id)?.conversation,
                await conversation.isConnected
            {
                await node.hold(contact, by: client)
                return try await node.describe(conversation)
            }
            if addresses.isEmpty {
                addresses = await StoreAddressBook(node.store, time: node.time).addresses(of: peer.id)
            }
        }
        guard !addresses.isEmpty else {
            throw NodeError(.noAddress, "It is not known where to reach them; name an address.")
        }
        return try await node.dial(
            addresses, expecting: expected, of: expects, as: ownName, with: settings, for: client)
    }
}

/// Waits for peers at an address, for as long as this client is there.
public struct Listen: NodeRequest {
    /// How it is called.
    public static let name = "listeners.start"

    /// The listener.
    public struct Answer: Codable, Sendable, Equatable {
        /// Names the listener.
        public var listener: ListenerID
        /// Where it listens, with the port that the system chose.
        public var address: String
        /// Where others can reach it.
        public var reachable: [ReachableAddress]
    }

    /// The address: `host:port`, or `:port` for every interface; port 0 lets the system choose.
    public var address: String
    /// The fingerprint of the key that whoever comes must have; with it nobody is asked.
    public var expects: KeyFingerprint?
    /// What whoever comes is told to call us; without it, the name of the identity.
    public var ownName: String?
    /// What is done otherwise than at the node's other addresses.
    public var options: LinkOptions?

    /// Asks for it.
    public init(
        on address: String, expecting expects: KeyFingerprint? = nil, ownName: String? = nil,
        options: LinkOptions? = nil
    ) {
        (self.address, self.expects, self.ownName, self.options) = (address, expects, ownName, options)
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let (id, address) = try await node.listen(
            on: address, expecting: expects, as: ownName, with: try options?.settings(), for: client)
        return Answer(listener: id, address: address, reachable: ReachableAddress.list(address))
    }
}

/// Waits no more at an address. Conversations go on.
public struct StopListening: NodeRequest {
    /// How it is called.
    public static let name = "listeners.stop"
    /// It was done.
    public typealias Answer = Done

    /// Which listener.
    public var listener: ListenerID

    /// Asks for it.
    public init(_ listener: ListenerID) { self.listener = listener }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Done {
        await node.stopListening(listener)
        return Done()
    }
}

/// All conversations that are under way.
public struct ListConversations: NodeRequest {
    /// How it is called.
    public static let name = "conversations.list"

    /// The conversations.
    public struct Answer: Codable, Sendable, Equatable {
        /// In no particular order.
        public var conversations: [ConversationInfo]
    }

    /// Asks for them.
    public init() {}

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        var conversations: [ConversationInfo] = []
        for talk in await node.talks.values { conversations.append(try await node.describe(talk.conversation)) }
        return Answer(conversations: conversations)
    }
}

/// How a conversation stands.
public struct GetConversation: NodeRequest {
    /// How it is called.
    public static let name = "conversations.get"
    /// The conversation.
    public typealias Answer = ConversationInfo

    /// With whom.
    public var contact: ContactID

    /// Asks for it.
    public init(with contact: ContactID) { self.contact = contact }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> ConversationInfo {
        try await node.describe(try await node.conversation(with: contact))
    }
}

/// Waits until every message of a conversation has come as far as it can: delivered, or for a peer of version 0.7 sent.
public struct AwaitDelivery: NodeRequest {
    /// How it is called.
    public static let name = "conversations.await_delivery"

    /// How it stands then.
    public struct Answer: Codable, Sendable, Equatable {
        /// How many have not.
        public var undelivered: Int
        /// Whether the two are connected.
        public var isConnected: Bool
        /// Whether the conversation is over.
        public var isOver: Bool
    }

    /// With whom.
    public var contact: ContactID
    /// How long to wait, in seconds, up to a day.
    public var seconds: Double

    /// Asks for it.
    public init(with contact: ContactID, seconds: Double) { (self.contact, self.seconds) = (contact, seconds) }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        guard seconds >= 0, seconds <= 86_400 else {
            throw NodeError(.invalidParameter, "The time to wait is a number of seconds up to a day.")
        }
        guard let talk = await node.talk(with: contact.peer) else {
            return Answer(undelivered: 0, isConnected: false, isOver: true)
        }
        let conversation = talk.conversation
        await conversation.waitUntilDelivered(for: .seconds(seconds))
        return Answer(
            undelivered: await conversation.undeliveredCount, isConnected: await conversation.isConnected,
            isOver: await conversation.hasEnded)
    }
}

/// Asks whether a contact is there.
public struct PingContact: NodeRequest {
    /// How it is called.
    public static let name = "conversations.ping"

    /// The answer.
    public struct Answer: Codable, Sendable, Equatable {
        /// How long it took to come, in seconds.
        public var seconds: Double
    }

    /// Whom.
    public var contact: ContactID

    /// Asks for it.
    public init(_ contact: ContactID) { self.contact = contact }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let conversation = try await node.conversation(with: contact)
        return Answer(seconds: try await asNode { try await conversation.ping() } / .seconds(1))
    }
}

/// Has a client hold a conversation open that there is already.
public struct JoinConversation: NodeRequest {
    /// How it is called.
    public static let name = "conversations.join"
    /// The conversation.
    public typealias Answer = ConversationInfo

    /// With whom.
    public var contact: ContactID

    /// Asks for it.
    public init(with contact: ContactID) { self.contact = contact }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> ConversationInfo {
        let conversation = try await node.conversation(with: contact)
        await node.hold(contact, by: client)
        return try await node.describe(conversation)
    }
}

/// Says goodbye in a conversation, when no other client holds it open, and waits until it is over.
public struct HangUp: NodeRequest {
    /// How it is called.
    public static let name = "conversations.hang_up"

    /// How it ended.
    public struct Answer: Codable, Sendable, Equatable {
        /// Whether it is over; else another client holds it open.
        public var isOver: Bool
    }

    /// With whom.
    public var contact: ContactID
    /// Whether to end it also for the others.
    public var forAll: Bool?

    /// Asks for it.
    public init(_ contact: ContactID, forAll: Bool = false) { (self.contact, self.forAll) = (contact, forAll) }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        Answer(isOver: await node.hangUp(contact, by: client, forAll: forAll ?? false))
    }
}

/// Decides about somebody who has introduced themselves: see ``NodeEvent/verify(_:_:_:listener:)``.
public struct AnswerVerification: NodeRequest {
    /// How it is called.
    public static let name = "verification.answer"
    /// It was done. An answer that nobody waits for, since it came too late, another has answered, or nothing was asked, is
    /// ``NodeError/Code/noSuchRecord``.
    public typealias Answer = Done

    /// Which attempt.
    public var verification: VerificationID
    /// On what grounds they are let in; nil when they are not.
    public var grounds: Grounds?
    /// Why they are not let in, for the log.
    public var reason: String?
    /// What they are told when they are not let in; nil for nothing.
    public var telling: Telling?

    /// What somebody is told who is not let in.
    public enum Telling: String, Codable, Sendable, CaseIterable {
        /// A person or a rule has refused them.
        case refused
        /// There is no place for one more now.
        case busy
        /// Nobody is there who could accept them. That is also for those who are blocked.
        case away
        /// Their request is noted, and they wait to be accepted.
        case waiting
    }

    /// On what somebody is let in.
    public enum Grounds: String, Codable, Sendable, CaseIterable {
        /// They are known, and that holds.
        case known
        /// The person has accepted this very key just now.
        case person
        /// A rule that needs no acceptance lets them in.
        case policy
    }

    /// Lets somebody in.
    public init(_ verification: VerificationID, accepting grounds: Grounds) {
        (self.verification, self.grounds) = (verification, grounds)
    }

    /// Does not let somebody in.
    public init(_ verification: VerificationID, refusing reason: String, telling: Telling? = nil) {
        (self.verification, self.reason, self.telling) = (verification, reason, telling)
    }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Done {
        guard await node.isAwaited(verification, from: client) else {
            throw NodeError(.noSuchRecord, "Nobody waits for this answer, or not any more.")
        }
        switch grounds {
        case .known: await node.decide(verification, .accept(.known))
        case .person: await node.decide(verification, .accept(.person))
        case .policy: await node.decide(verification, .accept(.policy))
        case nil:
            let reason = reason ?? "They were refused."
            switch telling {
            case .waiting: await node.decide(verification, .wait)
            case .refused: await node.decide(verification, .refuse(reason: reason, telling: .refused))
            case .busy: await node.decide(verification, .refuse(reason: reason, telling: .busy))
            case .away: await node.decide(verification, .refuse(reason: reason, telling: .away))
            case nil: await node.decide(verification, .refuse(reason: reason))
            }
        }
        return Done()
    }
}

extension Node {
    /// The conversation with a contact.
    func conversation(with contact: ContactID) throws(NodeError) -> Conversation {
        guard let talk = talks[contact.peer] else {
            throw NodeError(.notConnected, "There is no conversation with them at the moment.")
        }
        return talk.conversation
    }

    /// A client holds a conversation open.
    func hold(_ contact: ContactID, by client: NodeClient) {
        guard hub.client(client.number) != nil else { return }
        talks[contact.peer]?.holders.insert(client.number)
    }

    /// A client holds a conversation open no more.
    ///
    /// - Returns: Whether it is over.
    func hangUp(_ contact: ContactID, by client: NodeClient, forAll: Bool) async -> Bool {
        guard let talk = talks[contact.peer] else { return true }
        talks[contact.peer]?.holders.remove(client.number)
        guard forAll || talks[contact.peer]?.holders.isEmpty != false else { return false }
        await talk.conversation.close()
        return true
    }
}
