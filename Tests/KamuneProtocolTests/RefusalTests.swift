import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneProtocol

@Suite("Refusals that say why")
struct RefusalTests {
    private func configuration(_ seed: UInt64, _ capabilities: CapabilitySet) throws -> HandshakeConfiguration {
        var random = SeededRandom(seed)
        return HandshakeConfiguration(
            identity: try .generate(.ed25519, using: &random), name: "n\(seed)", capabilities: capabilities)
    }

    /// An initiator that has introduced itself, and the responder that judges it.
    private func introduced(
        _ ours: CapabilitySet = .all, _ theirs: CapabilitySet = .all,
        _ judge: (consuming InitiatorMachine, consuming ResponderMachine.IntroducedPeer) throws -> Void
    ) throws {
        let now = Timestamp(seconds: 1_750_000_000, nanoseconds: 0)
        let initiator = try InitiatorMachine(configuration: try configuration(1, ours), random: SeededRandom(1))
        let responder = ResponderMachine(configuration: try configuration(2, theirs), random: SeededRandom(2))
        guard case .proceed(let second) = try responder.receivedFrame(initiator.outgoing[0], at: now),
            case .proceed(let waiting) = try initiator.receivedFrame(second.outgoing[0], at: now)
        else {
            Issue.record("the exchange fails")
            return
        }
        let frames = waiting.outgoing
        guard case .proceed(let third) = try second.receivedFrame(frames[0], at: now),
            case .verifyPeer(let peer) = try third.receivedFrame(frames[1], at: now)
        else {
            Issue.record("the introduction fails")
            return
        }
        try judge(waiting, peer)
    }

    @Test("the initiator learns why", arguments: HandshakeRefusal.allCases)
    func told(_ refusal: HandshakeRefusal) throws {
        try introduced { initiator, peer in
            let answer = try peer.refuse(refusal)
            let frame = try #require(answer)
            // As large as every other, and not larger than an introduction.
            #expect(frame.count == HandshakeRefusal.size + 16)
            do throws(ProtocolError) {
                _ = try initiator.receivedFrame(frame, at: Timestamp(seconds: 0, nanoseconds: 0))
                Issue.record("not refused")
            } catch {
                #expect(error == .refused(.introduction(refusal)))
            }
        }
    }

    @Test("a side that has not announced it neither hears nor says a word")
    func notAnnounced() throws {
        for (ours, theirs) in [(CapabilitySet.none, CapabilitySet.all), (.all, .none), (.none, .none)] {
            try introduced(ours, theirs) { initiator, peer in
                let frame = try peer.refuse(.busy)
                #expect(frame == nil)
                _ = consume initiator
            }
        }
    }

    @Test("what a later version says is a refusal without a reason, and what has another form is none")
    func encoding() {
        for refusal in HandshakeRefusal.allCases { #expect(HandshakeRefusal(decoding: refusal.encoded) == refusal) }
        var later = HandshakeRefusal.busy.encoded
        later[HandshakeRefusal.label.count] = 200
        later[later.count - 1] = 1
        #expect(HandshakeRefusal(decoding: later) == .unspecified)
        #expect(HandshakeRefusal(decoding: HandshakeRefusal.busy.encoded + [0]) == nil)
        #expect(HandshakeRefusal(decoding: Array(HandshakeRefusal.busy.encoded.dropLast())) == nil)
        #expect(HandshakeRefusal(decoding: []) == nil)
        later[0] ^= 1
        #expect(HandshakeRefusal(decoding: later) == nil)
        // No envelope begins like this: its first byte would open a group, which the schema has not.
        #expect(throws: ProtocolError.self) { try Envelope(parsing: HandshakeRefusal.busy.encoded) }
    }
}
