import KamuneBroker
import KamuneCrypto
import KamuneTestSupport
import KamuneTraversal

/// Two who try to reach each other through what lies between them, in virtual time.
struct PunchWorld {
    struct Side {
        let host: IPAddress
        var layers: [SimulatedNAT]
        var puncher: HolePuncher<SeededRandom>?
        var sockets = 1
        var paths: [HolePuncher<SeededRandom>.Path] = []
        var reachedAt: Duration?
        var hasFailed = false
        /// How many datagrams went to each address.
        var sent: [IPAddress: Int] = [:]

        func socket(_ number: Int) -> IPEndpoint { IPEndpoint(host, UInt16(10_000 + number)) }

        mutating func leave(from source: IPEndpoint, to destination: IPEndpoint) -> IPEndpoint? {
            var source = source
            for index in layers.indices {
                guard let mapped = layers[index].leave(from: source, to: destination) else { return nil }
                source = mapped
            }
            return source
        }

        func enter(from source: IPEndpoint, to destination: IPEndpoint) -> IPEndpoint? {
            var destination = destination
            for layer in layers.reversed() {
                guard let inner = layer.enter(from: source, to: destination) else { return nil }
                destination = inner
            }
            return destination
        }

        /// What two ports of a broker see of the first socket.
        mutating func offer() -> TraversalOffer {
            let brokers = [IPEndpoint("203.0.113.1:4788"), IPEndpoint("203.0.113.1:4789")]
            let local = socket(0)
            var seen: [(server: IPEndpoint, source: IPEndpoint)] = []
            for broker in brokers {
                if let source = leave(from: local, to: broker) { seen.append((broker, source)) }
            }
            return TraversalOffer(
                candidates: seen.map(\.source) + [local], mapping: NATMapping(local: local, seen: seen),
                lastSeen: seen.last?.source)
        }
    }

    private struct Flight {
        let at: Duration
        let side: Int
        let datagram: [UInt8]
        let source: IPEndpoint
        let destination: IPEndpoint
    }

    /// One way.
    static let delay = Duration.milliseconds(25)

    var sides: [Side]
    private var flights: [Flight] = []
    private(set) var now = Duration.zero
    /// How many datagrams were delivered, and how many of every so many get lost.
    var lossOneIn: UInt32?
    private var random: SeededRandom

    init(
        _ first: Surroundings, _ second: Surroundings, seed: UInt64, isPeerProven: Bool = true,
        limits: PunchLimits = PunchLimits(), lossOneIn: UInt32? = nil,
        change: (inout [TraversalOffer]) -> Void = { _ in }
    ) {
        random = SeededRandom(seed)
        self.lossOneIn = lossOneIn
        sides = [(first, 1 as UInt8), (second, 2)].map { kind, site in
            Side(host: kind.host(site: site), layers: kind.layers(site: site, seed: seed &* 7 &+ UInt64(site)))
        }
        var offers = [sides[0].offer(), sides[1].offer()]
        change(&offers)
        let key = SecretBytes(copying: [UInt8](repeating: 3, count: 32))
        for index in sides.indices {
            sides[index].puncher = HolePuncher(
                role: index == 0 ? .initiator : .responder, key: key, ours: offers[index], theirs: offers[1 - index],
                isPeerProven: isPeerProven, limits: limits, random: SeededRandom(seed &+ UInt64(index)))
        }
    }

    /// Runs until both sides have reached each other, or have given up. The second begins a little later.
    mutating func run() {
        perform(sides[0].puncher?.start(now: now) ?? [], of: 0)
        now = .milliseconds(20)
        perform(sides[1].puncher?.start(now: now) ?? [], of: 1)
        while sides.contains(where: { $0.reachedAt == nil && !$0.hasFailed }) {
            let next = (sides.compactMap { $0.puncher?.deadline } + flights.map(\.at)).min()
            guard let next else { return }
            now = max(now, next)
            let arrived = flights.filter { $0.at <= now }
            flights.removeAll { $0.at <= now }
            for flight in arrived { deliver(flight) }
            for index in sides.indices { perform(sides[index].puncher?.tick(now: now) ?? [], of: index) }
        }
    }

    private mutating func deliver(_ flight: Flight) {
        let side = sides[flight.side]
        guard let inner = side.enter(from: flight.source, to: flight.destination), inner.address == side.host,
            let socket = (0..<side.sockets).first(where: { side.socket($0) == inner })
        else { return }
        perform(
            sides[flight.side].puncher?.receive(flight.datagram, on: socket, from: flight.source, now: now) ?? [],
            of: flight.side)
    }

    private mutating func perform(_ actions: [HolePuncher<SeededRandom>.Action], of index: Int) {
        for action in actions {
            switch action {
            case .openSockets(let count):
                sides[index].sockets += count
            case .reached(let path):
                sides[index].paths.append(path)
                sides[index].reachedAt = sides[index].reachedAt ?? now
            case .timedOut:
                sides[index].hasFailed = true
            case .send(let datagram, let socket, let destination):
                sides[index].sent[destination.address, default: 0] += 1
                guard let source = sides[index].leave(from: sides[index].socket(socket), to: destination) else {
                    continue
                }
                if let lossOneIn, random.integer(below: lossOneIn) == 0 { continue }
                flights.append(
                    Flight(
                        at: now + Self.delay, side: 1 - index, datagram: datagram, source: source,
                        destination: destination))
            }
        }
    }
}

extension IPEndpoint {
    /// A literal of a test.
    init(_ text: String) {
        guard let endpoint = IPEndpoint(parsing: text) else { preconditionFailure("not an endpoint: \(text)") }
        self = endpoint
    }
}
