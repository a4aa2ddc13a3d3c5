public import Foundation
public import KamuneCrypto
import KamuneProtocol

/// Names a stranger's request within one store. Random.
public struct RequestID: Hashable, Sendable {
    package let row: Int64

    package init(row: Int64) {
        self.row = row
    }
}

/// A stranger who wants to talk, and waits to be accepted (PROTOCOL 10.9).
public struct StoredRequest: Sendable, Equatable, Identifiable {
    /// Its number in this store.
    public let id: RequestID
    /// The key that they showed. Whether they hold it, ``isProven`` tells.
    public let key: PublicIdentity
    /// The name that they give themselves. It proves nothing.
    public internal(set) var name: String
    /// The version of Kamune that they used.
    public internal(set) var version: String
    /// The additions that they announced.
    public internal(set) var capabilities: [String]
    /// When they came first, by this machine's clock.
    public let firstSeen: Date
    /// When they came last.
    public internal(set) var lastSeen: Date
    /// The network from which they came last, as a text; empty for this machine.
    public internal(set) var network: String
    /// Whether they have shown that they hold the key. Without that, anybody may have sent a copy of an introduction.
    public internal(set) var isProven: Bool
    /// What they wrote with it; empty for nothing. It may hold any characters.
    public internal(set) var note: String
    /// Whether the person has refused it. It is kept so that the person is not asked again at once.
    public internal(set) var isRefused: Bool

    /// The most bytes of a note (PROTOCOL 10.9).
    public static let maximumNoteSize = 1_024
    /// How many are kept that nothing proves.
    public static let unprovenLimit = 16
    /// How many are kept of those who hold their key.
    public static let provenLimit = 64
    /// How many of these are kept from one network.
    public static let networkLimit = 4
    /// How many that were refused are remembered.
    public static let refusedLimit = 64
    /// How long one that nothing proves is kept after they came last, in seconds.
    public static let unprovenLifetime: TimeInterval = 24 * 3_600
    /// How long one is kept of somebody who holds their key, in seconds.
    public static let provenLifetime: TimeInterval = 30 * 24 * 3_600

    func isExpired(at now: Date) -> Bool {
        lastSeen + (isProven ? Self.provenLifetime : Self.unprovenLifetime) < now
    }
}

/// Somebody who has asked, to be kept.
public struct NewRequest: Sendable {
    /// The key that they showed.
    public var key: PublicIdentity
    /// The name that they give themselves.
    public var name: String
    /// The version of Kamune that they use.
    public var version: String
    /// The additions that they announced.
    public var capabilities: [String]
    /// The network from which they come, as a text: a /24 of IPv4, a /64 of IPv6; empty for this machine.
    public var network: String
    /// Whether they have shown that they hold the key.
    public var isProven: Bool
    /// What they wrote with it, of which ``StoredRequest/maximumNoteSize`` bytes are kept.
    public var note: String

    /// A request.
    public init(
        key: PublicIdentity, name: String, version: String = "", capabilities: [String] = [], network: String,
        isProven: Bool, note: String = ""
    ) {
        self.key = key
        self.name = name
        self.version = version
        self.capabilities = capabilities
        self.network = network
        self.isProven = isProven
        self.note = note
    }
}

extension StoredRequest {
    private static let layout: UInt8 = 1

    /// - Parameter firstSeen: when they came first, if not now.
    init(_ new: NewRequest, id: RequestID, firstSeen: Date? = nil, at now: Date) {
        self.id = id
        key = new.key
        name = BoundedText.name(new.name)
        version = BoundedText.version(new.version)
        capabilities = new.capabilities
        self.firstSeen = firstSeen ?? now
        lastSeen = now
        network = new.network
        isProven = new.isProven
        note = BoundedText.cut(new.note, scalars: Self.maximumNoteSize, bytes: Self.maximumNoteSize)
        isRefused = false
    }

    /// As it is read back: times are kept in whole milliseconds.
    func roundTripped() throws -> StoredRequest { try StoredRequest(id: id, decoding: encoded()) }

    func encoded() -> [UInt8] {
        var writer = RecordWriter(layout: Self.layout)
        writer.append(bytes: key.spki)
        writer.append(text: name)
        writer.append(text: version)
        writer.append(list: capabilities) { $0.append(text: $1) }
        writer.append(date: firstSeen)
        writer.append(date: lastSeen)
        writer.append(text: network)
        writer.append(flag: isProven)
        writer.append(text: note)
        writer.append(flag: isRefused)
        writer.pad()
        return writer.bytes
    }

    init(id: RequestID, decoding bytes: [UInt8]) throws {
        var reader = RecordReader(bytes)
        guard try reader.byte() == Self.layout else { throw RecordReader.Malformed() }
        self.id = id
        key = try PublicIdentity(spki: reader.byteString())
        name = try reader.text()
        version = try reader.text()
        capabilities = try reader.list { reader throws(RecordReader.Malformed) in try reader.text() }
        firstSeen = try reader.date()
        lastSeen = try reader.date()
        network = try reader.text()
        isProven = try reader.flag()
        note = try reader.text()
        isRefused = try reader.flag()
    }
}
