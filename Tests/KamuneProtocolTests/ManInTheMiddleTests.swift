import Foundation
import KamuneCrypto
import KamuneTestSupport
import SwiftProtobuf
import Testing

@testable import KamuneProtocol

/// Alice connects to Bob. Mallory sits in between: she controls every byte, has an identity of her own, and has recorded
/// what both ever sent.
@Suite("A man in the middle")
struct ManInTheMiddleTests {
    private let alice: Identity
    private let bob: Identity
    private let mallory: Identity

    init() throws {
        alice = try Fixture.alice.get()
        bob = try Fixture.bob.get()
        mallory = try Fixture.mallory.get()
    }

    private func middle(capabilities: CapabilitySet = .all, seed: UInt64 = 1) throws -> Middle {
        try Middle(
            Fixture.configuration(alice, capabilities: capabilities),
            Fixture.configuration(bob, capabilities: capabilities), seed: seed)
    }

    // MARK: Substituted keys

    @Test(
        "Who replaces the tunnel's key of one side alone cannot be understood",
        arguments: [FrameName.initiatorKey, .exchange])
    func tunnelKey(_ name: FrameName) throws {
        var random = SeededRandom(33)
        let own = try TunnelPrivateKey.generate(using: &random)
        var pair = try HandshakePair(
            initiator: Fixture.configuration(alice), responder: Fixture.configuration(bob))
        try pair.run { frame in
            guard frame.name == name else { return frame.delivered }
            let prefix = frame.bytes.prefix(name == .exchange ? 1_122 : 0)
            return [Delivery(to: name.receiver, prefix + own.publicKey)]
        }
        let victim = name == .initiatorKey ? pair.initiator.error : pair.responder.error
        #expect(victim == .authenticationFailed(.undecryptable(.tunnel)))
        #expect(pair.initiator.isEstablished == false && pair.responder.isEstablished == false)
    }

    /// The tunnel authenticates nobody. Who replaces its keys on both sides reads the introductions; what the session
    /// carries he cannot read, since its keys come from the ML-KEM key that Alice signed and the ciphertext that Bob did.
    @Test("Who replaces the tunnel's keys on both sides reads the handshake and nothing of the session")
    func bothTunnelKeys() throws {
        var middle = try middle()
        try middle.run()
        let read = try PeerIntroduction(Envelope(parsing: middle.plaintext(.opening)), localVersion: .current)
        #expect(read.identity == alice.publicKey)
        // The challenges are beyond him: they are no envelopes to him.
        for name in [FrameName.initiatorChallenge, .responderAnswer, .responderChallenge, .initiatorAnswer] {
            let plaintext = try middle.plaintext(name)
            #expect(ProtocolConstants.paddingBuckets.contains(plaintext.count - 40))
            #expect((try? Envelope(parsing: plaintext).verified(by: alice.publicKey)) == nil)
            #expect((try? Envelope(parsing: plaintext).verified(by: bob.publicKey)) == nil)
        }
        guard let left = middle.initiator.established.take(), let right = middle.responder.established.take() else {
            Issue.record("an interception that changes nothing disturbed the handshake")
            return
        }
        #expect(left.peer.identity == bob.publicKey)
        #expect(right.peer.identity == alice.publicKey)
    }

    @Test("An ML-KEM key that is Mallory's is not signed by Alice", arguments: [true, false])
    func kemKey(_ signsAnew: Bool) throws {
        var random = SeededRandom(4)
        let own = try MLKEM768PrivateKey.generate(using: &random)
        var middle = try middle()
        try middle.run { name, plaintext in
            guard name == .request else { return plaintext }
            let changed = try resigned(plaintext, by: mallory) { data in
                guard var wire = try? WireHandshake(serializedBytes: data) else { return }
                wire.key = .init(own.publicKey)
                data = (try? wire.encoded()) ?? []
            }
            return signsAnew ? changed : try keepingSignature(of: plaintext, changed)
        }
        #expect(middle.errors == (nil, .authenticationFailed(.invalidSignature)))
        #expect(middle.nobodyIsEstablished == true)
    }

    @Test("A ciphertext that is Mallory's is not signed by Bob", arguments: [true, false])
    func kemCiphertext(_ signsAnew: Bool) throws {
        var middle = try middle()
        var request: HandshakeMessage?
        try middle.run { name, plaintext in
            if name == .request {
                let data = try Envelope(parsing: plaintext).unverifiedData
                request = try HandshakeMessage(decoding: data, route: .requestHandshake)
            }
            guard name == .accept, let request else { return plaintext }
            var system = SystemEncapsulator()
            let ciphertext = try system.encapsulateMLKEM768(to: request.key).ciphertext
            let changed = try resigned(plaintext, by: mallory) { data in
                guard var wire = try? WireHandshake(serializedBytes: data) else { return }
                wire.key = .init(ciphertext)
                data = (try? wire.encoded()) ?? []
            }
            return signsAnew ? changed : try keepingSignature(of: plaintext, changed)
        }
        #expect(middle.errors == (.authenticationFailed(.invalidSignature), nil))
        #expect(middle.nobodyIsEstablished == true)
    }

    /// Mallory may always introduce herself, as herself: that is what Bob is asked to judge. But she cannot then let Alice
    /// speak for her.
    @Test("An identity that is Mallory's is judged as Mallory's, and Alice's next message is not hers")
    func identity() throws {
        var middle = try middle()
        try middle.run { name, plaintext in
            name == .opening ? try introduction(of: mallory, capabilities: .all) : plaintext
        }
        #expect(middle.responder.introduction?.identity == mallory.publicKey)
        #expect(middle.errors == (nil, .authenticationFailed(.invalidSignature)))
        #expect(middle.nobodyIsEstablished == true)

        var other = try self.middle()
        try other.run { name, plaintext in
            name == .reply ? try introduction(of: mallory, capabilities: .all) : plaintext
        }
        #expect(other.initiator.introduction?.identity == mallory.publicKey)
        #expect(other.errors == (.authenticationFailed(.invalidSignature), nil))
        #expect(other.nobodyIsEstablished == true)
    }

    @Test("An identity with Mallory's signature and Alice's key is nobody's")
    func borrowedKey() throws {
        var middle = try middle()
        try middle.run { name, plaintext in name == .opening ? try resigned(plaintext, by: mallory) : plaintext }
        #expect(middle.errors == (nil, .authenticationFailed(.invalidSignature)))
        #expect(middle.nobodyIsEstablished == true)
    }

    // MARK: Mixed, replayed, reflected

    /// Two handshakes of the same two people at the same time. All introductions and signatures are right, so the mixture
    /// shows in the keys: whoever takes a message of the other handshake derives others than its peer.
    @Test(
        "A message of another handshake of the same people",
        arguments: [
            FrameName.request, .accept, .initiatorChallenge, .responderAnswer, .responderChallenge, .initiatorAnswer,
        ])
    func mixed(_ name: FrameName) throws {
        var first = try middle(seed: 1)
        try first.run()
        let stranger = try first.plaintext(name)
        var second = try middle(seed: 2)
        try second.run { due, plaintext in due == name ? stranger : plaintext }
        let seen = second.errors
        switch name {
        // The responder finds out, by a challenge that it cannot open.
        case .request, .accept, .initiatorChallenge:
            #expect(seen == (nil, .authenticationFailed(.undecryptable(.session))))
        case .responderAnswer, .responderChallenge:
            #expect(seen == (.authenticationFailed(.undecryptable(.session)), nil))
        default: #expect(seen == (nil, .authenticationFailed(.undecryptable(.session))))
        }
        #expect(second.responder.isEstablished == false)
    }

    /// Of two handshakes everything after the introductions is crossed over, so that the keys fit. The base protocol would
    /// not notice: the introductions are not in its transcript. Between peers that announce they are bound to the keys.
    @Test("Crossing two handshakes over after the introductions is noticed by the announcements")
    func crossed() throws {
        var first = try Middle(
            HandshakeConfiguration(identity: alice, name: "private"), Fixture.configuration(bob), seed: 1)
        var second = try Middle(
            HandshakeConfiguration(identity: alice, name: "work"), Fixture.configuration(bob), seed: 2)
        // Both introduce themselves in their own handshake.
        try first.run { name, plaintext in name == .request ? nil : plaintext }
        try second.run { name, plaintext in name == .request ? nil : plaintext }
        // Then the first initiator goes on with the second responder.
        try second.deliverToResponder(try first.plaintext(.request))
        let accept = try second.nextFromResponder()
        try first.deliverToInitiator(accept.bytes)
        let challenge = try first.nextFromInitiator()
        try second.deliverToResponder(challenge.bytes)
        #expect(second.responder.error == .authenticationFailed(.capabilityDowngrade))
        #expect(first.nobodyIsEstablished == true && second.nobodyIsEstablished == true)
    }

    /// The introduction is bound to nothing, so Bob believes that Alice is there, and asks his person. But all that
    /// follows needs her signature, and an old request of hers comes with a private key that Mallory lacks.
    @Test("An introduction that is replayed leads nowhere", arguments: [true, false])
    func replayedIntroduction(_ replaysRequest: Bool) throws {
        var recorded = try middle()
        try recorded.run()
        var victim = Side(
            ResponderMachine(configuration: Fixture.configuration(bob), random: SeededRandom(12)))
        var attacker = try RawPeer(connectingTo: &victim, as: mallory)
        _ = victim.deliver(try attacker.tunnel.seal(try recorded.plaintext(.opening)))
        #expect(victim.introduction?.identity == alice.publicKey)
        if replaysRequest {
            let frames = victim.deliver(try attacker.tunnel.seal(try recorded.plaintext(.request)))
            #expect(frames.count == 1)
            _ = victim.deliver(try attacker.tunnel.seal(try recorded.plaintext(.initiatorChallenge)))
            #expect(victim.error == .authenticationFailed(.undecryptable(.session)))
        } else {
            _ = victim.deliver(try attacker.frame(.requestHandshake, try attacker.request()))
            #expect(victim.error == .authenticationFailed(.invalidSignature))
        }
        #expect(victim.isEstablished == false)
    }

    @Test("A whole handshake that is replayed to its responder ends at the first challenge")
    func replayedHandshake() throws {
        var recorded = try middle()
        try recorded.run()
        var second = try middle(seed: 7)
        let names: [FrameName] = [.opening, .request, .initiatorChallenge, .initiatorAnswer]
        for name in names { try second.deliverToResponder(try recorded.plaintext(name)) }
        #expect(second.responder.error == .authenticationFailed(.undecryptable(.session)))
    }

    /// Alice's own messages, sent back to her as if they were Bob's. She meets herself, and would have to accept that; the
    /// routes say who may send what.
    @Test("Messages that are reflected to the initiator", arguments: [CapabilitySet.all, .none])
    func reflectedToInitiator(_ capabilities: CapabilitySet) throws {
        var middle = try middle(capabilities: capabilities)
        let own = try middle.nextFromInitiator()
        try middle.deliverToInitiator(own.bytes)
        #expect(middle.initiator.introduction?.identity == alice.publicKey)
        let request = try middle.nextFromInitiator()
        try middle.deliverToInitiator(request.bytes)
        #expect(
            middle.initiator.error
                == .peerMisbehaved(.unexpectedRoute(expected: .acceptHandshake, actual: .requestHandshake)))
        #expect(middle.nobodyIsEstablished == true)
    }

    @Test("Messages that are reflected to the responder")
    func reflectedToResponder() throws {
        var middle = try middle()
        let opening = try middle.nextFromInitiator()
        try middle.deliverToResponder(opening.bytes)
        let reply = try middle.nextFromResponder()
        try middle.deliverToResponder(reply.bytes)
        #expect(middle.responder.error == .authenticationFailed(.invalidSignature))
        #expect(middle.nobodyIsEstablished == true)
    }

    @Test("A challenge that is reflected is sealed by the wrong key")
    func reflectedChallenge() throws {
        var middle = try middle()
        try middle.run { name, plaintext in name == .initiatorChallenge ? nil : plaintext }
        try middle.deliverToInitiator(try middle.plaintext(.initiatorChallenge))
        #expect(middle.initiator.error == .authenticationFailed(.undecryptable(.session)))

        var other = try self.middle()
        try other.run { name, plaintext in name == .responderChallenge ? nil : plaintext }
        try other.deliverToResponder(try other.plaintext(.responderChallenge))
        #expect(other.responder.error == .authenticationFailed(.undecryptable(.session)))
        #expect(other.nobodyIsEstablished == true)
    }

    // MARK: Announcements

    /// Introductions that Alice and Bob really made, at another time.
    static let earlier: [(name: String, capabilities: CapabilitySet)] = [
        ("earlier", .none), ("earlier", .all), ("", CapabilitySet([])),
        ("earlier", CapabilitySet([Capability("older"), Capability("things")].compactMap(\.self))),
    ]

    @Test("An older introduction of the same person in place of the present one", arguments: earlier, [true, false])
    func downgrade(_ earlier: (name: String, capabilities: CapabilitySet), _ replacesOpening: Bool) throws {
        var middle = try middle()
        try middle.run { name, plaintext in
            switch name {
            case .opening where replacesOpening:
                try introduction(of: alice, name: earlier.name, capabilities: earlier.capabilities)
            case .reply where !replacesOpening:
                try introduction(of: bob, name: earlier.name, capabilities: earlier.capabilities)
            default: plaintext
            }
        }
        #expect(middle.errors == (nil, .authenticationFailed(.capabilityDowngrade)))
        #expect(middle.nobodyIsEstablished == true)
    }

    @Test("Older introductions of both, who announced nothing then")
    func downgradeOfBoth() throws {
        var middle = try middle()
        try middle.run { name, plaintext in
            switch name {
            case .opening: try introduction(of: alice, capabilities: .none)
            case .reply: try introduction(of: bob, capabilities: .none)
            default: plaintext
            }
        }
        #expect(middle.errors == (nil, .authenticationFailed(.capabilityDowngrade)))
        #expect(middle.nobodyIsEstablished == true)
    }

    /// Bob looks like 0.7 now and checks nothing, so that the initiator's check stands alone.
    @Test("An older introduction that announced more than its owner does now")
    func upgrade() throws {
        var middle = try Middle(Fixture.configuration(alice), Fixture.configuration(bob, capabilities: .none))
        try middle.run { name, plaintext in
            name == .reply ? try introduction(of: bob, capabilities: .all) : plaintext
        }
        #expect(middle.initiator.error == .authenticationFailed(.capabilityDowngrade))
        #expect(middle.initiator.isEstablished == false)

        var other = try Middle(Fixture.configuration(alice, capabilities: .none), Fixture.configuration(bob))
        try other.run { name, plaintext in
            name == .opening ? try introduction(of: alice, capabilities: .all) : plaintext
        }
        #expect(other.errors == (nil, .authenticationFailed(.capabilityDowngrade)))
        #expect(other.nobodyIsEstablished == true)
    }

    @Test("The marker of a peer who seems to announce nothing gives the exchange away", arguments: Role.allCases)
    func marker(_ victimRole: Role) throws {
        let configuration = Fixture.configuration(alice)
        // Only the marker, which does not depend on the introductions, and nothing right behind it.
        if victimRole == .initiator {
            var victim = Side(try InitiatorMachine(configuration: configuration, random: SeededRandom(1)))
            var peer = try RawPeer(acceptingFrom: &victim, as: bob)
            try peer.advance(&victim, to: .responderAnswer)
            _ = victim.deliver(try peer.markedFrame(.responderAnswer))
            #expect(victim.error == .authenticationFailed(.capabilityDowngrade))
        } else {
            var victim = Side(ResponderMachine(configuration: configuration, random: SeededRandom(1)))
            var peer = try RawPeer(connectingTo: &victim, as: bob)
            try peer.advance(&victim, to: .initiatorChallenge)
            _ = victim.deliver(try peer.markedFrame(.initiatorChallenge))
            #expect(victim.error == .authenticationFailed(.capabilityDowngrade))
        }
    }

    @Test("Announcements that are taken out or put in are not signed", arguments: [FrameName.opening, .reply])
    func editedAnnouncement(_ target: FrameName) throws {
        for names in [[], ["direct-start", "more"]] as [[String]] {
            var middle = try middle()
            try middle.run { name, plaintext in
                guard name == target else { return plaintext }
                let edited = try resigned(plaintext, by: mallory) { data in
                    guard var wire = try? WireIntroduce(serializedBytes: data) else { return }
                    wire.capabilities = names
                    data = (try? wire.encoded()) ?? []
                }
                return try keepingSignature(of: plaintext, edited)
            }
            let seen = target == .opening ? middle.responder.error : middle.initiator.error
            #expect(seen == .authenticationFailed(.invalidSignature))
            #expect(middle.nobodyIsEstablished == true)
        }
    }

    @Test("An envelope's padding is not signed, and changing it changes nothing: not even between peers that announce")
    func padding() throws {
        var middle = try middle()
        try middle.run { name, plaintext in
            name.rawValue <= FrameName.accept.rawValue
                ? plaintext + [0x22, 0x03, 1, 2, 3] : plaintext
        }
        #expect(middle.errors == (nil, nil))
        #expect(middle.initiator.isEstablished == true && middle.responder.isEstablished == true)
    }

    // MARK: Somebody else's handshake

    /// The base protocol's transcript hash holds neither identity nor introduction, and nothing of the tunnel. So nothing
    /// in the keys would stop Mallory from passing off Alice's key agreement as her own: she introduces herself to Bob,
    /// signs Alice's request anew (it is hers to read, in the tunnel that she ended) and passes Bob's answer on. Alice and
    /// Bob would then share keys, Alice with Bob in mind and Bob with Mallory: an unknown key share, in which Bob takes
    /// what Alice says for Mallory's words.
    ///
    /// What stops it is that every message is signed, those under the session's keys too. Alice's challenge is sealed by
    /// keys that Mallory does not have. She can neither read it nor sign it anew nor make one herself; so it arrives with
    /// Alice's signature, where Bob demands Mallory's.
    @Test("Alice's handshake is not taken for Mallory's", arguments: [CapabilitySet.none, .all])
    func unknownKeyShareTowardsResponder(_ capabilities: CapabilitySet) throws {
        var middle = try middle(capabilities: capabilities)
        try middle.run { name, plaintext in
            switch name {
            case .opening: try introduction(of: mallory, capabilities: capabilities)
            case .request: try resigned(plaintext, by: mallory)
            default: plaintext
            }
        }
        // The deception went as far as it can: Bob believes in Mallory, and both derived the same keys.
        #expect(middle.responder.introduction?.identity == mallory.publicKey)
        #expect(middle.seen.map(\.name).contains(.initiatorChallenge))
        // The cipher was no obstacle, the signature was.
        #expect(middle.errors == (nil, .authenticationFailed(.invalidSignature)))
        #expect(middle.nobodyIsEstablished == true)
    }

    /// The same towards Alice, who wishes to talk with Mallory and is to take Bob's words for hers.
    @Test("Bob's handshake is not taken for Mallory's", arguments: [CapabilitySet.none, .all])
    func unknownKeyShareTowardsInitiator(_ capabilities: CapabilitySet) throws {
        var middle = try middle(capabilities: capabilities)
        try middle.run { name, plaintext in
            switch name {
            case .reply: try introduction(of: mallory, capabilities: capabilities)
            case .accept: try resigned(plaintext, by: mallory)
            default: plaintext
            }
        }
        #expect(middle.initiator.introduction?.identity == mallory.publicKey)
        if capabilities.isEmpty {
            #expect(middle.errors == (.authenticationFailed(.invalidSignature), nil))
        } else {
            // Bob already sees that Alice was told of somebody else: both introductions are bound to the keys.
            #expect(middle.errors == (nil, .authenticationFailed(.capabilityDowngrade)))
        }
        #expect(middle.nobodyIsEstablished == true)
    }

    @Test("Two handshakes with Mallory are two sessions with Mallory, whose keys have nothing in common")
    func twoSessions() throws {
        let left = try HandshakePair(
            initiator: Fixture.configuration(alice), responder: Fixture.configuration(mallory), seed: 1
        ).establish()
        let right = try HandshakePair(
            initiator: Fixture.configuration(mallory), responder: Fixture.configuration(bob), seed: 2
        ).establish()
        #expect(left.initiator.peer.identity == mallory.publicKey)
        #expect(right.responder.peer.identity == mallory.publicKey)
        var sender = SessionMachine(left.initiator.state, agreedCapabilities: .all, at: Fixture.moment())
        var receiver = SessionMachine(right.responder.state, agreedCapabilities: .all, at: Fixture.moment())
        let frame = try sender.send([1], at: Fixture.moment()).frame
        expectError(.authenticationFailed(.undecryptable(.session))) { () throws(ProtocolError) in
            _ = try receiver.receivedFrame(frame, at: Fixture.moment())
        }
    }

    /// The contents of one envelope under the signature of another.
    private func keepingSignature(of original: [UInt8], _ changed: [UInt8]) throws -> [UInt8] {
        let signed = try WireSignedTransport(serializedBytes: original)
        var wire = try WireSignedTransport(serializedBytes: changed)
        wire.signature = signed.signature
        wire.metadata = signed.metadata
        return try wire.encoded()
    }
}
