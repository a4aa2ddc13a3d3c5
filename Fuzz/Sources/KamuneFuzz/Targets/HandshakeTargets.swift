import KamuneTestSupport

@testable import KamuneCrypto
@testable import KamuneProtocol

/// An initiator against a responder that does what it likes.
func fuzzInitiator(_ input: [UInt8]) throws {
    var adversary = Adversary(role: .responder, identity: try People.attacker.get(), choices: Choices(input))
    let machine = try InitiatorMachine(
        configuration: HandshakeConfiguration(
            identity: try People.victim.get(), capabilities: adversary.choices.below(2) == 0 ? .all : .none),
        random: SeededRandom(5))
    let theirKey = machine.outgoing[0]
    var victim = Victim(machine)

    var encapsulator = SystemEncapsulator()
    let encapsulation = try encapsulator.encapsulateTunnel(to: theirKey)
    let key = try TunnelPrivateKey.generate(using: &adversary.random)
    var exchange = MergedExchange(encapsulatedKey: encapsulation.encapsulatedKey, publicKey: key.publicKey).encoded()
    if adversary.choices.below(8) == 7 { exchange = adversary.choices.mutated(exchange) }
    var frames = try victim.take(exchange, &adversary)
    if frames.count == 2, let opener = try? TunnelOpener(encapsulatedKey: frames[0], privateKey: key) {
        adversary.tunnel = Tunnel(sealer: encapsulation.sealer, opener: opener)
        frames.removeFirst()
    }
    try converse(&adversary, &victim, frames)
}

/// A responder against an initiator that does what it likes.
func fuzzResponder(_ input: [UInt8]) throws {
    var adversary = Adversary(role: .initiator, identity: try People.attacker.get(), choices: Choices(input))
    var victim = Victim(
        ResponderMachine(
            configuration: HandshakeConfiguration(
                identity: try People.victim.get(), capabilities: adversary.choices.below(2) == 0 ? .all : .none),
            random: SeededRandom(6)))

    let key = try TunnelPrivateKey.generate(using: &adversary.random)
    let disturbs = adversary.choices.below(8)
    let first = disturbs == 6 ? adversary.choices.mutated(key.publicKey) : key.publicKey
    let answer = try victim.take(first, &adversary)
    if let frame = answer.first, let merged = try? MergedExchange(decoding: frame) {
        var encapsulator = SystemEncapsulator()
        let encapsulation = try encapsulator.encapsulateTunnel(to: merged.publicKey)
        let opener = try TunnelOpener(encapsulatedKey: merged.encapsulatedKey, privateKey: key)
        let second = encapsulation.encapsulatedKey
        adversary.tunnel = Tunnel(sealer: encapsulation.sealer, opener: opener)
        _ = try victim.take(disturbs == 7 ? adversary.choices.mutated(second) : second, &adversary)
    }
    try converse(&adversary, &victim, [])
}

/// Sends until the handshake has ended; twice four frames would be a whole one and as many that do not belong.
private func converse<Machine: FuzzedMachine & ~Copyable>(
    _ adversary: inout Adversary, _ victim: inout Victim<Machine>, _ answers: [[UInt8]]
) throws {
    for answer in answers { adversary.received(answer) }
    for _ in 0..<8 {
        if victim.machine == nil { break }
        let frame = try adversary.nextFrame()
        for answer in try victim.take(frame, &adversary) { adversary.received(answer) }
    }
}
