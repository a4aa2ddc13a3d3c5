public import Foundation
import GRDB

/// A session to be stored.
public struct NewSession: Sendable {
    /// With whom.
    public var peer: PeerID
    /// The identifier that both sides have.
    public var identifier: String
    /// What the person calls it.
    public var name: String?
    /// When the two introduced themselves, by this machine's clock.
    public var established: Date
    /// How the two are connected.
    public var transport: String
    /// Whether this side opened the connection.
    public var isInitiator: Bool
    /// Under which identity.
    public var identity: IdentityID?
    /// The additions that both announced.
    public var capabilities: [String]
    /// What each announced.
    public var announced: SessionAnnouncements?
    /// The SHA-256 of our key.
    var ownKeyDigest: [UInt8]?

    /// A session to be stored.
    public init(
        peer: PeerID, identifier: String, name: String? = nil, established: Date, transport: String,
        isInitiator: Bool, identity: IdentityID? = nil, capabilities: [String] = [],
        announced: SessionAnnouncements? = nil
    ) {
        self.peer = peer
        self.identifier = identifier
        self.name = name
        self.established = established
        self.transport = transport
        self.isInitiator = isInitiator
        self.identity = identity
        self.capabilities = capabilities
        self.announced = announced
    }
}

extension Store {
    /// Sessions, latest first.
    ///
    /// - Parameters:
    ///   - peer: only those with this peer.
    ///   - limit: at most so many.
    public func sessions(with peer: PeerID? = nil, limit: Int = .max) async throws(StoreError) -> [StoredSession] {
        try await read { try $0.sessions(with: peer, limit: limit) }
    }

    /// A session by number; `nil` when there is none.
    public func session(_ id: SessionID) async throws(StoreError) -> StoredSession? {
        try await read { try $0.session(id) }
    }

    /// A session by the identifier that both sides have; `nil` when there is none.
    public func session(identifier: String) async throws(StoreError) -> StoredSession? {
        try await read { try $0.session(identifier: identifier) }
    }

    /// Stores a session that was established: one with the same identifier is replaced, provided it is with the same peer,
    /// and all tokens that it had are thrown away.
    ///
    /// - Parameter tokens: the tokens to resume it by, struck one by one with ``takeToken(of:at:)`` by the initiator and
    ///   ``consumeToken(_:of:at:)`` by the responder. Record and tokens are stored at once or not at all.
    /// - Throws: ``StoreError/conflict(what:)`` when the identifier is another peer's session.
    @discardableResult
    public func store(_ session: NewSession, tokens: [[UInt8]] = []) async throws(StoreError) -> StoredSession {
        try await write { try $0.store(session, tokens: tokens) }
    }

    /// Gives a session a name, or takes it away.
    public func rename(_ id: SessionID, to name: String?) async throws(StoreError) {
        try await write { try $0.change(id) { $0.name = name } }
    }

    /// Notes that a session ended. A graceful end takes its tokens away.
    ///
    /// - Parameter renewed: when the session that ended was made or resumed; if it was resumed since, nothing is changed.
    public func endSession(
        _ id: SessionID, at time: Date, gracefully: Bool, ifRenewed renewed: Date? = nil
    ) async throws(StoreError) {
        try await write { transaction in
            guard let session = try transaction.session(id) else { throw StoreError.noSuchRecord(what: "session") }
            if let renewed, session.renewed != renewed { return }
            try transaction.change(id) { $0.ended = time }
            // Trust that held when the session began has held until now.
            if let peer = try transaction.peer(session.peer), peer.lastTrusted >= session.renewed {
                try transaction.change(peer.id) { $0.lastTrusted = max($0.lastTrusted, time) }
            }
            if gracefully { try transaction.replaceTokens(of: id, with: []) }
        }
    }

    /// Deletes a session's record and tokens, and what was said in it. The bytes are gone when it returns.
    public func delete(_ id: SessionID) async throws(StoreError) {
        try await write { transaction in
            guard let session = try transaction.session(id) else { throw StoreError.noSuchRecord(what: "session") }
            try transaction.deleteMessages(with: session.peer) { $0.session == id.row }
            try transaction.replaceTokens(of: id, with: [])
            try transaction.tables.sessions.delete(id.row, in: transaction)
            try transaction.scheduleErasure()
        }
        try await eraseDeleted()
    }
}

extension ReadTransaction {
    /// Sessions, latest first, with one peer or with all.
    package func sessions(with peer: PeerID? = nil, limit: Int = .max) throws -> [StoredSession] {
        let limit = max(0, limit)
        return if let peer {
            try tables.sessions.all("WHERE peer = ?", [peer.row], .rowDescending, limit: limit, in: self)
        } else {
            try tables.sessions.all("", [], .rowDescending, limit: limit, in: self)
        }
    }

    /// A session by number; `nil` when there is none.
    package func session(_ id: SessionID) throws -> StoredSession? { try tables.sessions.record(id.row, in: self) }

    /// A session by the identifier that both sides have; `nil` when there is none.
    package func session(identifier: String) throws -> StoredSession? {
        let sessions = tables.sessions
        return try sessions.first(
            "WHERE lookup = ?", [sessions.cipher.lookup(Array(identifier.utf8)).databaseValue], in: self)
    }
}

extension WriteTransaction {
    /// See ``Store/store(_:tokens:)``.
    package func store(_ session: NewSession, tokens: [[UInt8]]) throws -> StoredSession {
        guard try tables.peers.contains(session.peer.row, in: self) else {
            throw StoreError.noSuchRecord(what: "peer")
        }
        let earlier = try self.session(identifier: session.identifier)
        guard earlier.map({ $0.peer == session.peer }) ?? true else {
            throw StoreError.conflict(what: "session")
        }
        let row = try earlier?.id.row ?? tables.sessions.nextRow(in: self)
        let stored = StoredSession(
            id: SessionID(row: row), peer: session.peer, identifier: session.identifier,
            name: session.name ?? earlier?.name, established: session.established, renewed: session.established,
            ended: nil,
            transport: session.transport, isInitiator: session.isInitiator, identity: session.identity,
            capabilities: session.capabilities, announced: session.announced, ownKeyDigest: session.ownKeyDigest)
        if let earlier {
            try tables.sessions.replace(earlier, with: stored, in: self)
        } else {
            try tables.sessions.insert(stored, in: self)
        }
        try replaceTokens(of: stored.id, with: tokens)
        return try StoredSession(id: stored.id, peer: stored.peer, decoding: stored.encoded())
    }

    /// Changes a session.
    ///
    /// - Throws: ``StoreError/noSuchRecord(what:)`` when there is none of this number.
    package func change(_ id: SessionID, _ body: (inout StoredSession) -> Void) throws {
        guard let session = try session(id) else { throw StoreError.noSuchRecord(what: "session") }
        try tables.sessions.change(session, in: self, body)
    }
}
