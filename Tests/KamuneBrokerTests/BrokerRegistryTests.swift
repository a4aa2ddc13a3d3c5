import KamuneBroker
import KamuneCrypto
import KamuneTestSupport
import Testing

/// What the broker does: the recorded conversation, and what no recording has.
struct BrokerRegistryTests {
    private typealias Registry = BrokerRegistry<SeededRandom>

    private static func key(_ seed: UInt64) -> X25519PrivateKey {
        var random = SeededRandom(seed)
        guard let key = try? X25519PrivateKey.generate(using: &random) else { preconditionFailure("no key") }
        return key
    }

    private static func register(
        _ key: X25519PrivateKey, token: [UInt8]?, claim: IPEndpoint, attempt: [UInt8]? = nil
    ) -> [UInt8] {
        BrokerRequest.register(
            BrokerRegistration(
                token: token, publicKey: key.publicKey, claimedAddress: claim.address, claimedPort: claim.port,
                attempt: attempt)
        ).encoded(isPadded: false)
    }

    private let ada = key(1)
    private let bob = key(2)
    private let eve = key(3)
    private let token = [UInt8](repeating: 9, count: 16)
    private let adasPlace = IPEndpoint("192.0.2.1:1000")
    private let bobsPlace = IPEndpoint("198.51.100.2:2000")
    private let evesPlace = IPEndpoint("203.0.113.3:3000")

    /// The one difference to the recording: a claimed address that is not the datagram's source is not handed on.
    @Test("The recorded conversation is answered the same way, but that claims of another's address are not handed on")
    func recording() throws {
        // Tokens are drawn here, and were drawn there.
        var tokens: [[UInt8]: [UInt8]] = [:]
        var registry = Registry(random: SeededRandom(4))
        var answers: [Registry.Answer] = []
        var sources: [String: IPEndpoint] = [:]
        var compared = 0
        for step in BrokerVectors.all.steps {
            if step.to == "broker" {
                #expect(answers.isEmpty, "after \(step.from), \(step.kind)")
                let source = IPEndpoint(step.source ?? "")
                sources[step.from] = source
                var packet = try #require(step.packet).bytes
                if packet.count >= BrokerWire.registrationSize, let drawn = tokens[Array(packet[6..<22])] {
                    packet.replaceSubrange(6..<22, with: drawn)
                }
                answers = registry.receive(packet, from: source, now: .zero)
                continue
            }
            guard step.kind != "no reply" else {
                #expect(!answers.contains { $0.destination == sources[step.to] }, "\(step.to)")
                continue
            }
            let index = try #require(
                answers.firstIndex { $0.destination == sources[step.to] }, "\(step.to) \(step.kind)")
            let answer = answers.remove(at: index)
            compared += 1
            let expected = try #require(step.packet).bytes
            guard step.kind == "notify" else {
                #expect(answer.datagram == expected)
                continue
            }
            #expect(answer.datagram.count == expected.count)
            let key = try X25519PrivateKey(seed: #require(step.peerPrivate).secret)
            let notice = try BrokerNotice(opening: answer.datagram, with: key)
            switch (notice, try BrokerNotice(opening: expected, with: key)) {
            case (.assigned(let drawn, let lifetime), .assigned(let recorded, let recordedLifetime)):
                #expect(lifetime == recordedLifetime)
                tokens[recorded] = drawn
            case (.matched(let match), .matched(let recorded)):
                #expect(match.token == tokens[recorded.token] ?? recorded.token)
                #expect(match.publicKey == recorded.publicKey)
                // All of it happened on one machine, and the claims are of others.
                let isClaim = recorded.endpoint.address != IPAddress("127.0.0.1")
                #expect(
                    isClaim ? match.endpoint.address == IPAddress("127.0.0.1") : match.endpoint == recorded.endpoint)
            default:
                Issue.record("\(notice)")
            }
        }
        #expect(compared == 9)
    }

    @Test("What 0.7 does not answer gets no answer")
    func ignored() {
        var registry = Registry(random: SeededRandom(5))
        let vectors = BrokerVectors.all.ignored
        #expect(vectors.count == 15)
        for vector in vectors {
            let outcome1 = registry.receive(vector.packet.bytes, from: adasPlace, now: .zero)
            #expect(outcome1.isEmpty, "\(vector.name)")
        }
        #expect(registry.registrationCount == 0)
        #expect(registry.counters.ignored == vectors.count)
    }

    @Test("A claimed port counts for the same address only, and whoever waits is told of where they are heard from")
    func claims() throws {
        var registry = Registry(random: SeededRandom(6))
        let victim = IPEndpoint("203.0.113.99:53")
        let outcome2 = registry.receive(Self.register(ada, token: token, claim: victim), from: adasPlace, now: .zero)
        #expect(outcome2.isEmpty)
        let answers = registry.receive(
            Self.register(bob, token: token, claim: IPEndpoint(bobsPlace.address, 2001)), from: bobsPlace, now: .zero)
        #expect(answers.map(\.destination) == [bobsPlace, adasPlace])
        #expect(try match(answers, 0, bob).endpoint == adasPlace)
        #expect(try match(answers, 1, ada).endpoint == IPEndpoint(bobsPlace.address, 2001))

        _ = registry.receive(Self.register(ada, token: token, claim: adasPlace), from: adasPlace, now: .zero)
        let others = registry.receive(Self.register(eve, token: token, claim: victim), from: evesPlace, now: .zero)
        #expect(try match(others, 1, ada).endpoint == evesPlace)
    }

    private func match(
        _ answers: [BrokerRegistry<SeededRandom>.Answer], _ index: Int, _ key: X25519PrivateKey
    ) throws -> BrokerNotice.Match {
        guard answers.indices.contains(index),
            case .matched(let match) = try BrokerNotice(opening: answers[index].datagram, with: key)
        else { throw CryptoError.malformedCiphertext }
        return match
    }

    @Test("What is over is matched by nobody, whether it was cleaned away or not")
    func expiry() {
        var registry = Registry(random: SeededRandom(7))
        let datagram = Self.register(ada, token: token, claim: adasPlace)
        _ = registry.receive(datagram, from: adasPlace, now: .zero)
        // Renewed, so that it lasts longer.
        _ = registry.receive(datagram, from: adasPlace, now: .seconds(30))
        let late = Self.register(bob, token: token, claim: bobsPlace)
        var copy = registry
        let outcome3 = copy.receive(late, from: bobsPlace, now: .seconds(89))
        #expect(outcome3.count == 2)
        let outcome4 = registry.receive(late, from: bobsPlace, now: .seconds(90))
        #expect(outcome4.isEmpty)
        registry.expire(now: .seconds(149))
        #expect(registry.registrationCount == 1)
        registry.expire(now: .seconds(150))
        #expect(registry.registrationCount == 0)
        #expect(registry.counters.expirations == 2)
    }

    @Test("Whoever is heard of from another place only has moved there; before that the first place stays")
    func moving() throws {
        let datagram = Self.register(ada, token: token, claim: adasPlace)
        let moved = IPEndpoint("192.0.2.1:1001")
        for (times, expected) in [([20], adasPlace), ([20, 40], moved)] as [([Int64], IPEndpoint)] {
            var registry = Registry(random: SeededRandom(8))
            _ = registry.receive(datagram, from: adasPlace, now: .zero)
            for time in times { _ = registry.receive(datagram, from: moved, now: .seconds(time)) }
            let answers = registry.receive(
                Self.register(bob, token: token, claim: bobsPlace), from: bobsPlace, now: .seconds(41))
            #expect(try match(answers, 0, bob).endpoint == expected)
            #expect(answers.last?.destination == expected)
        }
    }

    @Test("One of ours that asks again is told again; with 0.7 the token waits for the next")
    func repetition() throws {
        var registry = Registry(random: SeededRandom(9))
        let adas = Self.register(ada, token: token, claim: adasPlace, attempt: [1])
        _ = registry.receive(adas, from: adasPlace, now: .zero)
        _ = registry.receive(Self.register(bob, token: token, claim: bobsPlace), from: bobsPlace, now: .zero)
        let again = registry.receive(adas, from: adasPlace, now: .seconds(1))
        #expect(again.count == 1)
        #expect(try match(again, 0, ada).publicKey == bob.publicKey)
        // Another try is another wish, and waits; so does anybody else.
        let other = Self.register(ada, token: token, claim: adasPlace, attempt: [2])
        let outcome5 = registry.receive(other, from: adasPlace, now: .seconds(1))
        #expect(outcome5.isEmpty)
        let outcome6 = registry.receive(
            Self.register(eve, token: token, claim: evesPlace), from: evesPlace, now: .seconds(2))
        #expect(outcome6.count == 2)
    }

    @Test("IPv6 is introduced to IPv6, and meets nobody of IPv4")
    func families() throws {
        var registry = Registry(random: SeededRandom(10))
        let adasSix = IPEndpoint("[2001:db8::1]:1000")
        let bobsSix = IPEndpoint("[2001:db8::2]:2000")
        for place in [adasPlace, adasSix] {
            let outcome7 = registry.receive(Self.register(ada, token: token, claim: place), from: place, now: .zero)
            #expect(outcome7.isEmpty)
        }
        let six = registry.receive(Self.register(bob, token: token, claim: bobsSix), from: bobsSix, now: .zero)
        #expect(try match(six, 0, bob).endpoint == adasSix)
        #expect(try match(six, 1, ada).endpoint == bobsSix)
        let four = registry.receive(Self.register(bob, token: token, claim: bobsPlace), from: bobsPlace, now: .zero)
        #expect(try match(four, 0, bob).endpoint == adasPlace)
    }

    @Test(
        "A flood takes no more memory than there is, and who waits is there still with the probability of their share")
    func flood() {
        let limit = 1000
        var registry = Registry(
            configuration: .init(memoryLimit: limit * Registry.Configuration.entrySize), random: SeededRandom(11))
        var random = SeededRandom(12)
        for _ in 0..<5 * limit {
            _ = registry.receive(
                Self.register(eve, token: random.bytes(16), claim: evesPlace), from: evesPlace, now: .zero)
        }
        #expect(registry.registrationCount == limit)
        #expect(registry.counters.evictions == 4 * limit)
        _ = registry.receive(Self.register(ada, token: token, claim: adasPlace), from: adasPlace, now: .zero)
        let outcome8 = registry.receive(Self.register(bob, token: token, claim: bobsPlace), from: bobsPlace, now: .zero)
        #expect(outcome8.count == 2)
    }

    @Test("Random datagrams get no answer that is larger than a bound, and never end it")
    func noise() {
        var registry = Registry(random: SeededRandom(13))
        var random = SeededRandom(14)
        for round in 0..<20_000 {
            var datagram = random.bytes(Int(random.integer(below: 200)))
            if round.isMultiple(of: 2) {
                datagram = [0x4B, 0x42, 0x52, 0x4B, 1, UInt8(random.integer(below: 5))] + datagram
            }
            let answers = registry.receive(datagram, from: adasPlace, now: .milliseconds(round))
            #expect(answers.count <= 2)
            #expect(answers.allSatisfy { $0.datagram.count <= BrokerWire.largestNoticeSize })
        }
    }

    @Test("To what is padded, no answer is larger than what it answers")
    func amplification() {
        var registry = Registry(random: SeededRandom(15))
        let places = [
            "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535", "[2001:db8:1234:5678:9abc:def0:1234:5679]:65535",
        ]
        for place in places.map({ IPEndpoint($0) }) {
            let echo = BrokerRequest.echo.encoded(isPadded: true)
            for answer in registry.receive(echo, from: place, now: .zero) {
                #expect(answer.datagram.count <= echo.count)
            }
            for token in [nil, token] {
                let key = place == IPEndpoint(places[0]) ? ada : bob
                let wish = BrokerRequest.register(
                    BrokerRegistration(
                        token: token, publicKey: key.publicKey, claimedAddress: nil, claimedPort: place.port)
                ).encoded(isPadded: true)
                for answer in registry.receive(wish, from: place, now: .zero) {
                    #expect(answer.datagram.count <= wish.count)
                }
            }
        }
        #expect(registry.counters.matches == 1)
    }
}
