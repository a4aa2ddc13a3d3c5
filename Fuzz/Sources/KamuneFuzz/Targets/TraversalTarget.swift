import KamuneBroker
import KamuneCrypto
import KamuneTestSupport
import KamuneTraversal

/// What comes to the broker, to its clients, and to those who look for a way through a NAT. Nothing traps; the broker sends
/// two datagrams at most, holds no more than it may, and what is read is written as it was.
func fuzzTraversal(_ input: [UInt8]) throws {
    var choices = Choices(input)
    var random = SeededRandom(1)
    let limit = 4
    var registry = BrokerRegistry(
        configuration: .init(memoryLimit: limit * BrokerRegistry<SeededRandom>.Configuration.entrySize),
        random: SeededRandom(2))
    guard let key = try? X25519PrivateKey.generate(using: &random) else { return }
    var client = BrokerClient(key: key, purpose: .offer, random: &random)
    _ = client.start(now: .zero)
    var mapper = PortMapper(PortMapping(.udp, port: 5000), client: IPAddress(192, 168, 1, 2), random: &random)
    _ = mapper.start(now: .zero)
    let peer = IPEndpoint(IPAddress(192, 0, 2, 1), 5000)
    let offer = TraversalOffer(candidates: [peer], mapping: .independent, lastSeen: peer)
    var puncher = HolePuncher(
        role: .initiator, key: SecretBytes(copying: [UInt8](repeating: 1, count: 32)), ours: offer, theirs: offer,
        isPeerProven: false, random: SeededRandom(3))
    _ = puncher.start(now: .zero)
    var now = Duration.zero
    while !choices.isEmpty {
        now += .milliseconds(Int64(choices.byte()))
        let source = IPEndpoint(IPAddress(192, 0, 2, choices.byte()), UInt16(choices.byte()))
        let prefix: [UInt8] = choices.below(2) == 0 ? [] : [0x4B, 0x42, 0x52, 0x4B, 1, UInt8(choices.below(5))]
        let datagram = prefix + choices.bytes()
        let answers = registry.receive(datagram, from: source, now: now)
        try expect(answers.count <= 2, "a datagram has more than two answers")
        try expect(registry.registrationCount <= limit, "there are more registrations than there is room")
        for answer in answers {
            try expect(answer.datagram.count <= BrokerWire.largestNoticeSize, "an answer is larger than the largest")
        }
        if case .register(let registration)? = BrokerRequest(parsing: datagram) {
            let written = BrokerRequest.register(registration).encoded(isPadded: true)
            try expect(BrokerRequest(parsing: written) == .register(registration), "a registration is read as another")
        }
        if let offer = TraversalOffer(parsing: datagram) {
            try expect(TraversalOffer(parsing: offer.encoded) == offer, "an offer is read as another")
        }
        for case .matched in client.receive(datagram, now: now) {
            throw Finding(description: "a stranger was believed")
        }
        _ = client.tick(now: now)
        for case .reached in puncher.receive(datagram, on: 0, from: source, now: now) {
            throw Finding(description: "a stranger was reached")
        }
        _ = puncher.tick(now: now)
        _ = mapper.receive(datagram, now: now)
        _ = mapper.tick(now: now)
    }
    registry.expire(now: now + .seconds(3600))
    try expect(registry.registrationCount == 0, "a registration has outlived its time")
}
