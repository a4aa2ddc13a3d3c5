import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneProtocol

/// What padding and frames become where something between the two carries less than a length can announce.
struct FrameLimitsTests {
    /// What a relay's frame carries (docs/RELAY.md).
    private static let relay = 65_511

    private func total(base: Int, bump: Int, _ limits: FrameLimits) -> Int {
        let count = Padding.count(base: base, bump: bump, limits: limits)
        return base + (count == 0 ? 0 : WireWriter.fieldSize(contentSize: count))
    }

    private func limits(_ size: Int, ours: Bool, overhead: Int = 40) -> FrameLimits {
        FrameLimits(maximumFrameSize: size, isPeerOurs: ours, overhead: overhead)
    }

    @Test("a way that carries everything changes nothing")
    func direct() {
        for ours in [true, false] {
            let limits = limits(65_535, ours: ours)
            #expect(limits == .none)
            for base in stride(from: 0, through: 65_495, by: 251) {
                for bump in 0...3 {
                    #expect(
                        Padding.count(base: base, bump: bump, limits: limits) == Padding.count(base: base, bump: bump))
                }
            }
        }
    }

    @Test("between ours over a relay the last bucket is 65,471 and the others are as ever")
    func ours() {
        let limits = limits(Self.relay, ours: true)
        #expect(limits.buckets(base: 1) == [512, 1_024, 4_096, 16_384, 32_768, 65_471])
        for base in Array(stride(from: 1, to: 65_471, by: 13)) + [65_469, 65_470, 65_471] {
            for bump in 0...3 {
                let total = total(base: base, bump: bump, limits)
                #expect(total + 40 <= Self.relay, "\(base) raised by \(bump)")
                if total < 32_768 {
                    #expect(total == self.total(base: base, bump: bump, .none))
                }
            }
        }
        #expect(total(base: 32_769, bump: 0, limits) == 65_471)
        #expect(total(base: 100, bump: 3, limits) == 16_384)
        #expect(total(base: 16_000, bump: 3, limits) == 65_471)
    }

    @Test("towards 0.7 the last bucket is 32,704, for as long as the message fits it")
    func others() {
        let limits = limits(Self.relay, ours: false)
        #expect(limits.buckets(base: 32_704) == [512, 1_024, 4_096, 16_384, 32_704])
        #expect(limits.buckets(base: 32_705) == [512, 1_024, 4_096, 16_384, 32_768, 65_471])
        for base in Array(stride(from: 1, through: 32_704, by: 7)) + [16_383, 16_384, 16_385, 32_701, 32_702, 32_703] {
            for bump in 0...3 {
                #expect(total(base: base, bump: bump, limits) + 40 <= 32_744, "\(base) raised by \(bump)")
            }
        }
        for base in [32_705, 32_768, 32_769, 65_000, 65_471] {
            for bump in 0...3 {
                #expect(total(base: base, bump: bump, limits) + 40 <= Self.relay)
            }
        }
    }

    @Test("what carries less than any bucket, or nothing, stops nothing")
    func tiny() {
        for size in [0, 39, 40, 41, 300, 600] {
            let limits = limits(size, ours: false)
            for base in [0, 1, 100, 511, 512, 513, 60_000] {
                #expect(total(base: base, bump: 3, limits) <= max(base, size - 40))
            }
        }
    }

    /// A handshake in which every envelope is raised as far as there are buckets.
    private func handshake(
        _ algorithm: IdentityAlgorithm, capabilities: (CapabilitySet, CapabilitySet), size: Int
    ) throws -> EstablishedPair {
        var configurations = [
            HandshakeConfiguration(identity: try Fixture.identity(algorithm, 1), capabilities: capabilities.0),
            HandshakeConfiguration(identity: try Fixture.identity(algorithm, 2), capabilities: capabilities.1),
        ]
        for index in configurations.indices { configurations[index].maximumFrameSize = size }
        let pair = HandshakePair(
            try InitiatorMachine(
                configuration: configurations[0], random: ConstantRandom(byte: 0xc7),
                encapsulator: SystemEncapsulator()),
            ResponderMachine(
                configuration: configurations[1], random: ConstantRandom(byte: 0xc7),
                encapsulator: SystemEncapsulator()))
        return try pair.establish()
    }

    @Test("no frame of a handshake is too long for a peer of 0.7", arguments: IdentityAlgorithm.allCases)
    func handshakes(_ algorithm: IdentityAlgorithm) throws {
        for capabilities in [(CapabilitySet.none, .all), (.all, .none), (.none, .none)]
            as [(CapabilitySet, CapabilitySet)]
        {
            var pair = try handshake(algorithm, capabilities: capabilities, size: Self.relay)
            #expect(pair.frames.count == 11)
            #expect(pair.frames.allSatisfy { $0.bytes.count <= 32_744 })
            // And nothing that is said in it later.
            for size in [0, 100, 4_000, 16_000, 29_000] {
                let frame = try pair.initiator.state.seal(
                    .exchangeMessages, bytes: [UInt8](repeating: 1, count: size), at: Fixture.now
                ).frame
                #expect(frame.count <= 32_744)
                _ = try pair.responder.state.open(frame)
            }
            let largest = try pair.initiator.state.seal(
                .exchangeMessages, bytes: [UInt8](repeating: 1, count: ProtocolConstants.maximumPayloadSize),
                at: Fixture.now
            ).frame
            #expect(largest.count <= Self.relay)
            _ = try pair.responder.state.open(largest)
        }
    }

    @Test("between ours only the relay's own limit counts, once both have announced something")
    func announced() throws {
        var pair = try handshake(.ed25519, capabilities: (.all, .all), size: Self.relay)
        #expect(pair.frames.allSatisfy { $0.bytes.count <= Self.relay })
        let frame = try pair.responder.state.seal(
            .exchangeMessages, bytes: [UInt8](repeating: 1, count: 16_000), at: Fixture.now
        ).frame
        #expect(frame.count == Self.relay)
        _ = try pair.initiator.state.open(frame)
        // Directly, it fills what a length can announce.
        var direct = try handshake(.ed25519, capabilities: (.all, .all), size: 65_535)
        let full = try direct.responder.state.seal(
            .exchangeMessages, bytes: [UInt8](repeating: 1, count: 16_000), at: Fixture.now
        ).frame
        #expect(full.count == 65_535)
    }
}
