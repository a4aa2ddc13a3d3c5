import Foundation
import KamuneCrypto
import KamuneTestSupport
import SwiftProtobuf
import Testing

@testable import KamuneProtocol

@Suite("Succession of identities")
struct SuccessionTests {
    private static let time: Int64 = 1_784_937_599_123

    /// Statements from each of these people to the next.
    private func way(_ people: Identity...) throws -> [SuccessionStatement] {
        try zip(people, people.dropFirst()).map { try SuccessionStatement(from: $0, to: $1, milliseconds: Self.time) }
    }

    private func people(_ count: Int, _ algorithm: IdentityAlgorithm = .ed25519) throws -> [Identity] {
        try (0..<count).map { try Fixture.identity(algorithm, 100 + UInt64($0)) }
    }

    private func succession(_ people: [Identity]) throws -> Succession {
        let statements = try zip(people, people.dropFirst()).map {
            try SuccessionStatement(from: $0, to: $1, milliseconds: Self.time).encoded
        }
        return Succession(to: try #require(people.last).publicKey, from: statements)
    }

    private func fault(_ announced: [[UInt8]], introducing identity: Identity) -> ProtocolError? {
        do throws(ProtocolError) {
            _ = try Succession(announced: announced, introducing: identity.publicKey)
            return nil
        } catch {
            return error
        }
    }

    // MARK: Statements

    @Test("a statement says who follows whom", arguments: IdentityAlgorithm.allCases, IdentityAlgorithm.allCases)
    func roundTrip(from: IdentityAlgorithm, to: IdentityAlgorithm) throws {
        let (old, new) = (try Fixture.identity(from, 1), try Fixture.identity(to, 2))
        for time in [Self.time, 0, -1, .min, .max] {
            let made = try SuccessionStatement(from: old, to: new, milliseconds: time)
            let read = try SuccessionStatement(verifying: made.encoded)
            #expect(read == made)
            if from == to { #expect(made.encoded.count == (from == .ed25519 ? 253 : 10_603)) }
            #expect(read.old == old.publicKey && read.new == new.publicKey && read.milliseconds == time)
        }
    }

    @Test("the layout is that of the specification")
    func layout() throws {
        let (old, new) = (try Fixture.alice.get(), try Fixture.bob.get())
        let bytes = try SuccessionStatement(from: old, to: new, milliseconds: 0x0102_0304_0506_0708).encoded
        let body =
            Array("kamune/succession/v1".utf8) + [0, 0, 44] + old.publicKey.spki + [0, 44] + new.publicKey.spki
            + [1, 2, 3, 4, 5, 6, 7, 8]
        #expect(Array(bytes.prefix(body.count)) == body && bytes.count == body.count + 2 * 66)
        let signatures = bytes.dropFirst(body.count)
        #expect(signatures.prefix(2) == [0, 64] && signatures.dropFirst(66).prefix(2) == [0, 64])
        #expect(old.publicKey.isValidSignature(Array(signatures.dropFirst(2).prefix(64)), for: body))
        #expect(new.publicKey.isValidSignature(Array(signatures.suffix(64)), for: body))
    }

    @Test("no byte of it can be changed, left out or added")
    func altered() throws {
        let bytes = try way(Fixture.alice.get(), Fixture.bob.get())[0].encoded
        for index in bytes.indices {
            #expect(throws: ProtocolError.self, "byte \(index)") {
                try SuccessionStatement(verifying: bytes.altered(at: index))
            }
            #expect(throws: ProtocolError.self, "first \(index) bytes") {
                try SuccessionStatement(verifying: Array(bytes[..<index]))
            }
        }
        #expect(throws: ProtocolError.authenticationFailed(.invalidSuccession(.malformed))) {
            try SuccessionStatement(verifying: bytes + [0])
        }
    }

    @Test("nobody names somebody else's key, or their own, as the successor")
    func forged() throws {
        let (old, new, eve) = (try Fixture.alice.get(), try Fixture.bob.get(), try Fixture.mallory.get())
        let honest = try way(old, new)[0].encoded
        // Eve's signature in the place of the new one's: she has the old key, and not the new one.
        #expect(throws: ProtocolError.authenticationFailed(.invalidSuccession(.signature))) {
            try SuccessionStatement(verifying: honest.dropLast(64) + way(old, eve)[0].encoded.suffix(64))
        }
        // In the place of the old one's: she wants to follow somebody.
        let theft = try way(eve, old)[0].encoded
        let toEve = try way(old, eve)[0].encoded
        #expect(throws: ProtocolError.authenticationFailed(.invalidSuccession(.signature))) {
            try SuccessionStatement(verifying: toEve.dropLast(130) + theft.suffix(130))
        }
        #expect(throws: ProtocolError.authenticationFailed(.invalidSuccession(.malformed))) {
            try SuccessionStatement(verifying: way(old, old)[0].encoded)
        }
    }

    // MARK: Several of them

    @Test("statements lead from the oldest identity to the one that is introduced")
    func chain() throws {
        let people = try people(4)
        let own = try succession(people)
        #expect(own.formerKeys == people.dropLast().map(\.publicKey))
        let read = try Succession(announced: own.statements.map(\.encoded), introducing: people[3].publicKey)
        #expect(read == own)
        #expect(try Succession(announced: [], introducing: people[0].publicKey) == .none)
    }

    @Test("our own statements are put in order, and those that do not help are left out")
    func own() throws {
        let people = try people(5)
        var statements = try way(people[0], people[1], people[2], people[3]).map(\.encoded)
        // Of another way, damaged, and one to nowhere.
        statements += [try way(people[0], people[4])[0].encoded, [1, 2, 3], statements[0].altered(at: 40)]
        let found = Succession(to: people[3].publicKey, from: statements.reversed())
        #expect(found.formerKeys == people[0..<3].map(\.publicKey))
        #expect(Succession(to: people[2].publicKey, from: statements).formerKeys == people[0..<2].map(\.publicKey))
        #expect(Succession(to: people[0].publicKey, from: statements) == .none)
        let round = try way(people[0], people[1], people[0]).map(\.encoded)
        #expect(Succession(to: people[0].publicKey, from: round).formerKeys == [people[1].publicKey])
    }

    @Test("gaps, loops, and statements for another key are refused")
    func brokenChains() throws {
        let people = try people(4)
        let statements = try way(people[0], people[1], people[2], people[3]).map(\.encoded)
        #expect(fault(statements, introducing: people[3]) == nil)
        #expect(fault(statements, introducing: people[2]) == .authenticationFailed(.invalidSuccession(.gap)))
        #expect(
            fault(Array(statements.dropLast()), introducing: people[3])
                == .authenticationFailed(.invalidSuccession(.gap)))
        #expect(
            fault([statements[0], statements[2]], introducing: people[3])
                == .authenticationFailed(.invalidSuccession(.gap)))
        #expect(fault(statements.reversed(), introducing: people[3]) == .authenticationFailed(.invalidSuccession(.gap)))
        #expect(
            fault([statements[2], statements[2]], introducing: people[3])
                == .authenticationFailed(.invalidSuccession(.gap)))
        let loop = try way(people[3], people[1], people[3]).map(\.encoded)
        #expect(fault(loop, introducing: people[3]) == .authenticationFailed(.invalidSuccession(.loop)))
        #expect(
            fault([statements[2].altered(at: statements[2].count - 1)], introducing: people[3])
                == .authenticationFailed(.invalidSuccession(.signature)))
        #expect(
            fault([statements[2].dropLast(1)], introducing: people[3])
                == .authenticationFailed(.invalidSuccession(.malformed)))
    }

    @Test("number and size are bounded, for senders too")
    func bounds() throws {
        let ten = try people(10)
        let all = try zip(ten, ten.dropFirst()).map {
            try SuccessionStatement(from: $0, to: $1, milliseconds: Self.time).encoded
        }
        #expect(all.count == 9)
        #expect(fault(all, introducing: ten[9]) == .authenticationFailed(.invalidSuccession(.tooMany)))
        #expect(Succession(to: ten[9].publicKey, from: all).formerKeys == ten[1..<9].map(\.publicKey))
        let large = [UInt8](repeating: 0, count: 49_152)
        #expect(fault([large], introducing: ten[9]) == nil)
        #expect(fault([large, [0]], introducing: ten[9]) == .authenticationFailed(.invalidSuccession(.tooLarge)))
        // The oldest ones have no room.
        let heavy = try people(7, .mldsa65)
        #expect(try succession(heavy).formerKeys == heavy[2..<6].map(\.publicKey))
    }

    @Test("what only later versions can judge is passed over, with all that is not connected without it")
    func later() throws {
        let people = try people(4)
        let statements = try way(people[0], people[1], people[2], people[3]).map(\.encoded)
        let later = Array("kamune/succession/v2".utf8) + [0, 1, 2, 3]
        func read(_ announced: [[UInt8]]) throws -> [PublicIdentity] {
            try Succession(announced: announced, introducing: people[3].publicKey).formerKeys
        }
        #expect(try read([later]).isEmpty)
        #expect(try read(statements + [later]) == people[0..<3].map(\.publicKey))
        #expect(try read([later] + statements) == people[0..<3].map(\.publicKey))
        #expect(try read([statements[0], later, statements[2]]) == [people[2].publicKey])
        // A key of another algorithm: here that of RSA.
        let rsa: [UInt8] =
            [0x30, 0x12, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00]
            + [0x03, 0x01, 0x00]
        let foreign = SuccessionStatement.label + [0, UInt8(rsa.count)] + rsa + [1, 2, 3]
        #expect(try read([statements[0], foreign, statements[2]]) == [people[2].publicKey])
    }

    // MARK: In the handshake

    @Test("it travels in both introductions", arguments: HandshakeTests.pairs)
    func handshake(_ algorithms: (IdentityAlgorithm, IdentityAlgorithm)) throws {
        let alice = [try Fixture.identity(algorithms.1, 21), try Fixture.identity(algorithms.0, 22)]
        let bob = try people(3, algorithms.1)
        // Once: signatures of ML-DSA differ each time.
        let (aliceWay, bobWay) = (try succession(alice), try succession(bob))
        let pair = try HandshakePair(
            initiator: HandshakeConfiguration(identity: alice[1], succession: aliceWay),
            responder: HandshakeConfiguration(identity: bob[2], succession: bobWay)
        ).establish()
        #expect(pair.responder.peer.introduction?.succession == aliceWay)
        #expect(pair.initiator.peer.introduction?.succession == bobWay)
        #expect(pair.initiator.peer.introduction?.succession.formerKeys == bob.dropLast().map(\.publicKey))
        #expect(pair.frames.allSatisfy { $0.bytes.count <= ProtocolConstants.maximumFrameSize })
    }

    @Test("the largest one fits a frame, and beside an endless name the oldest statements stay behind")
    func largest() throws {
        let heavy = try people(6, .mldsa65)
        let all = try succession(heavy)
        for (name, count) in [(String(repeating: "x", count: 256), 4), (String(repeating: "x", count: 30_000), 2)] {
            let capabilities = CapabilitySet(
                (0..<32).compactMap { Capability("\($0 + 10)" + String(repeating: "z", count: 62)) })
            let sender = HandshakeConfiguration(
                identity: heavy[5], name: name, capabilities: capabilities, succession: all)
            let pair = try HandshakePair(initiator: sender, responder: Fixture.configuration(Fixture.bob.get()))
                .establish()
            #expect(pair.responder.peer.introduction?.succession.statements == Array(all.statements.suffix(count)))
        }
    }

    @Test("who announces nothing sends none: every byte is as 0.7 sends it")
    func silent() throws {
        let people = try people(2)
        let plain = HandshakeConfiguration(identity: people[1], capabilities: .none)
        var rotated = plain
        rotated.succession = try succession(people)
        #expect(rotated.succession.statements.count == 1)
        #expect(try LocalIntroduction(rotated).encoded == LocalIntroduction(plain).encoded)
        // And one that comes without capabilities counts for nothing.
        var wire = try WireIntroduce(serializedBytes: LocalIntroduction(plain).encoded)
        wire.succession = [.init([1]), .init(try way(people[0], people[1])[0].encoded)]
        let data = try wire.encoded()
        var random = SeededRandom(7)
        let envelope = try Envelope.seal(
            metadata: Metadata(route: .identity), dataSize: data.count, appendData: { $0.append(contentsOf: data) },
            signedBy: people[1], random: &random)
        let read = try PeerIntroduction(Envelope(parsing: envelope), localVersion: .current)
        #expect(read.succession == .none)
    }

    @Test("an introduction with a statement that does not fit ends the handshake")
    func refused() throws {
        let (bob, mallory, carol) = (try Fixture.bob.get(), try Fixture.mallory.get(), try people(1)[0])
        // Mallory shows what Carol once said of Bob.
        let stolen = try way(carol, bob)[0]
        var middle = try Middle(
            HandshakeConfiguration(identity: mallory), HandshakeConfiguration(identity: Fixture.alice.get()))
        try middle.run { name, plaintext in
            guard name == .opening else { return plaintext }
            return try resigned(plaintext, by: mallory) { data in
                guard var wire = try? WireIntroduce(serializedBytes: data) else { return }
                wire.succession = [.init(stolen.encoded)]
                data = (try? wire.encoded()) ?? []
            }
        }
        #expect(middle.responder.introduction == nil)
        #expect(middle.errors.responder == .authenticationFailed(.invalidSuccession(.gap)))
    }

    @Test("who replays a rotated peer's introduction, or takes the statement out of it, gets no session")
    func replayed() throws {
        let bob = [try Fixture.mallory.get(), try Fixture.bob.get()]
        let rotated = HandshakeConfiguration(identity: bob[1], succession: try succession(bob))
        let alice = HandshakeConfiguration(identity: try Fixture.alice.get())
        // Somebody without Bob's key shows what Bob once sent.
        var replay = try Middle(HandshakeConfiguration(identity: try people(1)[0]), alice)
        try replay.run { name, plaintext in
            name == .opening
                ? try introduction(of: bob[1], capabilities: .all, succession: succession(bob)) : plaintext
        }
        #expect(replay.responder.introduction?.succession.formerKeys == [bob[0].publicKey])
        #expect(replay.errors.responder == .authenticationFailed(.invalidSignature))
        #expect(replay.nobodyIsEstablished == true)
        // Somebody in between shows an older introduction of the same identity.
        var stripped = try Middle(rotated, alice)
        try stripped.run { name, plaintext in
            name == .opening ? try introduction(of: bob[1], capabilities: .all) : plaintext
        }
        #expect(stripped.responder.introduction?.succession == Succession.none)
        #expect(stripped.errors.responder == .authenticationFailed(.capabilityDowngrade))
        #expect(stripped.nobodyIsEstablished == true)
    }
}
