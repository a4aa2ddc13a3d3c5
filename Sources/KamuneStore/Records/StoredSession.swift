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
    /// When its keys were made, by this machine's clock: 24 hours from here it can be resumed.
    public var established: Date
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
}

extension StoredSession {
    private static let layout: UInt8 = 1

    func encoded() -> [UInt8] {
        var writer = RecordWriter(layout: Self.layout)
        writer.append(text: identifier)
        writer.append(optional: name) { $0.append(text: $1) }
        writer.append(date: established)
        writer.append(optional: ended) { $0.append(date: $1) }
        writer.append(text: transport)
        writer.append(flag: isInitiator)
        writer.append(optional: identity) { $0.append($1.row) }
        writer.append(list: capabilities) { $0.append(text: $1) }
        writer.pad()
        return writer.bytes
    }

    init(id: SessionID, peer: PeerID, decoding bytes: [UInt8]) throws(RecordReader.Malformed) {
        var reader = RecordReader(bytes)
        guard try reader.byte() == Self.layout else { throw RecordReader.Malformed() }
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
        capabilities = try reader.list { reader throws(RecordReader.Malformed) in try reader.text() }
    }
}
