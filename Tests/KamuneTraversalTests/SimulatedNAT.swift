import KamuneBroker
import KamuneCrypto
import KamuneTestSupport
import KamuneTraversal

/// What lies between a machine and everybody else: a NAT, a firewall, or one that lets nothing through (RFC 4787's terms).
struct SimulatedNAT {
    enum Mapping {
        /// Nothing is translated.
        case none
        /// One port for all that a socket sends.
        case independent
        /// Another port for each place that is sent to: a random one.
        case dependent
        /// Another port for each: the one after the last.
        case dependentByRule
    }

    enum Filtering {
        /// Whatever comes to a mapped port.
        case none
        /// What comes from an address that was sent to.
        case address
        /// What comes from an address and port that were sent to.
        case endpoint
        /// Nothing, in either direction.
        case everything
    }

    private struct Inner: Hashable {
        let endpoint: IPEndpoint
        let destination: IPEndpoint?
    }

    let address: IPAddress
    let mapping: Mapping
    let filtering: Filtering
    private var random: SeededRandom
    private var nextPort: UInt16 = 20_000
    private var outer: [Inner: IPEndpoint] = [:]
    private var inner: [IPEndpoint: IPEndpoint] = [:]
    private var sentTo: [IPEndpoint: Set<IPEndpoint>] = [:]

    init(address: IPAddress, mapping: Mapping, filtering: Filtering, seed: UInt64) {
        self.address = address
        self.mapping = mapping
        self.filtering = filtering
        random = SeededRandom(seed)
    }

    /// Where something comes from once it is outside; `nil` if it never is.
    mutating func leave(from source: IPEndpoint, to destination: IPEndpoint) -> IPEndpoint? {
        if case .everything = filtering { return nil }
        let isShared = mapping == .independent || mapping == .none
        let key = Inner(endpoint: source, destination: isShared ? nil : destination)
        let mapped = outer[key] ?? newEndpoint(for: source)
        outer[key] = mapped
        inner[mapped] = source
        sentTo[mapped, default: []].insert(destination)
        return mapped
    }

    private mutating func newEndpoint(for source: IPEndpoint) -> IPEndpoint {
        switch mapping {
        case .none: return source
        case .independent, .dependent:
            while true {
                let mapped = IPEndpoint(address, UInt16(1024 + random.integer(below: 64_512)))
                if inner[mapped] == nil { return mapped }
            }
        case .dependentByRule:
            defer { nextPort += 1 }
            return IPEndpoint(address, nextPort)
        }
    }

    /// Whom something is for that comes from outside; `nil` if it is dropped.
    func enter(from source: IPEndpoint, to destination: IPEndpoint) -> IPEndpoint? {
        guard let target = inner[destination] else {
            // Who has no NAT and no firewall is reached without having sent anything.
            if case (.none, .none) = (mapping, filtering) { return destination }
            return nil
        }
        let known = sentTo[destination] ?? []
        switch filtering {
        case .everything: return nil
        case .none: return target
        case .address: return known.contains { $0.address == source.address } ? target : nil
        case .endpoint: return known.contains(source) ? target : nil
        }
    }
}

/// The kinds of networks that people are in.
enum Surroundings: String, CaseIterable {
    case open, fullCone, restricted, portRestricted, symmetric, symmetricByRule, carrierGrade, firewall, blocked

    /// What lies between a machine and everybody else, the nearest first.
    func layers(site: UInt8, seed: UInt64) -> [SimulatedNAT] {
        let home = IPAddress(198, 51, 100, site)
        func one(_ mapping: SimulatedNAT.Mapping, _ filtering: SimulatedNAT.Filtering) -> [SimulatedNAT] {
            [SimulatedNAT(address: home, mapping: mapping, filtering: filtering, seed: seed)]
        }
        return switch self {
        case .open: one(.none, .none)
        case .firewall: one(.none, .endpoint)
        case .fullCone: one(.independent, .none)
        case .restricted: one(.independent, .address)
        case .portRestricted: one(.independent, .endpoint)
        case .symmetric: one(.dependent, .endpoint)
        case .symmetricByRule: one(.dependentByRule, .endpoint)
        case .blocked: one(.none, .everything)
        case .carrierGrade:
            [
                SimulatedNAT(
                    address: IPAddress(100, 64, 0, site), mapping: .independent, filtering: .endpoint, seed: seed &+ 1)
            ] + one(.independent, .endpoint)
        }
    }

    /// The machine's own address.
    func host(site: UInt8) -> IPAddress {
        switch self {
        case .open, .firewall, .blocked: IPAddress(198, 51, 100, site)
        default: IPAddress(192, 168, site, 2)
        }
    }
}
