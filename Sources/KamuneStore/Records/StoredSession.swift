public import Foundation

/// A session with a peer.
public struct StoredSession: Sendable, Equatable, Identifiable {
    /// Its number in this store.
    public let id: SessionID
    /// With whom.
    public internal(set) var peer: PeerID
    /// The identifier that both sides have (docs/PROTOCOL.md §6.3); resuming keeps it.
    public let identifier: String
    /// What the person calls it.
    public var name: String?
    /// When the two introduced themselves, by this machine's clock: up to 24 hours from here it can be resumed.
    public var established: Date
    /// When its present keys were made: when it was established, or resumed last.
    public var renewed: Date
    /// When it ended; `nil` while it goes on, or if the program did not live to see it.
    public var ended: Date?
    /// How the two were connected: `tcp`, `udp`, `relay`, and so on.
    public var transport: String
    /// Whether this side opened the connection. Resuming keeps the roles.
    public var isInitiator: Bool
    /// Under which identity.
    public var identity: IdentityID?
    /// The additions that both had announced.
    public var capabilities: [String]
    /// What each had announced; `nil` for a session of an earlier version, which did not keep it.
    public var announced: SessionAnnouncements?
    /// The SHA-256 of our key, which need not be one of the identities in the store; `nil` when it was not kept.
    var ownKeyDigest: [UInt8]?
}

/// What the two sides of a session announced that they can do beyond the base protocol when they introduced themselves
/// (PROTOCOL 10.1): names that both know, and others.
public struct SessionAnnouncements: Sendable, Equatable {
    /// Ours.
    public var own: [String]
    /// The peer's.
    public var peer: [String]

    /// Of these names.
    public init(own: [String], peer: [String]) {
        self.own = own
        self.peer = peer
    }
}

extension StoredSession {
    /// Layout 1 had one time, when the keys were made, and did not tell who had announced what.
    private static let layouts: ClosedRange<UInt8> = 1...2

    func encoded() -> [UInt8] {
        var writer = RecordWriter(layout: Self.layouts.upperBound)
        writer.append(text: identifier)
        writer.append(optional: name) { $0.append(text: $1) }
        writer.append(date: established)
        writer.append(optional: ended) { $0.append(date: $1) }
        writer.append(text: transport)
        writer.append(flag: isInitiator)
        writer.append(optional: identity) { $0.append($1.row) }
        writer.append(list: capabilities) { $0.append(text: $1) }
        writer.append(date: renewed)
        writer.append(optional: announced) { writer, announced in
            writer.append(list: announced.own) { $0.append(text: $1) }
            writer.append(list: announced.peer) { $0.append(text: $1) }
        }
        writer.append(optional: ownKeyDigest) { $0.append(bytes: $1) }
        writer.pad()
        return writer.bytes
    }

    init(id: SessionID, peer: PeerID, decoding bytes: [UInt8]) throws(RecordReader.Malformed) {
        var reader = RecordReader(bytes)
        let layout = try reader.byte()
        guard Self.layouts.contains(layout) else { throw RecordReader.Malformed() }
        self.id = id
        self.peer = peer
        identifier = try reader.text()
        name = try reader.optional { reader throws(RecordReader.Malformed) in try reader.text() }
        established = try reader.date()
        ended = try reader.optional { reader throws(RecordReader.Malformed) in try reader.date() }
        transport = try reader.text()
        isInitiator = try reader.flag()
        identity = try reader.optional { reader throws(RecordReader.Malformed) in
            IdentityID(row: try reader.integer())
        }
        capabilities = try Self.names(&reader)
        guard layout >= 2 else {
            renewed = established
            return
        }
        renewed = try reader.date()
        announced = try reader.optional { reader throws(RecordReader.Malformed) in
            SessionAnnouncements(own: try Self.names(&reader), peer: try Self.names(&reader))
        }
        ownKeyDigest = try reader.optional { reader throws(RecordReader.Malformed) in try reader.byteString() }
    }

    private static func names(_ reader: inout RecordReader) throws(RecordReader.Malformed) -> [String] {
        try reader.list { reader throws(RecordReader.Malformed) in try reader.text() }
    }
}
