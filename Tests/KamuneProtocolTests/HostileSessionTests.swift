import KamuneCrypto
import Testing

@testable import KamuneProtocol

@Suite("Hostile frames in a session")
struct HostileSessionTests {
    /// One frame of each kind that a session has, of its smallest size, and a large one.
    private enum Kind: CaseIterable, Sendable {
        case message, large, ping, close, sessionData
    }

    private func frame(_ kind: Kind, _ session: inout SessionFixture) throws -> [UInt8] {
        switch kind {
        case .message: try session.forged(data: bytesValue([1, 2, 3]))
        case .large: try session.forged(data: bytesValue([UInt8](repeating: 7, count: 3_000)))
        case .ping: try session.forged(rawRoute: Route.ping.rawValue, data: bytesValue([1, 2, 3, 4, 5, 6, 7, 8]))
        case .close: try session.forged(rawRoute: Route.closeTransport.rawValue)
        case .sessionData:
            try session.forged(
                rawRoute: Route.sessionData.rawValue, data: SessionData(fields: ["a": [1]]).encoded())
        }
    }

    @Test("Every byte altered, every length cut, one byte more: undecryptable", arguments: Kind.allCases)
    private func alteredOrTruncated(_ kind: Kind) throws {
        var template = try SessionFixture()
        let frame = try frame(kind, &template)
        var probe = try template.probe()
        var opened: [String] = []
        for index in frame.indices {
            if !probe.refuses(frame.altered(at: index, by: 1 << (index % 8))) { opened.append("altered at \(index)") }
            if !probe.refuses(Array(frame.prefix(index))) { opened.append("cut to \(index)") }
        }
        for longer in [frame + [0], [0] + frame, frame + frame] where !probe.refuses(longer) { opened.append("longer") }
        #expect(opened == [])
        _ = try probe.open(frame)
        // The machine around it ends for good.
        for index in [0, 23, 24, 100, frame.count - 17, frame.count - 16, frame.count - 1] {
            var session = try SessionFixture()
            #expect(
                try session.error(of: frame.altered(at: index)) == .authenticationFailed(.undecryptable(.session)),
                "byte \(index)")
            var cut = try SessionFixture()
            #expect(
                try cut.error(of: Array(frame.prefix(index))) == .authenticationFailed(.undecryptable(.session)),
                "\(index) bytes")
        }
        var session = try SessionFixture()
        #expect(try session.error(of: frame) == nil)
    }

    @Test("A repeated frame is a repetition")
    func repeated() throws {
        var session = try SessionFixture()
        let frame = try session.forged(data: bytesValue([1]))
        _ = try session.local.receivedFrame(frame, at: Fixture.moment())
        #expect(try session.error(of: frame) == .peerMisbehaved(.outOfSequence(expected: 4, actual: 3)))
    }

    @Test("A dropped frame is a gap")
    func dropped() throws {
        var session = try SessionFixture()
        _ = try session.remote.send([1], at: Fixture.moment())
        let second = try session.remote.send([2], at: Fixture.moment())
        #expect(try session.error(of: second.frame) == .peerMisbehaved(.outOfSequence(expected: 3, actual: 4)))
    }

    @Test("Swapped frames are a gap, whichever routes they have")
    func swapped() throws {
        var session = try SessionFixture()
        let ping = try session.remote.ping(at: Fixture.moment())
        let close = try #require(try session.remote.close(at: Fixture.moment()))
        #expect(try session.error(of: close) == .peerMisbehaved(.outOfSequence(expected: 3, actual: 4)))
        #expect(!ping.isEmpty)
    }

    @Test("Numbers that are not the next one, up to the largest", arguments: [0, 1, 2, 4, 5, UInt64.max - 1, .max])
    func sequence(_ number: UInt64) throws {
        var session = try SessionFixture()
        let frame = try session.forged(data: bytesValue([1]), sequence: number)
        #expect(try session.error(of: frame) == .peerMisbehaved(.outOfSequence(expected: 3, actual: number)))
    }

    @Test("Our own frames, reflected", arguments: Role.allCases)
    func reflected(_ role: Role) throws {
        var session = try SessionFixture(localRole: role)
        let own = try session.local.send([1], at: Fixture.moment())
        #expect(try session.error(of: own.frame) == .authenticationFailed(.undecryptable(.session)))
    }

    @Test("Even under the peer's key, what we signed ourselves is not the peer's", arguments: Role.allCases)
    func reflectedUnderTheirKey(_ role: Role) throws {
        var session = try SessionFixture(localRole: role)
        let frame = try session.forged(data: bytesValue([1]), signer: session.localIdentity)
        #expect(try session.error(of: frame) == .authenticationFailed(.invalidSignature))
    }

    @Test("Signed by somebody else")
    func wrongSigner() throws {
        for signer in [try Fixture.mallory.get(), try Fixture.identity(.mldsa65, 1)] {
            var session = try SessionFixture()
            let frame = try session.forged(data: bytesValue([1]), signer: signer)
            #expect(try session.error(of: frame) == .authenticationFailed(.invalidSignature))
        }
    }

    @Test(
        "Every route that has no place in a session",
        arguments: [0, 1, 2, 3, 4, 5, 6, 11, 12, 14, 15, 127, 128, Int32.max, -1, .min])
    func forbiddenRoute(_ rawRoute: Int32) throws {
        var session = try SessionFixture()
        let frame = try session.forged(rawRoute: rawRoute, data: bytesValue([1]))
        #expect(try session.error(of: frame) == .peerMisbehaved(.forbiddenRoute(rawValue: rawRoute)))
    }

    @Test("A forbidden route is judged only after the signature, and after the number")
    func order() throws {
        var session = try SessionFixture()
        let unsigned = try session.forged(rawRoute: 1, sequence: 9, signer: try Fixture.mallory.get())
        #expect(try session.error(of: unsigned) == .authenticationFailed(.invalidSignature))
        var second = try SessionFixture()
        let misplaced = try second.forged(rawRoute: 1, sequence: 9)
        #expect(try second.error(of: misplaced) == .peerMisbehaved(.outOfSequence(expected: 3, actual: 9)))
    }

    /// Bytes that are not protobuf: a cut tag, a number of eleven bytes, a length beyond the end, field 0, an end of a
    /// group that never began.
    static let malformed: [[UInt8]] = [
        [0x80], [0x0a], [0x0a, 0x05, 1], [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x00, 0x00], [0x0c], [0x0b],
        [UInt8](repeating: 0xff, count: 11), [0x0a] + [UInt8](repeating: 0xff, count: 9) + [0x01], [0x0f], [0x0e],
    ]

    @Test("Contents that cannot be read, on each route that has some", arguments: malformed)
    func malformedMessage(_ data: [UInt8]) throws {
        for route in [Route.exchangeMessages, .ping, .pong, .sessionData] {
            var session = try SessionFixture()
            let frame = try session.forged(rawRoute: route.rawValue, data: data)
            #expect(try session.error(of: frame) == .peerMisbehaved(.malformedMessage(route)), "\(route)")
        }
    }

    @Test("Session data whose key is not UTF-8")
    func malformedSessionData() throws {
        var session = try SessionFixture()
        let frame = try session.forged(
            rawRoute: Route.sessionData.rawValue, data: [0x0a, 0x05, 0x0a, 0x01, 0xff, 0x12, 0x00])
        #expect(try session.error(of: frame) == .peerMisbehaved(.malformedMessage(.sessionData)))
    }

    @Test("A plaintext that is no envelope", arguments: malformed)
    func malformedEnvelope(_ plaintext: [UInt8]) throws {
        var session = try SessionFixture()
        let frame = try session.sealed(plaintext)
        #expect(try session.error(of: frame)?.isMalformedEnvelope == true)
    }

    @Test("An empty envelope has no signature")
    func emptyEnvelope() throws {
        var session = try SessionFixture()
        let frame = try session.sealed([])
        #expect(try session.error(of: frame) == .authenticationFailed(.invalidSignature))
    }

    @Test("A frame of the handshake, sent again")
    func handshakeFrame() throws {
        let pair = try HandshakePair(
            initiator: Fixture.configuration(Fixture.alice.get()), responder: Fixture.configuration(Fixture.bob.get())
        ).establish()
        let frames = pair.frames
        for frame in frames {
            var session = try SessionFixture()
            #expect(
                try session.error(of: frame.bytes) == .authenticationFailed(.undecryptable(.session)), "\(frame.name)")
        }
    }

    @Test("The last frames of a handshake, repeated, end the session that they established")
    func repeatedLastFrame() throws {
        let pair = try HandshakePair(
            initiator: Fixture.configuration(Fixture.alice.get()), responder: Fixture.configuration(Fixture.bob.get())
        ).establish()
        let frames = pair.frames
        var left = SessionMachine(pair.initiator.state, agreedCapabilities: .all, at: Fixture.moment())
        var right = SessionMachine(pair.responder.state, agreedCapabilities: .all, at: Fixture.moment())
        expectError(.authenticationFailed(.undecryptable(.session))) { () throws(ProtocolError) in
            _ = try left.receivedFrame(frames[FrameName.responderChallenge.rawValue].bytes, at: Fixture.moment())
        }
        expectError(.authenticationFailed(.undecryptable(.session))) { () throws(ProtocolError) in
            _ = try right.receivedFrame(frames[FrameName.initiatorAnswer.rawValue].bytes, at: Fixture.moment())
        }
    }

    @Test("A frame of another session of the same two people")
    func otherSession() throws {
        func establish(_ seed: UInt64) throws -> EstablishedPair {
            try HandshakePair(
                initiator: Fixture.configuration(Fixture.alice.get()),
                responder: Fixture.configuration(Fixture.bob.get()), seed: seed
            ).establish()
        }
        let first = try establish(1)
        let second = try establish(2)
        var sender = SessionMachine(first.initiator.state, agreedCapabilities: .all, at: Fixture.moment())
        var receiver = SessionMachine(second.responder.state, agreedCapabilities: .all, at: Fixture.moment())
        let frame = try sender.send([1], at: Fixture.moment()).frame
        expectError(.authenticationFailed(.undecryptable(.session))) { () throws(ProtocolError) in
            _ = try receiver.receivedFrame(frame, at: Fixture.moment())
        }
    }
}
