public import Foundation
import Kamune
import KamuneStore
import KamuneSystem

/// Sends messages to a contact, in this order: they are stored when the answer comes, and go out when the contact is there.
public struct SendMessages: NodeRequest {
    /// How it is called.
    public static let name = "messages.send"
    /// Messages arrive in the order in which they were sent.
    public static let isOrdered = true

    /// The messages.
    public struct Answer: Codable, Sendable, Equatable {
        /// In the order in which they were given.
        public var messages: [MessageInfo]
        /// Whether the contact is connected at the moment.
        public var isConnected: Bool
    }

    /// To whom.
    public var contact: ContactID
    /// A text to send.
    public var text: String?
    /// Or bodies to send, up to 1,024 at once.
    public var bodies: [Bytes]?
    /// What the bodies carry: 0, which is also meant without it, for text.
    public var kind: UInt8?
    /// Whether to wait, before they are stored, while too much is under way to the contact.
    public var waitsForRoom: Bool?

    /// Asks for it.
    public init(to contact: ContactID, text: String) {
        (self.contact, self.text) = (contact, text)
    }

    /// Asks for it.
    public init(to contact: ContactID, bodies: [[UInt8]], kind: UInt8 = 0, waitsForRoom: Bool = false) {
        (self.contact, self.bodies, self.kind) = (contact, bodies.map(Bytes.init), kind)
        self.waitsForRoom = waitsForRoom
    }

    /// How many messages may be sent at once.
    private static let maximumCount = 1_024

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let bodies = (text.map { [Array($0.utf8)] } ?? []) + (bodies ?? []).map(\.bytes)
        guard !bodies.isEmpty, bodies.count <= Self.maximumCount else {
            throw NodeError(.invalidParameter, "There must be 1 to \(Self.maximumCount) messages.")
        }
        let kind = MessageKind(rawValue: kind ?? 0)
        var isConnected = false
        if let conversation = await node.talk(with: contact.peer)?.conversation {
            if waitsForRoom == true { await conversation.waitForRoom() }
            isConnected = await conversation.isConnected
        }
        let stored = try await node.write(bodies, kind: kind, to: contact)
        let messages = stored.map(MessageInfo.init)
        if !isConnected { await node.noteWritten(to: contact) }
        node.hub.publish(messages.map { .message($0) }, except: client)
        return Answer(messages: messages, isConnected: isConnected)
    }
}

extension Node {
    /// Sends messages to somebody, who may be there or not.
    func write(_ bodies: [[UInt8]], kind: MessageKind, to contact: ContactID) async throws(NodeError) -> [StoredMessage]
    {
        let messenger = try await talker()
        if talks[contact.peer] == nil { _ = try await peer(contact) }
        return try await asNode { try await messenger.write(bodies, kind: kind, to: contact.peer) }
    }
}

/// A page of the history, the latest first.
public struct GetMessages: NodeRequest {
    /// How it is called.
    public static let name = "messages.list"

    /// The messages.
    public struct Answer: Codable, Sendable, Equatable {
        /// The latest first.
        public var messages: [MessageInfo]
        /// Where to go on, as `before`; nil when there is nothing more.
        public var next: Position?
    }

    /// With whom; nil for everybody.
    public var contact: ContactID?
    /// Words that a message must hold, all of them, in any order and case; nil for every message.
    public var words: String?
    /// Whether "cat" is not found in "concatenate".
    public var wholeWords: Bool?
    /// Only what was said in this session.
    public var session: String?
    /// Only what came or was written then or later.
    public var from: Date?
    /// Only what came or was written before.
    public var until: Date?
    /// Only what lies before this place.
    public var before: Position?
    /// At most so many, up to 1,000; 100 without it.
    public var limit: Int?

    /// Asks for a page.
    public init(
        with contact: ContactID? = nil, words: String? = nil, wholeWords: Bool = false, session: String? = nil,
        from: Date? = nil, until: Date? = nil, before: Position? = nil, limit: Int = 100
    ) {
        (self.contact, self.words, self.wholeWords, self.session) = (contact, words, wholeWords, session)
        (self.from, self.until, self.before, self.limit) = (from, until, before, limit)
    }

    /// How many bytes of bodies a page has, less the last message.
    private static let pageBytes = 256 << 10
    /// After this time a page has what was found: whoever searches wants to see it.
    private static let patience = Duration.milliseconds(50)

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let limit = limit ?? 100
        guard (1...1_000).contains(limit) else {
            throw NodeError(.invalidParameter, "The limit is a number from 1 to 1000.")
        }
        var search = MessageSearch(
            words ?? "", wholeWords: wholeWords ?? false, peer: contact?.peer, from: from, until: until)
        search.before = before?.place
        let (store, wanted, identifier) = (node.store, search, session)
        return try await asNode {
            var only: SessionID?
            if let identifier {
                guard let session = try await store.session(identifier: identifier) else {
                    throw NodeError(.noSuchRecord, "There is no such conversation in the store.")
                }
                only = session.id
            }
            var messages: [MessageInfo] = []
            var size = 0
            let clock = node.time
            let start = clock.monotonic
            for try await message in store.search(wanted) where only.map({ message.session == $0 }) ?? true {
                messages.append(MessageInfo(message))
                size += message.body.count
                let isLate = clock.monotonic - start > Self.patience
                if messages.count == limit || size >= Self.pageBytes || isLate {
                    return Answer(messages: messages, next: Position(message.position))
                }
            }
            return Answer(messages: messages, next: nil)
        }
    }
}

/// A page of the history, the oldest first.
public struct GetMessagesForward: NodeRequest {
    /// How it is called.
    public static let name = "messages.forward"

    /// The messages.
    public struct Answer: Codable, Sendable, Equatable {
        /// The oldest first.
        public var messages: [MessageInfo]
        /// Where to go on, as `after`; nil when there is nothing more.
        public var next: Position?
    }

    /// With whom; nil for everybody.
    public var contact: ContactID?
    /// Only what lies after this place; nil for the beginning.
    public var after: Position?

    /// Asks for a page.
    public init(with contact: ContactID? = nil, after: Position? = nil) {
        (self.contact, self.after) = (contact, after)
    }

    private static let pageSize = 256
    private static let pageBytes = 256 << 10

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let (store, peer, start) = (node.store, contact?.peer, after?.place)
        return try await asNode {
            let page = try await store.read {
                try $0.messages(with: peer, after: start, limit: Self.pageSize, byteLimit: Self.pageBytes)
            }
            return Answer(messages: page.map(MessageInfo.init), next: page.last.map { Position($0.position) })
        }
    }
}

/// What came in after a place, of whichever contact, in the order in which it was stored.
public struct GetIncoming: NodeRequest {
    /// How it is called.
    public static let name = "messages.incoming"

    /// The messages.
    public struct Answer: Codable, Sendable, Equatable {
        /// In the order in which they were stored.
        public var messages: [MessageInfo]
        /// Nothing that came in up to here is left out.
        public var through: Position
        /// Whether these are all.
        public var isEnd: Bool
    }

    /// The place.
    public var after: Position
    /// Only up to here.
    public var through: Position?
    /// How many bytes the bodies have, less the last one: 256 KiB at most, and without it.
    public var bytes: Int?

    /// Asks for a page.
    public init(after: Position, through: Position? = nil, bytes: Int? = nil) {
        (self.after, self.through, self.bytes) = (after, through, bytes)
    }

    private static let maximumBytes = 256 << 10

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let (store, start, last) = (node.store, after.place, through?.place)
        let bytes = min(max(1, bytes ?? Self.maximumBytes), Self.maximumBytes)
        return try await asNode {
            let page = try await store.incomingMessages(after: start, through: last, bytes: bytes)
            return Answer(
                messages: page.messages.map(MessageInfo.init), through: Position(page.through), isEnd: page.isEnd)
        }
    }
}

/// How far an output has come, to which what comes in is written besides being kept.
public struct GetOutput: NodeRequest {
    /// How it is called.
    public static let name = "outputs.get"
    /// The place up to which everything was written.
    public struct Answer: Codable, Sendable, Equatable {
        /// Up to here; for a new output, the latest message that there is.
        public var written: Position
    }

    /// The output's name.
    public var output: String

    /// Asks for it.
    public init(_ output: String) { self.output = output }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let (store, name) = (node.store, output)
        return Answer(written: Position(try await asNode { try await store.outputPosition(name) }))
    }
}

/// Notes that everything up to a place was written to an output.
public struct NoteWritten: NodeRequest {
    /// How it is called.
    public static let name = "outputs.written"
    /// It was done.
    public typealias Answer = Done

    /// The output's name.
    public var output: String
    /// Up to here.
    public var through: Position

    /// Asks for it.
    public init(_ output: String, through: Position) { (self.output, self.through) = (output, through) }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Done {
        let (store, name, place) = (node.store, output, through.place)
        try await asNode { try await store.noteWritten(through: place, to: name) }
        return Done()
    }
}

/// Deletes what was said with a contact.
public struct DeleteMessages: NodeRequest {
    /// How it is called.
    public static let name = "messages.delete"

    /// What was deleted.
    public struct Answer: Codable, Sendable, Equatable {
        /// How many messages.
        public var messages: Int
    }

    /// With whom.
    public var contact: ContactID
    /// Only what is older.
    public var before: Date?

    /// Asks for it.
    public init(with contact: ContactID, before: Date? = nil) { (self.contact, self.before) = (contact, before) }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let (peer, _) = try await node.peer(contact)
        let (store, before) = (node.store, before)
        return Answer(messages: try await asNode { try await store.deleteHistory(with: peer.id, before: before) })
    }
}
