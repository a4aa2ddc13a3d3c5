import KamuneBroker
import KamuneCrypto
import KamuneTestSupport
import Testing

/// A client and the broker, with datagrams that get lost.
struct BrokerClientTests {
    /// Two clients, a broker, and a network that delivers at once, or not at all.
    private struct World {
        var registry = BrokerRegistry(random: SeededRandom(1))
        var random = SeededRandom(2)
        var now = Duration.zero
        var events: [String: [BrokerClient.Action]] = [:]
        var places: [String: IPEndpoint] = [:]
        var clients: [String: BrokerClient] = [:]
        /// Which datagrams are lost, counted from the first of all.
        var lost: Set<Int> = []
        var sent = 0

        mutating func add(_ name: String, _ purpose: BrokerClient.Purpose, at place: String) throws {
            clients[name] = BrokerClient(
                key: try .generate(using: &random), purpose: purpose, random: &random)
            places[name] = IPEndpoint(place)
            let actions = clients[name]?.start(now: now) ?? []
            perform(actions, of: name)
        }

        mutating func perform(_ actions: [BrokerClient.Action], of name: String) {
            guard let place = places[name] else { return }
            for action in actions {
                guard case .send(let datagram) = action else {
                    events[name, default: []].append(action)
                    continue
                }
                guard passes() else { continue }
                for answer in registry.receive(datagram, from: place, now: now) where passes() {
                    for (other, place) in places where place == answer.destination {
                        perform(clients[other]?.receive(answer.datagram, now: now) ?? [], of: other)
                    }
                }
            }
        }

        mutating func passes() -> Bool {
            defer { sent += 1 }
            return !lost.contains(sent)
        }

        mutating func run(until end: Duration) {
            while let next = clients.values.compactMap(\.deadline).min(), next <= end {
                now = max(now, next)
                for name in clients.keys.sorted() { perform(clients[name]?.tick(now: now) ?? [], of: name) }
            }
            now = end
        }

        func matches(of name: String) -> [IPEndpoint] {
            (events[name] ?? []).compactMap { if case .matched(let match) = $0 { match.endpoint } else { nil } }
        }
    }

    private let token = [UInt8](repeating: 9, count: 16)

    @Test(
        "Two who have a token are introduced within two round trips, whichever single datagram is lost within a second more"
    )
    func meeting() throws {
        for lost in -1..<8 {
            var world = World()
            world.lost = [lost]
            try world.add("ada", .meet(token: token), at: "192.0.2.1:1")
            try world.add("bob", .meet(token: token), at: "192.0.2.2:2")
            if lost < 0 { #expect(!world.matches(of: "ada").isEmpty) }
            world.run(until: .milliseconds(1500))
            #expect(world.matches(of: "ada") == [IPEndpoint("192.0.2.2:2")], "without \(lost)")
            #expect(world.matches(of: "bob") == [IPEndpoint("192.0.2.1:1")], "without \(lost)")
            #expect(world.clients.values.allSatisfy { $0.deadline == nil })
        }
    }

    @Test("Whoever offers gets a token, and meets one after the other with it")
    func offering() throws {
        var world = World()
        try world.add("ada", .offer, at: "192.0.2.1:1")
        guard case .assigned(let token, 60)? = world.events["ada"]?.last else {
            Issue.record("\(String(describing: world.events["ada"]))")
            return
        }
        world.run(until: .seconds(100))
        try world.add("bob", .meet(token: token), at: "192.0.2.2:2")
        world.run(until: .seconds(200))
        try world.add("eve", .meet(token: token), at: "192.0.2.3:3")
        #expect(world.matches(of: "ada") == [IPEndpoint("192.0.2.2:2"), IPEndpoint("192.0.2.3:3")])
        #expect(world.matches(of: "bob") == [IPEndpoint("192.0.2.1:1")])
        #expect(world.matches(of: "eve") == [IPEndpoint("192.0.2.1:1")])
    }

    @Test("A broker that is silent is given up after its tries")
    func silence() throws {
        var world = World()
        world.lost = Set(0..<100)
        try world.add("ada", .discover, at: "192.0.2.1:1")
        world.run(until: .milliseconds(7499))
        #expect(world.events["ada"] == nil)
        world.run(until: .milliseconds(7500))
        #expect(world.events["ada"] == [.failed])
        #expect(world.sent == 4)
    }

    @Test("Where the socket is seen is told when it changes")
    func rebinding() throws {
        var world = World()
        try world.add("ada", .wait(token: token), at: "192.0.2.1:1")
        world.run(until: .seconds(30))
        world.places["ada"] = IPEndpoint("192.0.2.1:7")
        world.run(until: .seconds(120))
        #expect(world.events["ada"] == [.seen(IPEndpoint("192.0.2.1:1")), .seen(IPEndpoint("192.0.2.1:7"))])
        try world.add("bob", .meet(token: token), at: "192.0.2.2:2")
        #expect(world.matches(of: "bob") == [IPEndpoint("192.0.2.1:7")])
    }

    @Test("Whoever is not the broker cannot have a client believe anything")
    func forgeries() throws {
        var random = SeededRandom(3)
        let key = try X25519PrivateKey.generate(using: &random)
        var client = BrokerClient(key: key, purpose: .meet(token: token), random: &random)
        _ = client.start(now: .zero)
        _ = client.receive(BrokerEcho.answer(to: IPEndpoint("192.0.2.1:1")), now: .zero)
        let other = try X25519PrivateKey.generate(using: &random)
        for (token, receiver, match) in [
            (token, other, key), ([UInt8](repeating: 1, count: 16), key, other), (token, key, key),
        ] {
            let notice = BrokerNotice.matched(
                .init(token: token, publicKey: match.publicKey, endpoint: IPEndpoint("192.0.2.9:9")))
            let sealed = try notice.sealed(
                to: receiver.publicKey, by: .generate(using: &random), nonce: .random(using: &random))
            let outcome1 = client.receive(sealed, now: .zero)
            #expect(outcome1.isEmpty)
        }
        for text in ["0.0.0.0:5", "192.0.2.1:0", "224.0.0.1:5"] {
            let outcome2 = client.receive(Array(text.utf8), now: .zero)
            #expect(outcome2.isEmpty, "\(text)")
        }
    }
}
