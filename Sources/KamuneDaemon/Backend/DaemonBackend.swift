public import Foundation
public import KamuneCrypto

/// What the daemon's protocol stands on: opens stores.
public protocol DaemonBackend: Sendable {
    /// The requests beyond the protocol's that a store answers, by their names; empty for none.
    var vocabulary: Set<String> { get }

    /// Opens a store, or makes one where there is nothing.
    ///
    /// - Parameter passphrase: nil for a store without one.
    /// - Throws: ``DaemonError/Code/storageOpenFailed``.
    func open(path: String, passphrase: JSONSecret?) async throws(DaemonError) -> any DaemonStorage
}

extension DaemonBackend {
    /// None.
    public var vocabulary: Set<String> { [] }
}

/// Answers requests beyond the protocol's, for one program.
public protocol DaemonVocabulary: Sendable {
    /// Whether requests of this name are done one after another, in the order in which they come.
    func isOrdered(_ name: String) -> Bool
    /// Answers a request.
    ///
    /// - Parameter line: As it came.
    /// - Returns: The line that answers it, without its end.
    func answer(_ name: String, id: String, line: [UInt8]) async -> [UInt8]
    /// The next lines that tell what has happened, waiting for one; none at the end.
    func nextEvents() async -> [[UInt8]]
    /// Answers nothing any more.
    func close() async
}

/// A person's store, and the person's place on the network.
public protocol DaemonStorage: Sendable {
    /// Who the person is.
    var identity: PublicIdentity { get }

    /// Closes it. Nothing is asked of it afterwards.
    func close() async

    /// What answers requests beyond the protocol's; nil when there is nothing.
    func openVocabulary() async throws(DaemonError) -> (any DaemonVocabulary)?

    /// A setting of the daemon's; nil when it was never set.
    func setting(_ name: String) async throws(DaemonError) -> String?
    /// Keeps a setting of the daemon's.
    func setSetting(_ name: String, to value: String) async throws(DaemonError)

    /// Listens.
    ///
    /// - Parameters:
    ///   - address: With the way before it, such as `tcp://127.0.0.1:9000`.
    ///   - terms: Under which name, and who is let in.
    /// - Throws: ``DaemonError/Code/createServerFailed``.
    func listen(on address: String, _ terms: DaemonTerms) async throws(DaemonError) -> any DaemonServer
    /// Dials.
    ///
    /// - Throws: ``DaemonError/Code/dialFailed``.
    func dial(_ address: String, _ terms: DaemonTerms) async throws(DaemonError) -> any DaemonSession

    /// Everybody who is known.
    func peers() async throws(DaemonError) -> [DaemonPeer]
    /// Somebody by key; nil when the key is nobody's.
    func peer(_ key: PublicIdentity) async throws(DaemonError) -> DaemonPeer?
    /// Trusts a key.
    ///
    /// - Throws: ``DaemonError/Code/peerAlreadyExists``.
    func addPeer(_ key: PublicIdentity, name: String) async throws(DaemonError)
    /// Gives somebody a name.
    ///
    /// - Throws: ``DaemonError/Code/peerNotFound``.
    func renamePeer(_ key: PublicIdentity, to name: String) async throws(DaemonError)
    /// Forgets somebody. Whoever is not known is forgotten already.
    func deletePeer(_ key: PublicIdentity) async throws(DaemonError)

    /// The sessions that are kept, the one with the latest message first.
    func historySessions() async throws(DaemonError) -> [DaemonHistorySession]
    /// What was said in a session, in order; of more than so many bytes the latest.
    func historyMessages(
        _ id: String, size: Int
    ) async throws(DaemonError) -> (messages: [DaemonMessage], isWhole: Bool)
    /// Gives a session a name; an empty one takes it away.
    func renameHistorySession(_ id: String, to name: String) async throws(DaemonError)
    /// Deletes a session with what was said in it. One that is not there is deleted already.
    func deleteHistorySession(_ id: String) async throws(DaemonError)
}

extension DaemonStorage {
    /// Nothing.
    public func openVocabulary() async throws(DaemonError) -> (any DaemonVocabulary)? { nil }
}

/// Under which name one is on the network, and who is let in.
public struct DaemonTerms: Sendable {
    /// The name that peers are told.
    public let name: String
    /// Whether nothing of what is said is kept.
    public let isIncognito: Bool
    /// Asked about every peer that introduces itself. The task is cancelled when the peer goes away.
    public let verify: @Sendable (DaemonIntroduction) async -> DaemonVerdict

    /// Terms.
    public init(
        name: String, isIncognito: Bool, verify: @escaping @Sendable (DaemonIntroduction) async -> DaemonVerdict
    ) {
        self.name = name
        self.isIncognito = isIncognito
        self.verify = verify
    }
}

/// Somebody who introduces themselves, and has shown that the key is theirs.
public struct DaemonIntroduction: Sendable {
    /// The name that they gave.
    public let name: String
    /// Their key.
    public let key: PublicIdentity
    /// Whether the person has accepted the key before, and that still holds.
    public let isKnown: Bool

    /// An introduction.
    public init(name: String, key: PublicIdentity, isKnown: Bool) {
        self.name = name
        self.key = key
        self.isKnown = isKnown
    }
}

/// What is said about somebody who introduces themselves.
public enum DaemonVerdict: Sendable, Equatable {
    /// A person has accepted them.
    case accept
    /// They are let in because they are known.
    case acceptKnown
    /// They are let in because everybody is.
    case acceptAnybody
    /// They are not.
    case refuse
}

/// Listens at an address.
public protocol DaemonServer: Sendable {
    /// Where it listens, as `host:port`, with the port that the system chose.
    var address: String { get }
    /// The next session, waiting for it; nil when the server was closed.
    ///
    /// - Throws: ``DaemonError`` when the server cannot go on.
    func nextSession() async throws(DaemonError) -> (any DaemonSession)?
    /// Stops listening. Sessions go on.
    func close() async
}

/// A conversation with somebody, as long as it goes on.
public protocol DaemonSession: Sendable {
    /// By what the two sides call it. It stays the same when connections come and go.
    var id: String { get }
    /// What to call the peer.
    var peerName: String { get }
    /// The protocol version that the peer announced; empty when that is not known.
    var peerVersion: String { get }
    /// The other end's address, as `host:port`.
    var remoteAddress: String { get }
    /// When the first connection was made.
    var startedAt: Date { get }
    /// How many messages of it are kept from before.
    var messageCount: Int { get }
    /// What happens next, waiting for it; nil when the session is over. Asked by one task at a time.
    func nextEvent() async -> DaemonSessionEvent?
    /// Sends messages, in this order: all of them, or none when this throws.
    ///
    /// - Returns: When each was written.
    /// - Throws: ``DaemonError/Code/sendMessageFailed``.
    func send(_ bodies: [[UInt8]]) async throws(DaemonError) -> [Date]
    /// Says goodbye.
    func close() async
}

/// What happens in a session.
public enum DaemonSessionEvent: Sendable {
    /// A message came in.
    case message([UInt8], writtenAt: Date)
    /// The connection is lost. The peer is dialed again, or waited for.
    case interrupted(String)
    /// The peer is dialed again.
    case reconnecting(attempt: Int)
    /// Dialing came to nothing this time.
    case reconnectionFailed(String)
    /// The connection is back.
    case reconnected
    /// The session is over. It is the last event.
    case ended(DaemonSessionEnd)
}

/// How a session has ended.
public enum DaemonSessionEnd: Sendable, Equatable {
    /// We ended it.
    case closed
    /// The peer said goodbye.
    case closedByPeer
    /// The connection is lost.
    case lost(String)
}

/// Somebody who is known.
public struct DaemonPeer: Sendable {
    /// What to call them.
    public let name: String
    /// Their key.
    public let key: PublicIdentity
    /// The protocol version that they used last.
    public let version: String
    /// When they were met first.
    public let firstSeen: Date
    /// When there was a session with them last.
    public let lastSeen: Date

    /// Somebody.
    public init(name: String, key: PublicIdentity, version: String, firstSeen: Date, lastSeen: Date) {
        self.name = name
        self.key = key
        self.version = version
        self.firstSeen = firstSeen
        self.lastSeen = lastSeen
    }
}

/// A session that is kept.
public struct DaemonHistorySession: Sendable {
    /// By what the two sides called it.
    public let id: String
    /// What the person calls it; empty for nothing.
    public let name: String
    /// How many messages there are.
    public let messageCount: Int
    /// When the first was written, and the last; nil when there is none.
    public let period: ClosedRange<Date>?

    /// A session.
    public init(id: String, name: String, messageCount: Int, period: ClosedRange<Date>?) {
        self.id = id
        self.name = name
        self.messageCount = messageCount
        self.period = period
    }
}

/// A message that is kept.
public struct DaemonMessage: Sendable {
    /// Its content.
    public let bytes: [UInt8]
    /// When it was written.
    public let writtenAt: Date
    /// Whether we wrote it.
    public let isOurs: Bool

    /// A message.
    public init(bytes: [UInt8], writtenAt: Date, isOurs: Bool) {
        self.bytes = bytes
        self.writtenAt = writtenAt
        self.isOurs = isOurs
    }
}
