import KamuneBroker
import KamuneCrypto
import KamuneTestSupport
import KamuneTraversal
import Testing

/// Asking a gateway to let others in.
struct PortMapperTests {
    /// A gateway that speaks PCP and NAT-PMP, or less, written from the RFCs' figures.
    private struct Gateway {
        enum Kind { case pcp, natpmp, silent, refusing }

        var kind: Kind
        var address: [UInt8] = [198, 51, 100, 7]
        var lifetime: UInt32 = 3600
        /// By internal port.
        var mappings: [UInt16: UInt16] = [:]
        var nonces: [UInt16: [UInt8]] = [:]
        var requests = 0

        mutating func answer(_ request: [UInt8]) -> [UInt8]? {
            requests += 1
            switch kind {
            case .silent: return nil
            case .refusing:
                var answer: [UInt8] = [2, 0x81, 0, 2, 0, 0, 0, 30]
                answer += [UInt8](repeating: 0, count: 16)
                answer += request.dropFirst(24)
                return answer
            case .natpmp where request[0] != 0: return [0, request[1] | 0x80, 0, 1, 0, 0, 0, 9]
            case .natpmp where request == [0, 0]: return [0, 128, 0, 0, 0, 0, 0, 9] + address
            case .natpmp:
                #expect(request.count == 12)
                let port = UInt16(request[4]) << 8 | UInt16(request[5])
                let isEnd = request[8...11].allSatisfy { $0 == 0 }
                mappings[port] = isEnd ? nil : 40_000
                var answer: [UInt8] = [0, request[1] | 0x80, 0, 0, 0, 0, 0, 9]
                answer += request[4...5]
                answer += isEnd ? [0, 0] : [0x9C, 0x40]
                return answer + (isEnd ? [0, 0, 0, 0] : bytes(lifetime))
            case .pcp:
                #expect(request.count == 60)
                #expect(request[8..<24].elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 168, 1, 2]))
                #expect(request[36] == 17)
                let port = UInt16(request[40]) << 8 | UInt16(request[41])
                let nonce = Array(request[24..<36])
                if let known = nonces[port], known != nonce { return nil }
                nonces[port] = nonce
                let isEnd = request[4..<8].allSatisfy { $0 == 0 }
                mappings[port] = isEnd ? nil : 40_000
                var answer: [UInt8] = [2, 0x81, 0, 0]
                answer += isEnd ? [0, 0, 0, 0] : bytes(lifetime)
                answer += [0, 0, 0, 9]
                answer += [UInt8](repeating: 0, count: 12)
                answer += request[24..<42]
                answer += [0x9C, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
                return answer + address
            }
        }

        private func bytes(_ value: UInt32) -> [UInt8] {
            stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
        }
    }

    private struct World {
        var mapper: PortMapper
        var gateway: Gateway
        var now = Duration.zero
        var events: [PortMapper.Action] = []

        init(_ kind: Gateway.Kind) {
            var random = SeededRandom(1)
            mapper = PortMapper(PortMapping(.udp, port: 5000), client: IPAddress(192, 168, 1, 2), random: &random)
            gateway = Gateway(kind: kind)
            perform(mapper.start(now: now))
        }

        mutating func perform(_ actions: [PortMapper.Action]) {
            for action in actions {
                guard case .send(let request) = action else {
                    events.append(action)
                    continue
                }
                if let answer = gateway.answer(request) { perform(mapper.receive(answer, now: now)) }
            }
        }

        mutating func run(until end: Duration) {
            while let next = mapper.deadline, next <= end {
                now = max(now, next)
                perform(mapper.tick(now: now))
            }
            now = end
        }
    }

    private let external = IPEndpoint(IPAddress(198, 51, 100, 7), 40_000)

    @Test(
        "A port is mapped, renewed at half of its time, and given back, by PCP and by NAT-PMP",
        arguments: [true, false])
    func life(_ isPCP: Bool) {
        var world = World(isPCP ? .pcp : .natpmp)
        #expect(world.events == [.mapped(external)])
        #expect(world.gateway.mappings == [5000: 40_000])
        let asked = world.gateway.requests
        #expect(world.mapper.deadline == .seconds(1800))
        world.run(until: .seconds(1799))
        #expect(world.gateway.requests == asked)
        world.run(until: .seconds(1800))
        #expect(world.gateway.requests > asked)
        world.run(until: .seconds(20_000))
        #expect(world.events == [.mapped(external)])
        world.perform(world.mapper.withdraw())
        #expect(world.gateway.mappings.isEmpty)
        #expect(world.events.last == .lost)
        #expect(world.mapper.deadline == nil)
        let again = world.mapper.withdraw()
        #expect(again.isEmpty)
    }

    @Test("A new address of the gateway's is told")
    func renumbering() {
        for kind in [Gateway.Kind.pcp, .natpmp] {
            var world = World(kind)
            world.gateway.address = [198, 51, 100, 8]
            world.run(until: .seconds(1800))
            #expect(world.events == [.mapped(external), .mapped(IPEndpoint(IPAddress(198, 51, 100, 8), 40_000))])
        }
    }

    @Test("A gateway that is silent is given up after five tries, and asked again later")
    func silence() {
        var world = World(.silent)
        world.run(until: .milliseconds(7749))
        #expect(world.events.isEmpty)
        #expect(world.gateway.requests == 5)
        world.run(until: .milliseconds(7750))
        #expect(world.events == [.unavailable(.silent)])
        world.gateway.kind = .pcp
        world.run(until: .seconds(1900))
        #expect(world.events.last == .mapped(external))
    }

    @Test("A gateway that restarts may be silent for a while; when the time of what it gave is over, that is lost")
    func restart() {
        var world = World(.pcp)
        world.gateway.kind = .silent
        world.run(until: .seconds(3000))
        #expect(world.events == [.mapped(external)])
        var recovered = world
        recovered.gateway.kind = .pcp
        recovered.run(until: .seconds(3600))
        #expect(recovered.events == [.mapped(external)])
        world.run(until: .seconds(3700))
        #expect(world.events == [.mapped(external), .lost, .unavailable(.silent)])
    }

    @Test("A refusal is told with its code")
    func refusal() {
        #expect(World(.refusing).events == [.unavailable(.refused(code: 2))])
    }

    @Test("Answers to another's request are none, and noise does no harm")
    func noise() {
        var random = SeededRandom(2)
        var mapper = PortMapper(PortMapping(.udp, port: 5000), client: IPAddress(192, 168, 1, 2), random: &random)
        var other = PortMapper(PortMapping(.udp, port: 5000), client: IPAddress(192, 168, 1, 2), random: &random)
        var gateway = Gateway(kind: .pcp)
        _ = mapper.start(now: .zero)
        guard case .send(let request)? = other.start(now: .zero).first, let answer = gateway.answer(request) else {
            Issue.record("no request")
            return
        }
        let outcome1 = mapper.receive(answer, now: .zero)
        #expect(outcome1.isEmpty)
        let outcome2 = other.receive(answer, now: .zero)
        #expect(outcome2 == [.mapped(external)])
        for _ in 0..<20_000 {
            var bytes = random.bytes(Int(random.integer(below: 70)))
            // What begins by 0 would be NAT-PMP's word.
            if !bytes.isEmpty { bytes[0] = 2 }
            if bytes.count > 1 { bytes[1] = 0x81 }
            let actions = mapper.receive(bytes, now: .zero)
            #expect(!actions.contains { if case .mapped = $0 { true } else { false } })
        }
    }
}
