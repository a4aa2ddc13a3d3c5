import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneProtocol

@Suite("A session's messages")
struct SessionMachineTests {
    @Test("Messages of all kinds are numbered together, from 3", arguments: Role.allCases)
    func numbers(_ role: Role) throws {
        var session = try SessionFixture(localRole: role)
        let first = try session.local.send([1], at: Fixture.moment())
        #expect(first.metadata.sequence == 3)
        #expect(first.metadata.id.utf8.count == ProtocolConstants.messageIDLength)
        #expect(first.metadata.id.utf8.allSatisfy(ProtocolConstants.base32Alphabet.contains))
        #expect(first.metadata.timestamp == Fixture.now)
        #expect(first.metadata.route == .exchangeMessages)
        let ping = try session.local.ping(at: Fixture.moment())
        let third = try session.local.send([2], at: Fixture.moment())
        #expect(third.metadata.sequence == 5)
        let expected = ReceivedMessage(metadata: first.metadata, payload: [1])
        #expect(try session.remote.receivedFrame(first.frame, at: Fixture.moment()) == .message(expected))
        #expect(try session.remote.receivedFrame(ping, at: Fixture.moment()) == .pinged)
        let pong = try #require(try session.remote.answerPing(at: Fixture.moment()))
        // The pong took the peer's number 3.
        let answer = try session.remote.send([], at: Fixture.moment())
        #expect(answer.metadata.sequence == 4)
        let last = ReceivedMessage(metadata: third.metadata, payload: [2])
        #expect(try session.remote.receivedFrame(third.frame, at: Fixture.moment()) == .message(last))
        #expect(
            try session.local.receivedFrame(pong, at: Fixture.moment(.milliseconds(70)))
                == .pong(roundTrip: .milliseconds(70)))
        let empty = ReceivedMessage(metadata: answer.metadata, payload: [])
        #expect(try session.local.receivedFrame(answer.frame, at: Fixture.moment()) == .message(empty))
    }

    @Test("Two messages of the same content have nothing in common")
    func freshness() throws {
        var session = try SessionFixture()
        let first = try session.local.send([1, 2, 3], at: Fixture.moment())
        let second = try session.local.send([1, 2, 3], at: Fixture.moment())
        #expect(first.frame.prefix(24) != second.frame.prefix(24))
        #expect(first.frame.suffix(16) != second.frame.suffix(16))
        #expect(first.metadata.id != second.metadata.id)
    }

    @Test("A ping is answered with its own bytes, whatever their number", arguments: [0, 1, 8, 9, 60_000])
    func pong(_ count: Int) throws {
        var session = try SessionFixture()
        let token = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        let ping = try session.forged(rawRoute: Route.ping.rawValue, data: bytesValue(token))
        #expect(try session.local.receivedFrame(ping, at: Fixture.moment()) == .pinged)
        let frame = try #require(try session.local.answerPing(at: Fixture.moment()))
        // Nobody asked, so the answer means nothing to the other side; but it takes it.
        #expect(try session.remote.receivedFrame(frame, at: Fixture.moment()) == .nothing)
    }

    @Test("The largest ping that fits a frame can be answered in one")
    func largestPing() throws {
        var session = try SessionFixture()
        let token = [UInt8](repeating: 1, count: ProtocolConstants.maximumTransportSize - 4)
        let ping = try session.forged(rawRoute: Route.ping.rawValue, data: bytesValue(token))
        #expect(try session.local.receivedFrame(ping, at: Fixture.moment()) == .pinged)
        let frame = try #require(try session.local.answerPing(at: Fixture.moment()))
        #expect(frame.count <= ProtocolConstants.maximumFrameSize)
    }

    @Test("Of pings that find no room for their answers the latest is kept and answered, once")
    func pingsWithoutRoom() throws {
        var session = try SessionFixture()
        var pings: [[UInt8]] = []
        for _ in 0..<5 { pings.append(try session.remote.ping(at: Fixture.moment())) }
        for ping in pings { #expect(try session.local.receivedFrame(ping, at: Fixture.moment()) == .pinged) }
        let large = [UInt8](repeating: 1, count: 50_000)
        for number: UInt64 in 8..<20 {
            let ping = try session.forged(rawRoute: Route.ping.rawValue, data: bytesValue(large), sequence: number)
            #expect(try session.local.receivedFrame(ping, at: Fixture.moment()) == .pinged)
            #expect(session.local.heldByteCount == large.count)
        }
        let answer = try #require(try session.local.answerPing(at: Fixture.moment()))
        #expect(try session.firstEnvelope(in: answer).data.elementsEqual(bytesValue(large)))
        #expect(try session.local.answerPing(at: Fixture.moment()) == nil)
        #expect(session.local.heldByteCount == 0)
    }

    @Test("The answer to the latest ping is the one that the peer waits for")
    func latestPing() throws {
        var session = try SessionFixture()
        for _ in 0..<3 {
            let ping = try session.remote.ping(at: Fixture.moment())
            _ = try session.local.receivedFrame(ping, at: Fixture.moment())
        }
        let pong = try #require(try session.local.answerPing(at: Fixture.moment()))
        #expect(
            try session.remote.receivedFrame(pong, at: Fixture.moment(.seconds(1))) == .pong(roundTrip: .seconds(1)))
    }

    @Test("A session that has ended answers no ping")
    func pingBeforeTheEnd() throws {
        var session = try SessionFixture()
        let ping = try session.remote.ping(at: Fixture.moment())
        #expect(try session.local.receivedFrame(ping, at: Fixture.moment()) == .pinged)
        _ = try session.local.close(at: Fixture.moment())
        #expect(try session.local.answerPing(at: Fixture.moment()) == nil)
    }

    @Test("A pong that answers no outstanding ping is ignored; one that comes twice counts once")
    func strayPong() throws {
        var session = try SessionFixture()
        let stray = try session.forged(rawRoute: Route.pong.rawValue, data: bytesValue([1, 2, 3, 4, 5, 6, 7, 8]))
        #expect(try session.local.receivedFrame(stray, at: Fixture.moment()) == .nothing)
        let empty = try session.forged(rawRoute: Route.pong.rawValue, sequence: 4)
        #expect(try session.local.receivedFrame(empty, at: Fixture.moment()) == .nothing)
        #expect(session.local.isOpen == true)
    }

    @Test("A message that is too large is refused, uses no number and harms nothing")
    func tooLarge() throws {
        let limited = SessionConfiguration(maximumMessageSize: 10)
        var session = try SessionFixture(configuration: limited)
        expectError(.misuse(.messageTooLarge(size: 11, limit: 10))) { () throws(ProtocolError) in
            _ = try session.local.send([UInt8](repeating: 0, count: 11), at: Fixture.moment())
        }
        #expect(session.local.isOpen == true)
        let sealed = try session.local.send([UInt8](repeating: 0, count: 10), at: Fixture.moment())
        #expect(sealed.metadata.sequence == 3)
    }

    @Test("No configuration raises the limit above what a frame carries")
    func limitIsCapped() {
        #expect(SessionConfiguration(maximumMessageSize: .max).maximumMessageSize == 61_435)
        #expect(SessionConfiguration(maximumMessageSize: 1).maximumMessageSize == 1)
    }

    @Test("A received message above the limit ends the session")
    func receivedTooLarge() throws {
        var session = try SessionFixture(configuration: SessionConfiguration(maximumMessageSize: 10))
        let frame = try session.forged(data: bytesValue([UInt8](repeating: 0, count: 11)))
        #expect(try session.error(of: frame) == .peerMisbehaved(.oversizedMessage(size: 11, limit: 10)))
    }

    // MARK: The end

    @Test("A session that is closed is closed on both sides, and nothing comes after")
    func close() throws {
        var session = try SessionFixture()
        let close = try #require(try session.local.close(at: Fixture.moment()))
        #expect(session.local.isOpen == false)
        #expect(try session.local.close(at: Fixture.moment()) == nil)
        expectError(.misuse(.ended)) { () throws(ProtocolError) in _ = try session.local.send([1], at: Fixture.moment())
        }
        let late = try session.remote.send([1], at: Fixture.moment())
        expectError(.misuse(.ended)) { () throws(ProtocolError) in
            _ = try session.local.receivedFrame(late.frame, at: Fixture.moment())
        }
        #expect(try session.remote.receivedFrame(close, at: Fixture.moment()) == .closedByPeer)
        #expect(session.remote.isOpen == false)
        #expect(session.remote.nextDeadline == nil)
        expectError(.misuse(.ended)) { () throws(ProtocolError) in
            _ = try session.remote.receivedFrame(close, at: Fixture.moment())
        }
        expectError(.misuse(.ended)) { () throws(ProtocolError) in
            _ = try session.remote.send([1], at: Fixture.moment())
        }
        #expect(try session.remote.close(at: Fixture.moment()) == nil)
    }

    @Test("A session can be closed while messages are held back")
    func closeWhileHeldBack() throws {
        var session = try SessionFixture(agreed: .none)
        let close = try #require(try session.local.close(at: Fixture.moment()))
        #expect(session.local.nextDeadline == nil)
        #expect(try session.remote.receivedFrame(close, at: Fixture.moment()) == .closedByPeer)
    }

    @Test("A graceful end is nothing like a dropped connection: only CLOSE_TRANSPORT yields closedByPeer")
    func onlyCloseIsGraceful() throws {
        for route in [Route.exchangeMessages, .ping, .pong, .sessionData] {
            var session = try SessionFixture()
            let frame = try session.forged(rawRoute: route.rawValue)
            #expect(try session.local.receivedFrame(frame, at: Fixture.moment()) != .closedByPeer)
            #expect(session.local.isOpen == true)
        }
    }

    // MARK: Holding back

    @Test("With direct-start nothing is held back")
    func directStart() throws {
        var session = try SessionFixture()
        #expect(session.local.heldBackUntil == nil)
        _ = try session.local.send([1], at: Fixture.moment())
    }

    @Test("Without it messages wait 500 ms")
    func holdBack() throws {
        var session = try SessionFixture(agreed: .none)
        #expect(session.local.heldBackUntil == .milliseconds(500))
        #expect(session.local.nextDeadline == .milliseconds(500))
        let early = Fixture.moment(.milliseconds(499))
        #expect(try session.local.timeElapsed(at: early) == .nothing)
        do {
            _ = try session.local.send([1], at: early)
            Issue.record("a message was not held back")
        } catch {
            #expect(error == .misuse(.heldBack))
        }
        #expect(session.local.isOpen == true)
        let due = Fixture.moment(.milliseconds(500))
        #expect(try session.local.timeElapsed(at: due) == .nothing)
        #expect(session.local.heldBackUntil == nil)
        #expect(try session.local.send([1], at: due).metadata.sequence == 3)
    }

    @Test("Without it messages wait for the peer's first frame, whatever it is")
    func firstFrame() throws {
        for route in [Route.exchangeMessages, .ping, .pong, .sessionData] {
            var session = try SessionFixture(agreed: .none)
            let frame = try session.forged(rawRoute: route.rawValue)
            _ = try session.local.receivedFrame(frame, at: Fixture.moment(.milliseconds(1)))
            #expect(session.local.heldBackUntil == nil)
            _ = try session.local.send([1], at: Fixture.moment(.milliseconds(1)))
        }
    }

    @Test("A frame that is not the peer's does not end the waiting")
    func forgedFirstFrame() throws {
        var session = try SessionFixture(agreed: .none)
        let frame = try session.forged(signer: session.localIdentity)
        #expect(try session.error(of: frame) == .authenticationFailed(.invalidSignature))
    }

    // MARK: Session data

    private static let peerKey = Result { () throws -> X25519PrivateKey in
        var random = SeededRandom(99)
        return try X25519PrivateKey.generate(using: &random)
    }

    private func offer(_ fields: [String: [UInt8]]? = nil) throws -> [UInt8] {
        let own = [ProtocolConstants.relayKeyField: try Self.peerKey.get().publicKey]
        return try SessionData(fields: fields ?? own).encoded()
    }

    @Test("The key of a program of 0.7 is answered at once with ours, and both share a secret")
    func relayKey() throws {
        var session = try SessionFixture(agreed: .none)
        let frame = try session.forged(rawRoute: Route.sessionData.rawValue, data: offer())
        guard case .answer(let answer) = try session.local.receivedFrame(frame, at: Fixture.moment()) else {
            Issue.record("the key was not answered")
            return
        }
        let envelope = try session.firstEnvelope(in: answer).expecting(.sessionData)
        let fields = try SessionData(decoding: envelope.data).fields
        let ourKey = try #require(fields[ProtocolConstants.relayKeyField])
        #expect(fields.count == 1)
        #expect(session.local.exposedRelaySecret == (try Self.peerKey.get().sharedSecret(with: ourKey).exposed))
        #expect(session.local.heldBackUntil == nil)
        // Our answer is number 3; a message follows as number 4.
        #expect(try session.local.send([1], at: Fixture.moment()).metadata.sequence == 4)
    }

    @Test("A key that is not the peer's first frame is not answered")
    func lateRelayKey() throws {
        var session = try SessionFixture(agreed: .none)
        let first = try session.forged(data: bytesValue([1]))
        _ = try session.local.receivedFrame(first, at: Fixture.moment())
        let late = try session.forged(rawRoute: Route.sessionData.rawValue, data: offer(), sequence: 4)
        #expect(try session.local.receivedFrame(late, at: Fixture.moment()) == .nothing)
        #expect(session.local.exposedRelaySecret == nil)
    }

    @Test("A key that comes after we have sent something is not answered: 0.7 would show the answer to its user")
    func crossedRelayKey() throws {
        var session = try SessionFixture(agreed: .none)
        let due = Fixture.moment(.milliseconds(500))
        _ = try session.local.timeElapsed(at: due)
        _ = try session.local.send([1], at: due)
        let frame = try session.forged(rawRoute: Route.sessionData.rawValue, data: offer())
        #expect(try session.local.receivedFrame(frame, at: due) == .nothing)
        #expect(session.local.exposedRelaySecret == nil)
    }

    @Test("A key that comes twice is answered once")
    func repeatedRelayKey() throws {
        var session = try SessionFixture(agreed: .none)
        let first = try session.forged(rawRoute: Route.sessionData.rawValue, data: offer())
        guard case .answer = try session.local.receivedFrame(first, at: Fixture.moment()) else {
            Issue.record("the key was not answered")
            return
        }
        let again = try session.forged(rawRoute: Route.sessionData.rawValue, data: offer(), sequence: 4)
        #expect(try session.local.receivedFrame(again, at: Fixture.moment()) == .nothing)
    }

    @Test("Other session data is ignored, and never answered")
    func unknownSessionData() throws {
        for fields: [String: [UInt8]] in [[:], ["other": [1]], ["ecdh_pubkey ": [1]]] {
            var session = try SessionFixture(agreed: .none)
            let frame = try session.forged(rawRoute: Route.sessionData.rawValue, data: offer(fields))
            #expect(try session.local.receivedFrame(frame, at: Fixture.moment()) == .nothing)
            #expect(session.local.isOpen == true)
        }
    }

    @Test("A relay key that is none yields no secret, and does no harm", arguments: [0, 31, 32, 33, 1_000])
    func hostileRelayKey(_ count: Int) throws {
        var session = try SessionFixture(agreed: .none)
        // All zero: of the right size it is a point of low order.
        let fields = [ProtocolConstants.relayKeyField: [UInt8](repeating: 0, count: count)]
        let frame = try session.forged(rawRoute: Route.sessionData.rawValue, data: offer(fields))
        _ = try session.local.receivedFrame(frame, at: Fixture.moment())
        #expect(session.local.exposedRelaySecret == nil)
        #expect(session.local.isOpen == true)
    }

    @Test("We send a peer of 0.7 no session data of our own accord")
    func noSessionData() throws {
        var session = try SessionFixture(agreed: .none)
        #expect(try session.local.timeElapsed(at: Fixture.moment(.milliseconds(500))) == .nothing)
        let message = try session.local.send([1], at: Fixture.moment(.milliseconds(500)))
        guard case .message = try session.remote.receivedFrame(message.frame, at: Fixture.moment()) else {
            Issue.record("the first frame was not the application's")
            return
        }
    }
}
