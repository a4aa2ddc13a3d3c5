public import KamuneBroker

/// What a NAT makes of one socket's datagrams to different places (RFC 4787, section 4.1), as far as it can be seen from
/// outside.
public enum NATMapping: Hashable, Sendable {
    /// Nothing is translated. There may be a firewall all the same.
    case none
    /// All of them leave by one port: whoever is told of it can be answered there.
    case independent
    /// Each place sees another port: a symmetric NAT.
    ///
    /// - Parameter step: By how much each is more than the one before, if that can be foretold.
    case dependent(step: Int16?)
    /// Only one place was asked, and it saw another endpoint than ours.
    case unknown

    /// The largest step that is taken for a rule, not for chance: two random ports are that near once in a thousand times.
    static let largestStep = 32

    /// What several brokers, or several ports of one, saw of the same socket.
    ///
    /// - Parameters:
    ///   - local: The socket's own endpoint.
    ///   - seen: What each saw, in the order in which they were asked.
    public init(local: IPEndpoint, seen: [(server: IPEndpoint, source: IPEndpoint)]) {
        guard let first = seen.first else {
            self = .unknown
            return
        }
        guard Set(seen.map(\.server)).count > 1 else {
            self = first.source == local ? .none : .unknown
            return
        }
        guard Set(seen.map(\.source)).count > 1 else {
            self = first.source == local ? .none : .independent
            return
        }
        // One that was asked twice sees the same port twice, which says nothing of a rule.
        var ports: [Int] = []
        var servers: Set<IPEndpoint> = []
        for (server, source) in seen where servers.insert(server).inserted { ports.append(Int(source.port)) }
        let steps = Set(zip(ports.dropFirst(), ports).map { $0 - $1 })
        let isOneAddress = Set(seen.map(\.source.address)).count == 1
        guard isOneAddress, steps.count == 1, let step = steps.first, abs(step) <= Self.largestStep, step != 0 else {
            self = .dependent(step: nil)
            return
        }
        self = .dependent(step: Int16(step))
    }

    /// Whether the port that one place sees is another's too.
    public var isDependent: Bool { if case .dependent = self { true } else { false } }
}

extension NATMapping: CustomStringConvertible {
    /// A sentence part for a person.
    public var description: String {
        switch self {
        case .none: "no address translation"
        case .independent: "a NAT that keeps one port"
        case .dependent(nil): "a NAT that takes another port for everybody (symmetric)"
        case .dependent: "a NAT that takes another port for everybody (symmetric), by a rule"
        case .unknown: "a NAT of unknown kind"
        }
    }
}
