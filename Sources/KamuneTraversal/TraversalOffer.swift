public import KamuneBroker

/// What one side tells the other so that both can try to reach each other directly: where it may be, best first, and what
/// its NAT is like.
public struct TraversalOffer: Hashable, Sendable {
    /// Where it may be: its own addresses, and those that others see.
    public var candidates: [IPEndpoint]
    /// What its NAT does.
    public var mapping: NATMapping
    /// Where the last broker that was asked has seen it: what a step counts from. `nil` if none was asked.
    public var lastSeen: IPEndpoint?

    /// How many candidates an offer has at most.
    public static let candidateLimit = 8
    /// The most bytes that an offer takes.
    public static let largestSize = 4 + (candidateLimit + 1) * (1 + IPAddress.ipv6Size + 2)

    private static let version: UInt8 = 1
    private enum Kind {
        static let none: UInt8 = 0
        static let independent: UInt8 = 1
        static let dependent: UInt8 = 2
        static let unknown: UInt8 = 3
    }

    /// An offer. What is beyond ``candidateLimit`` is left out, and so is what comes twice or leads nowhere.
    public init(candidates: [IPEndpoint], mapping: NATMapping, lastSeen: IPEndpoint?) {
        var chosen: [IPEndpoint] = []
        for candidate in candidates
        where !chosen.contains(candidate) && chosen.count < Self.candidateLimit && Self.leadsSomewhere(candidate) {
            chosen.append(candidate)
        }
        self.candidates = chosen
        self.mapping = mapping
        self.lastSeen = lastSeen.flatMap { Self.leadsSomewhere($0) ? $0 : nil }
    }

    private static func leadsSomewhere(_ endpoint: IPEndpoint) -> Bool {
        endpoint.port != 0 && (endpoint.address.isUnicast || endpoint.address.isLoopback)
    }

    /// Reads an offer; `nil` for what is none. What a later version adds behind does not count.
    public init?(parsing bytes: [UInt8]) {
        var rest = bytes[...]
        guard rest.popFirst() == Self.version, let kind = rest.popFirst(), let step = rest.popFirst(),
            let count = rest.popFirst(), count <= Self.candidateLimit + 1
        else { return nil }
        let steps = Int16(Int8(bitPattern: step))
        let mapping: NATMapping
        switch kind {
        case Kind.none: mapping = .none
        case Kind.independent: mapping = .independent
        case Kind.dependent: mapping = .dependent(step: steps == 0 ? nil : steps)
        case Kind.unknown: mapping = .unknown
        default: return nil
        }
        var endpoints: [IPEndpoint] = []
        for _ in 0..<count {
            guard let endpoint = Self.endpoint(&rest) else { return nil }
            endpoints.append(endpoint)
        }
        // The first is where it was last seen, or no place at all.
        guard let first = endpoints.first else { return nil }
        self.init(
            candidates: Array(endpoints.dropFirst()), mapping: mapping, lastSeen: first)
    }

    private static func endpoint(_ rest: inout ArraySlice<UInt8>) -> IPEndpoint? {
        guard let size = rest.popFirst().map(Int.init), rest.count >= size + 2,
            let address = IPAddress(bytes: rest.prefix(size))
        else { return nil }
        rest = rest.dropFirst(size)
        guard let high = rest.popFirst(), let low = rest.popFirst() else { return nil }
        return IPEndpoint(address, UInt16(high) << 8 | UInt16(low))
    }

    /// The bytes, at most ``largestSize``.
    public var encoded: [UInt8] {
        let (kind, step): (UInt8, Int16) =
            switch mapping {
            case .none: (Kind.none, 0)
            case .independent: (Kind.independent, 0)
            case .dependent(let step): (Kind.dependent, step ?? 0)
            case .unknown: (Kind.unknown, 0)
            }
        let endpoints = [lastSeen ?? IPEndpoint(IPAddress(0, 0, 0, 0), 0)] + candidates.prefix(Self.candidateLimit)
        return [Self.version, kind, UInt8(bitPattern: Int8(clamping: step)), UInt8(clamping: endpoints.count)]
            + endpoints.flatMap { endpoint in
                [UInt8(clamping: endpoint.address.bytes.count)] + endpoint.address.bytes
                    + [UInt8(truncatingIfNeeded: endpoint.port >> 8), UInt8(truncatingIfNeeded: endpoint.port)]
            }
    }
}
