import Foundation
import KamuneCrypto
import KamuneTestSupport
import SwiftProtobuf
import Testing

@testable import KamuneProtocol

/// What somebody can do who speaks the protocol, holds an identity of his own, and does not keep to the rules. Every
/// frame here is signed and sealed as it should be, unless that is what is wrong with it.
@Suite("Hostile peers in a handshake")
struct HostilePeerTests {
    static let tunnelled = HostileFrameTests.tunnelled

    /// The route that is due as each frame.
    private func route(of frame: FrameName) -> Route {
        switch frame {
        case .opening, .reply: .identity
        case .request: .requestHandshake
        case .accept: .acceptHandshake
        case .responderAnswer, .initiatorAnswer: .verifyChallenge
        case .initiatorKey, .exchange, .encapsulation, .initiatorChallenge, .responderChallenge: .sendChallenge
        }
    }

    /// Whether a frame is sealed by the session's keys within the tunnel.
    private func isChallenge(_ frame: FrameName) -> Bool {
        frame.rawValue >= FrameName.initiatorChallenge.rawValue
    }

    /// Lets a peer keep to the rules until one of its frames is due, which a test then makes: how the other side takes it.
    private func verdict(
        _ frame: FrameName, capabilities: CapabilitySet = .all, announcing: [String] = [],
        _ hostile: (inout RawPeer) throws -> [UInt8]
    ) throws -> ProtocolError? {
        let configuration = Fixture.configuration(try Fixture.alice.get(), capabilities: capabilities)
        let mallory = try Fixture.mallory.get()
        switch frame.receiver {
        case .responder:
            var victim = Side(ResponderMachine(configuration: configuration, random: SeededRandom(5)))
            var peer = try RawPeer(connectingTo: &victim, as: mallory)
            peer.announced = announcing
            try peer.advance(&victim, to: frame)
            _ = victim.deliver(try hostile(&peer))
            return try victim.verdict()
        case .initiator:
            var victim = Side(try InitiatorMachine(configuration: configuration, random: SeededRandom(6)))
            var peer = try RawPeer(acceptingFrom: &victim, as: mallory)
            peer.announced = announcing
            try peer.advance(&victim, to: frame)
            _ = victim.deliver(try hostile(&peer))
            return try victim.verdict()
        }
    }

    /// An envelope, sealed for the step of the handshake that it is for.
    private func seal(_ envelope: [UInt8], as frame: FrameName, _ peer: inout RawPeer) throws -> [UInt8] {
        isChallenge(frame) ? try peer.sessionFrame(envelope: envelope) : try peer.tunnel.seal(envelope)
    }

    /// The number that the frame's message has when its sender keeps to the rules.
    private func number(of frame: FrameName) -> UInt64 {
        switch frame {
        case .initiatorChallenge, .responderAnswer: 1
        case .initiatorAnswer, .responderChallenge: 2
        default: 0
        }
    }

    // MARK: On every step

    @Test(
        "A peer that keeps to the rules is not refused",
        arguments: tunnelled.filter { $0 != .initiatorAnswer && $0 != .responderChallenge })
    func honest(_ frame: FrameName) throws {
        let error = try verdict(frame) { peer in
            let envelope = try peer.envelope(
                route(of: frame), try peer.honestData(frame), sequence: number(of: frame))
            return try seal(envelope, as: frame, &peer)
        }
        #expect(error == nil)
    }

    @Test(
        "The last frame of a peer that keeps to the rules establishes",
        arguments: [FrameName.initiatorAnswer, .responderChallenge])
    func honestEnd(_ frame: FrameName) {
        #expect(throws: EstablishedByMistake.self) {
            try verdict(frame) { peer in
                let envelope = try peer.envelope(
                    route(of: frame), try peer.honestData(frame), sequence: number(of: frame))
                return try seal(envelope, as: frame, &peer)
            }
        }
    }

    @Test("Every route but the one that is due", arguments: tunnelled)
    func wrongRoute(_ frame: FrameName) throws {
        for rawRoute in Array(0...14) + [127, 128, -1, Int32.max, .min] {
            let actual = Route(rawValue: rawRoute)
            if actual == route(of: frame) { continue }
            // A request to resume is legal here; `ResumptionTests` has it.
            if frame == .opening, actual == .resumeRequest { continue }
            let error = try verdict(frame) { peer in
                let envelope = try peer.envelope(
                    .ping, try peer.honestData(frame), rawRoute: rawRoute, sequence: number(of: frame))
                return try seal(envelope, as: frame, &peer)
            }
            #expect(
                error == .peerMisbehaved(.unexpectedRoute(expected: route(of: frame), actual: actual)), "\(rawRoute)")
        }
    }

    @Test("A plaintext that is no envelope", arguments: tunnelled)
    func noEnvelope(_ frame: FrameName) throws {
        for plaintext in HostileSessionTests.malformed {
            let error = try verdict(frame) { peer in try seal(plaintext, as: frame, &peer) }
            #expect(error?.isMalformedEnvelope == true, "\(plaintext)")
        }
    }

    @Test("An empty envelope", arguments: tunnelled)
    func emptyEnvelope(_ frame: FrameName) throws {
        let error = try verdict(frame) { peer in try seal([], as: frame, &peer) }
        // Only an introduction's route is looked at before its signature.
        let isIntroduction = route(of: frame) == .identity
        #expect(
            error
                == (isIntroduction
                    ? .peerMisbehaved(.unexpectedRoute(expected: .identity, actual: nil))
                    : .authenticationFailed(.invalidSignature)))
    }

    @Test("A signature by anybody else, or none", arguments: tunnelled)
    func wrongSignature(_ frame: FrameName) throws {
        let stranger = try Fixture.bob.get()
        let signed = try verdict(frame) { peer in
            let envelope = try peer.envelope(
                route(of: frame), try peer.honestData(frame), sequence: number(of: frame), signer: stranger)
            return try seal(envelope, as: frame, &peer)
        }
        #expect(signed == .authenticationFailed(.invalidSignature))
        // The victim's own signature is not the peer's either.
        let own = try verdict(frame) { peer in
            let envelope = try peer.envelope(
                route(of: frame), try peer.honestData(frame), sequence: number(of: frame),
                signer: try Fixture.alice.get())
            return try seal(envelope, as: frame, &peer)
        }
        #expect(own == .authenticationFailed(.invalidSignature))
        for signature in [[], [UInt8](repeating: 0, count: 63), [UInt8](repeating: 0, count: 64)] {
            let unsigned = try verdict(frame) { peer in
                var metadata: [UInt8] = []
                Metadata(sequence: number(of: frame), route: route(of: frame)).encode(to: &metadata)
                var envelope: [UInt8] = []
                WireWriter.appendField(Envelope.Field.data, try peer.honestData(frame), to: &envelope)
                WireWriter.appendField(Envelope.Field.signature, signature, to: &envelope)
                WireWriter.appendField(Envelope.Field.metadata, metadata, to: &envelope)
                return try seal(envelope, as: frame, &peer)
            }
            #expect(unsigned == .authenticationFailed(.invalidSignature))
        }
    }

    @Test("Metadata that cannot be read, though signed", arguments: tunnelled)
    func malformedMetadata(_ frame: FrameName) throws {
        let invalidText: [UInt8] = [0x0a, 0x01, 0xff]
        let malformedTimestamp: [UInt8] = [0x12, 0x01, 0x80]
        for metadata in [[0x80], invalidText, malformedTimestamp] as [[UInt8]] {
            let error = try verdict(frame) { peer in
                let envelope = try peer.envelope(metadata: metadata, try peer.honestData(frame))
                return try seal(envelope, as: frame, &peer)
            }
            #expect(error?.isMalformedEnvelope == true, "\(metadata)")
        }
    }

    @Test("Contents that cannot be read, though signed", arguments: tunnelled)
    func malformedMessage(_ frame: FrameName) throws {
        for data in HostileSessionTests.malformed {
            let error = try verdict(frame) { peer in
                let envelope = try peer.envelope(route(of: frame), data, sequence: number(of: frame))
                return try seal(envelope, as: frame, &peer)
            }
            #expect(error == .peerMisbehaved(.malformedMessage(route(of: frame))), "\(data)")
        }
    }

    // MARK: Introductions

    @Test("Versions that do not fit", arguments: [FrameName.opening, .reply])
    func version(_ frame: FrameName) throws {
        let versions = [
            "0.8.0", "0.6.9", "1.7.0", "0.7", "v0.7.0", "0.7.0-rc1", "0.7.0.0", "", " 0.7.0", "0.7.",
            "0.7.99999999999999999999", "-1.7.0", "zero",
        ]
        for version in versions {
            let error = try verdict(frame) { peer in
                try peer.frame(.identity, try peer.introduction { $0.appVersion = version })
            }
            #expect(error == .incompatible(.version(local: "0.7.0", remote: version)))
        }
        for version in ["0.7.1", "0.7.9223372036854775807", "+0.007.0"] {
            let error = try verdict(frame) { peer in
                try peer.frame(.identity, try peer.introduction { $0.appVersion = version })
            }
            #expect(error == nil, "\(version)")
        }
    }

    @Test("Public keys that cannot be read", arguments: [FrameName.opening, .reply])
    func malformedKey(_ frame: FrameName) throws {
        let spki = try Fixture.mallory.get().publicKey.spki
        let keys: [[UInt8]] = [
            [], [0x30], [0x30, 0x00], [0x30, 0x80], [0x30, 0x84, 0xff, 0xff, 0xff, 0xff], spki.dropLast(), spki + [0],
            Array(spki.suffix(32)), [UInt8](repeating: 0, count: 44), [UInt8](repeating: 0x30, count: 1_000),
            [0x30, 0x2c, 0x30, 0x07, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x05, 0x00] + spki.dropFirst(9),
        ]
        for key in keys {
            let error = try verdict(frame) { peer in
                try peer.frame(.identity, try peer.introduction { $0.publicKey = .init(key) })
            }
            #expect(error?.isMalformedIdentity == true, "\(key)")
        }
    }

    @Test("A public key of an algorithm that is not known", arguments: [FrameName.opening, .reply])
    func unknownAlgorithm(_ frame: FrameName) throws {
        // X25519, and ML-DSA-44.
        for (byte, oid) in [(UInt8(0x6e), "1.3.101.110"), (0x71, "1.3.101.113")] {
            let error = try verdict(frame) { peer in
                try peer.frame(
                    .identity,
                    try peer.introduction {
                        $0.publicKey = .init(peer.identity.publicKey.spki.altered(at: 8, by: 0x70 ^ byte))
                    })
            }
            #expect(error == .incompatible(.identityAlgorithm(oid: oid)))
        }
    }

    @Test("A public key that is not the signer's", arguments: [FrameName.opening, .reply])
    func foreignKey(_ frame: FrameName) throws {
        for owner in [try Fixture.bob.get(), try Fixture.identity(.mldsa65, 1)] {
            let error = try verdict(frame) { peer in
                try peer.frame(.identity, try peer.introduction { $0.publicKey = .init(owner.publicKey.spki) })
            }
            #expect(error == .authenticationFailed(.invalidSignature))
        }
    }

    @Test("Capabilities against the rules", arguments: [FrameName.opening, .reply])
    func capabilities(_ frame: FrameName) throws {
        let announcements: [[String]] = [
            [""], ["Upper"], ["a b"], ["a\u{0}"], ["ä"], [String(repeating: "a", count: 65)], ["a", "a"],
            (0..<33).map { "c\($0)" },
        ]
        for capabilities in announcements {
            let error = try verdict(frame) { peer in
                try peer.frame(.identity, try peer.introduction { $0.capabilities = capabilities })
            }
            #expect(error == .peerMisbehaved(.malformedMessage(.identity)), "\(capabilities)")
        }
        for capabilities in [[], ["unknown/x-1.0"], [String(repeating: "a", count: 64)], (0..<32).map { "c\($0)" }] {
            let error = try verdict(frame) { peer in
                try peer.frame(.identity, try peer.introduction { $0.capabilities = capabilities })
            }
            #expect(error == nil, "\(capabilities)")
        }
    }

    @Test(
        "Names of any form are taken: a name proves nothing",
        arguments: ["", "\u{1b}[31m", String(repeating: "x", count: 50_000)])
    func names(_ name: String) throws {
        for frame in [FrameName.opening, .reply] {
            let error = try verdict(frame) { peer in
                try peer.frame(.identity, try peer.introduction { $0.name = name })
            }
            #expect(error == nil)
        }
    }

    // MARK: Key agreement

    private func change(_ frame: FrameName, _ change: (inout WireHandshake) -> Void) throws -> ProtocolError? {
        try verdict(frame) { peer in
            var wire = try WireHandshake(serializedBytes: try peer.honestData(frame))
            change(&wire)
            return try peer.frame(route(of: frame), try wire.encoded())
        }
    }

    @Test("Salts of another size", arguments: [FrameName.request, .accept], [0, 1, 15, 17, 32, 1_000])
    func salt(_ frame: FrameName, _ count: Int) throws {
        let error = try change(frame) { $0.salt = .init([UInt8](repeating: 1, count: count)) }
        #expect(error == .peerMisbehaved(.invalidHandshakeField(.salt)))
    }

    @Test("Session keys against the rules", arguments: [FrameName.request, .accept])
    func sessionKey(_ frame: FrameName) throws {
        for text in [
            "", "A", "ABCDEFGHIJK", "ABCDEFGHIJKLM", "ABCDEFGHIJKLMNOPQRSTUVW", "ABCDEFGHIJKLMNOPQRSTUVWXY",
            "abcdefghijkl", "ABCDEFGHIJK1", "ABCDEFGHIJK=", "ABCDEFGHIJ ", "ÄÄÄÄÄÄ", "ABCDEFGHIJK\u{0}",
        ] {
            #expect(
                try change(frame) { $0.sessionKey = text } == .peerMisbehaved(.invalidHandshakeField(.sessionKey)),
                "\(text)")
        }
        #expect(try change(frame) { $0.sessionKey = "ABCDEFGHIJKLMNOPQRSTUVWX" } == nil)
    }

    @Test("Keys and ciphertexts of another size", arguments: [FrameName.request, .accept])
    func keySize(_ frame: FrameName) throws {
        let right = frame == .request ? MLKEM768Size.publicKey : MLKEM768Size.ciphertext
        for count in [0, 1, 32, right - 1, right + 1, 1_216, 1_120, 1_568, 50_000] {
            let error = try change(frame) { $0.key = .init([UInt8](repeating: 0, count: count)) }
            #expect(error == .peerMisbehaved(.invalidHandshakeField(.key)), "\(count)")
        }
    }

    @Test("An ML-KEM key that fails the modulus check of FIPS 203")
    func modulus() throws {
        #expect(
            try change(.request) { $0.key = .init([UInt8](repeating: 0xff, count: 1_184)) }
                == .peerMisbehaved(.invalidHandshakeField(.key)))
        // 3329 itself, as the very last coefficient.
        #expect(
            try change(.request) { wire in
                var key = Array(wire.key)
                key[1_150] = key[1_150] & 0x0f | 0x10
                key[1_151] = 0xd0
                wire.key = .init(key)
            } == .peerMisbehaved(.invalidHandshakeField(.key)))
    }

    // MARK: Challenges

    static let challenges = tunnelled.filter { $0.rawValue >= FrameName.initiatorChallenge.rawValue }

    @Test("A challenge, or an answer, that is not the right one", arguments: challenges)
    func wrongChallenge(_ frame: FrameName) throws {
        let wrong: [(inout RawPeer) throws -> [UInt8]] = [
            { _ in [] }, { _ in [UInt8](repeating: 0, count: 32) },
            { peer in Array(try peer.rightChallenge(frame).dropLast()) },
            { peer in try peer.rightChallenge(frame) + [0] },
            { peer in try peer.rightChallenge(frame).altered(at: 0) },
            { peer in try peer.rightChallenge(frame).altered(at: 31, by: 0x80) },
            // That of the other direction: a challenge reflected, or an answer that is a challenge of its own.
            { peer in try peer.otherChallenge(frame) },
        ]
        for (index, bytes) in wrong.enumerated() {
            let error = try verdict(frame) { peer in try peer.sessionFrame(route(of: frame), bytes: try bytes(&peer)) }
            #expect(error == .authenticationFailed(.challengeMismatch), "\(index)")
        }
    }

    @Test("Numbers that are not the next one", arguments: challenges)
    func sequence(_ frame: FrameName) throws {
        let right = number(of: frame)
        for number in [0, 1, 2, 3, UInt64.max] where number != right {
            let error = try verdict(frame) { peer in
                let envelope = try peer.envelope(route(of: frame), try peer.honestData(frame), sequence: number)
                return try seal(envelope, as: frame, &peer)
            }
            #expect(error == .peerMisbehaved(.outOfSequence(expected: right, actual: number)))
        }
    }

    @Test("A challenge that lacks the session's cipher, or the tunnel's", arguments: challenges)
    func missingLayer(_ frame: FrameName) throws {
        let withoutSession = try verdict(frame) { peer in
            try peer.tunnel.seal(
                try peer.envelope(route(of: frame), try peer.honestData(frame), sequence: number(of: frame)))
        }
        #expect(withoutSession == .authenticationFailed(.undecryptable(.session)))
        let withoutTunnel = try verdict(frame) { peer in
            try peer.sessionFrame(route(of: frame), bytes: try peer.rightChallenge(frame), isTunnelled: false)
        }
        #expect(withoutTunnel == .authenticationFailed(.undecryptable(.tunnel)))
    }

    @Test("Every byte and length of a challenge within the tunnel counts too", arguments: challenges)
    func innerCipher(_ frame: FrameName) throws {
        // Nonce, ciphertext and tag have one in each place.
        for mutation in [
            Mutation.altered(at: 0), .altered(at: 23), .altered(at: 24), .altered(at: 511), .truncated(to: 0),
            .truncated(to: 1), .truncated(to: 39), .truncated(to: 40), .truncated(to: 511), .extended,
        ] {
            let error = try verdict(frame) { peer in
                let inner = try peer.sessionFrame(
                    route(of: frame), bytes: try peer.rightChallenge(frame), isTunnelled: false)
                return try peer.tunnel.seal(mutation.applied(to: inner))
            }
            #expect(error == .authenticationFailed(.undecryptable(.session)), "\(mutation)")
        }
    }

    @Test("Who announces capabilities must prove it", arguments: [FrameName.initiatorChallenge, .responderAnswer])
    func missingProof(_ frame: FrameName) throws {
        // The raw peer pads at random, as one of 0.7.
        for (announced, victim, expected) in [
            (["direct-start"], CapabilitySet.all, ProtocolError.authenticationFailed(.capabilityDowngrade)),
            (["x"], .all, .authenticationFailed(.capabilityDowngrade)),
            ([], .all, nil), (["direct-start"], .none, nil),
        ] {
            let error = try verdict(frame, capabilities: victim, announcing: announced) { peer in
                try peer.sessionFrame(route(of: frame), bytes: try peer.rightChallenge(frame))
            }
            #expect(error == expected, "\(announced)")
        }
    }

    // MARK: Shapes that every version may take

    @Test("A frame larger than any that 0.7 sends is still judged by its contents")
    func large() throws {
        let error = try verdict(.opening) { peer in
            let introduction = try peer.introduction { $0.name = String(repeating: "n", count: 65_000) }
            return try peer.tunnel.seal(try peer.envelope(metadata: [0x20, 0x01], introduction))
        }
        #expect(error == nil)
    }
}
