import KamuneCrypto

/// The name of something that we can do beyond the base protocol (§10.1).
public struct Capability: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// 1 to 64 characters out of `a-z 0-9 . - /`.
    public let name: String

    /// A capability of this name; nil when it is not a legal one.
    public init?(_ name: String) {
        guard (1...ProtocolConstants.maximumCapabilityLength).contains(name.utf8.count),
            name.utf8.allSatisfy(Self.isLegal)
        else { return nil }
        self.name = name
    }

    private init(literal name: String) {
        self.name = name
    }

    private static func isLegal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
            UInt8(ascii: "-"), UInt8(ascii: "/"):
            true
        default:
            false
        }
    }

    /// The peer takes application messages from the first frame on and expects no session data (§10.3).
    public static let directStart = Capability(literal: "direct-start")

    /// The peer keeps messages: it acknowledges those that it has stored, and sends again what was not (§10.5).
    public static let delivery = Capability(literal: "delivery/1")

    /// The peer tells within a session where it wants to be found, and takes what it is told (§10.7).
    public static let routes = Capability(literal: "routes/1")

    /// The peer says, or understands when it is said, why it is not let in (§10.8).
    public static let refusal = Capability(literal: "refusal/1")

    /// The peer can wait to be accepted (§10.9): as an initiator that it understands when it is held, as a responder that it
    /// takes requests.
    public static let requests = Capability(literal: "requests/1")

    /// The peer holds us: this session takes one request and nothing else (§10.9). A responder announces it to whom it holds.
    public static let held = Capability(literal: "held/1")

    /// In the order of their bytes.
    public static func < (left: Capability, right: Capability) -> Bool {
        left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
    }

    /// The name.
    public var description: String { name }
}

/// What one side announced.
public struct CapabilitySet: Equatable, Sendable, Sequence {
    private var members: Set<Capability>

    /// Nothing: a peer of 0.7, or one who wants to look like it.
    public static let none = CapabilitySet([])

    /// What this version of the library can do by itself.
    public static let all = CapabilitySet([.directStart, .refusal, .requests])

    /// What it can do where messages are kept.
    public static let allWithStore = CapabilitySet([.directStart, .refusal, .requests, .delivery, .routes])

    /// What a responder announces to somebody whom it holds (§10.9).
    public static let holding = CapabilitySet([.directStart, .requests, .held])

    /// A set of these.
    public init(_ capabilities: some Sequence<Capability>) {
        members = Set(capabilities)
    }

    /// What an introduction carries. Names that we do not know are kept, since the peer's successors may have any; names
    /// that are not legal, or come twice, or are too many, can only come from somebody who does not keep to the rules.
    init(announced names: [String]) throws(ProtocolError) {
        guard names.count <= ProtocolConstants.maximumCapabilityCount else {
            throw .peerMisbehaved(.malformedMessage(.identity))
        }
        members = []
        for name in names {
            guard let capability = Capability(name), members.insert(capability).inserted else {
                throw .peerMisbehaved(.malformedMessage(.identity))
            }
        }
    }

    /// Whether nothing was announced.
    public var isEmpty: Bool { members.isEmpty }

    /// Whether a capability was announced.
    public func contains(_ capability: Capability) -> Bool { members.contains(capability) }

    /// What both sides announced: only that is used.
    public func intersection(_ other: CapabilitySet) -> CapabilitySet {
        CapabilitySet(members.intersection(other.members))
    }

    /// In the order in which they are announced.
    public var sorted: [Capability] { members.sorted() }

    /// In the order in which they are announced.
    public func makeIterator() -> IndexingIterator<[Capability]> { sorted.makeIterator() }
}
