import KamuneBroker
import KamuneCrypto
import KamuneTestSupport
import KamuneTraversal
import Testing

/// Who reaches whom, in virtual time, with 50 ms there and back.
struct HolePuncherTests {
    /// What is promised of a pair.
    enum Promise: Equatable {
        /// Within this time, always.
        case within(Duration)
        /// Within a second and a half by guessing ports, nearly always.
        case guessing
        /// Never: the relay stays.
        case never
    }

    /// The table. docs/TRAVERSAL.md has it too.
    static func promise(_ a: Surroundings, _ b: Surroundings) -> Promise {
        let pair = Set([a, b])
        if pair.contains(.blocked) { return .never }
        let strict: Set<Surroundings> = [.portRestricted, .carrierGrade, .firewall]
        if pair == [.symmetric] || pair == [.symmetric, .symmetricByRule] { return .never }
        if pair.contains(.symmetric), !pair.isDisjoint(with: strict) { return .guessing }
        return .within(.milliseconds(300))
    }

    static let pairs: [(Surroundings, Surroundings)] = Surroundings.allCases.flatMap { a in
        Surroundings.allCases.map { (a, $0) }
    }

    @Test("Every pair of networks keeps to the table", arguments: pairs)
    func table(_ a: Surroundings, _ b: Surroundings) {
        let promise = Self.promise(a, b)
        let seeds: UInt64 = promise == .guessing ? 20 : 5
        var reached = 0
        for seed in 0..<seeds {
            var world = PunchWorld(a, b, seed: seed)
            world.run()
            let times = world.sides.map(\.reachedAt)
            switch promise {
            case .within(let limit):
                for time in times { #expect(time.map { $0 <= limit } == true, "seed \(seed): \(times)") }
            case .never:
                #expect(times == [nil, nil], "seed \(seed)")
                #expect(world.sides.allSatisfy { $0.hasFailed })
            case .guessing:
                if times.allSatisfy({ $0.map { $0 <= .milliseconds(1500) } == true }) { reached += 1 }
            }
        }
        if promise == .guessing { #expect(reached >= 18) }
    }

    @Test("A way leads where it says, and its round trip is measured")
    func paths() throws {
        var world = PunchWorld(.portRestricted, .carrierGrade, seed: 1)
        world.run()
        for (index, side) in world.sides.enumerated() {
            let path = try #require(side.paths.first)
            #expect(path.roundTrip == PunchWorld.delay * 2)
            #expect(path.remote.address == IPAddress(198, 51, 100, UInt8(2 - index)))
        }
    }

    @Test("Lost datagrams are sent again")
    func loss() {
        for seed in 0..<20 as Range<UInt64> {
            var world = PunchWorld(.portRestricted, .portRestricted, seed: seed, lossOneIn: 4)
            world.run()
            #expect(world.sides.allSatisfy { $0.reachedAt.map { $0 < .seconds(3) } == true }, "seed \(seed)")
        }
    }

    @Test("A third party that a broker names gets a few datagrams; one that the peer names, no more than a guess takes")
    func thirdParty() {
        let victim = IPAddress(203, 0, 113, 77)
        for (isPeerProven, limit) in [(false, 8), (true, 1100)] {
            for mapping in [NATMapping.independent, .dependent(step: nil), .dependent(step: 1)] {
                var world = PunchWorld(.portRestricted, .portRestricted, seed: 1, isPeerProven: isPeerProven) {
                    offers in
                    offers[1] = TraversalOffer(
                        candidates: (1...20).map { IPEndpoint(victim, $0) }, mapping: mapping,
                        lastSeen: IPEndpoint(victim, 1))
                }
                world.run()
                #expect(world.sides[0].sent[victim, default: 0] <= limit, "\(mapping)")
                #expect(world.sides[0].sent[victim, default: 0] > 0)
                #expect(world.sides[0].hasFailed)
            }
        }
    }

    @Test("Nobody searches our own network for ports")
    func ownNetwork() {
        let neighbour = IPAddress(192, 168, 1, 1)
        for mapping in [NATMapping.dependent(step: nil), .dependent(step: 1)] {
            var world = PunchWorld(.portRestricted, .portRestricted, seed: 1) { offers in
                let endpoint = IPEndpoint(neighbour, 53)
                offers[1] = TraversalOffer(candidates: [endpoint], mapping: mapping, lastSeen: endpoint)
            }
            world.run()
            #expect(world.sides[0].sent == [neighbour: PunchLimits().datagramsPerEndpoint], "\(mapping)")
        }
    }

    @Test("Nobody guesses on a broker's word")
    func strangers() {
        var world = PunchWorld(.symmetric, .portRestricted, seed: 1, isPeerProven: false)
        world.run()
        #expect(world.sides.allSatisfy { $0.hasFailed && $0.sockets == 1 })
    }

    @Test("A stranger, a reflection and a repetition prove nothing, and are answered once at most")
    func forgeries() throws {
        let peer = IPEndpoint("192.0.2.2:2")
        let offer = TraversalOffer(candidates: [peer], mapping: .none, lastSeen: peer)
        let key = SecretBytes(copying: [UInt8](repeating: 3, count: 32))
        let other = SecretBytes(copying: [UInt8](repeating: 4, count: 32))
        func puncher(_ role: PunchRole, _ key: borrowing SecretBytes, seed: UInt64) -> HolePuncher<SeededRandom> {
            HolePuncher(
                role: role, key: key, ours: offer, theirs: offer, isPeerProven: true, random: SeededRandom(seed))
        }
        func datagrams(_ actions: [HolePuncher<SeededRandom>.Action]) -> [[UInt8]] {
            actions.compactMap { if case .send(let datagram, _, _) = $0 { datagram } else { nil } }
        }
        var ada = puncher(.initiator, key, seed: 1)
        var bob = puncher(.responder, key, seed: 2)
        var eve = puncher(.responder, other, seed: 3)
        let outcome1 = ada.start(now: .zero)
        let adas = try #require(datagrams(outcome1).first)
        let outcome2 = bob.start(now: .zero)
        let bobs = try #require(datagrams(outcome2).first)
        let outcome3 = eve.start(now: .zero)
        let eves = try #require(datagrams(outcome3).first)
        #expect(PunchDatagram.isLike(adas))
        let outcome4 = ada.receive(eves, on: 0, from: peer, now: .zero)
        #expect(outcome4.isEmpty)
        let outcome5 = ada.receive(adas, on: 0, from: peer, now: .zero)
        #expect(outcome5.isEmpty)
        for index in bobs.indices {
            var damaged = bobs
            damaged[index] ^= 1
            let outcome6 = ada.receive(damaged, on: 0, from: peer, now: .zero)
            #expect(outcome6.isEmpty)
        }
        // An answer and a question to where it came from; what is repeated from elsewhere gets neither.
        let elsewhere = IPEndpoint("203.0.113.9:9")
        let outcome7 = ada.receive(bobs, on: 0, from: IPEndpoint("192.0.2.2:77"), now: .zero)
        #expect(datagrams(outcome7).count == 2)
        let outcome8 = ada.receive(bobs, on: 0, from: elsewhere, now: .zero)
        #expect(outcome8.isEmpty)
        // An answer that comes from elsewhere than the question went to is none.
        let answers = datagrams(bob.receive(adas, on: 0, from: peer, now: .zero))
        let answer = try #require(answers.first)
        let outcome9 = ada.receive(answer, on: 0, from: elsewhere, now: .zero)
        #expect(outcome9.isEmpty)
        let outcome10 = ada.receive(answer, on: 1, from: peer, now: .zero)
        #expect(outcome10.isEmpty)
        guard case .reached(let path)? = ada.receive(answer, on: 0, from: peer, now: .milliseconds(40)).first else {
            Issue.record("not reached")
            return
        }
        #expect(path.socket == 0)
        #expect(path.remote == peer)
        #expect(path.roundTrip == .milliseconds(40))
    }
}
