import KamuneCrypto
import Testing

@testable import KamuneProtocol

@Suite("Keep-alive, on virtual time")
struct KeepAliveTests {
    private func seconds(_ count: Int) -> Moment { Fixture.moment(.seconds(count)) }

    @Test("A silent session pings after 30 s, three times, and then the peer is gone")
    func threeStrikes() throws {
        var session = try SessionFixture()
        for strike in 1...3 {
            #expect(session.local.nextDeadline == .seconds(30 * strike))
            let early = Fixture.moment(.seconds(30 * strike) - .nanoseconds(1))
            #expect(try session.local.timeElapsed(at: early) == .nothing)
            guard case .send = try session.local.timeElapsed(at: seconds(30 * strike)) else {
                Issue.record("no ping at strike \(strike)")
                return
            }
            // The same moment does not ping twice.
            #expect(try session.local.timeElapsed(at: seconds(30 * strike)) == .nothing)
        }
        #expect(try session.local.timeElapsed(at: seconds(119)) == .nothing)
        #expect(session.local.isOpen == true)
        #expect(try session.local.timeElapsed(at: seconds(120)) == .peerIsGone)
        #expect(session.local.isOpen == false)
        #expect(session.local.nextDeadline == nil)
        #expect(try session.local.timeElapsed(at: seconds(1_000)) == .nothing)
        expectError(.misuse(.ended)) { () throws(ProtocolError) in _ = try session.local.send([1], at: seconds(121)) }
    }

    @Test("The ping that time brings is one that the peer answers")
    func answered() throws {
        var session = try SessionFixture()
        guard case .send(let ping) = try session.local.timeElapsed(at: seconds(30)),
            case .pinged = try session.remote.receivedFrame(ping, at: seconds(31)),
            let pong = try session.remote.answerPing(at: seconds(31))
        else {
            Issue.record("no ping, or no pong")
            return
        }
        #expect(try session.local.receivedFrame(pong, at: seconds(32)) == .pong(roundTrip: .seconds(2)))
        #expect(try session.local.timeElapsed(at: seconds(33)) == .nothing)
        #expect(session.local.nextDeadline == .seconds(60))
    }

    @Test("A peer whose frames nobody reads is pinged, and not given up")
    func pausedReading() throws {
        var session = try SessionFixture()
        var pings = 0
        for time in stride(from: 30, through: 300, by: 30) {
            session.local.pausedReading(at: seconds(time))
            switch try session.local.timeElapsed(at: seconds(time)) {
            case .send: pings += 1
            case .nothing: break
            case .peerIsGone: Issue.record("the peer was given up after \(time) s")
            }
        }
        // Its own limit of time goes on.
        #expect(pings == 10)
        // Once it is read from again, its silence counts.
        for time in [330, 360] {
            guard case .send = try session.local.timeElapsed(at: seconds(time)) else {
                Issue.record("no ping after \(time) s")
                return
            }
        }
        #expect(try session.local.timeElapsed(at: seconds(390)) == .peerIsGone)
    }

    @Test("Whatever arrives is a sign of life, and three strikes begin anew")
    func signOfLife() throws {
        var session = try SessionFixture()
        _ = try session.local.timeElapsed(at: seconds(30))
        _ = try session.local.timeElapsed(at: seconds(60))
        _ = try session.local.timeElapsed(at: seconds(90))
        let message = try session.remote.send([1], at: seconds(100))
        _ = try session.local.receivedFrame(message.frame, at: seconds(100))
        // The last thing sent was the ping of 90 s.
        #expect(session.local.nextDeadline == .seconds(120))
        for strike in 0..<3 {
            guard case .send = try session.local.timeElapsed(at: seconds(120 + 30 * strike)) else {
                Issue.record("no ping at \(120 + 30 * strike) s")
                return
            }
        }
        #expect(try session.local.timeElapsed(at: seconds(210)) == .peerIsGone)
    }

    @Test("A side that only receives pings, so that the peer's own time does not run out")
    func onlyReceiving() throws {
        var session = try SessionFixture()
        for time in [10, 20, 29] {
            let message = try session.remote.send([1], at: seconds(time))
            _ = try session.local.receivedFrame(message.frame, at: seconds(time))
        }
        guard case .send = try session.local.timeElapsed(at: seconds(30)) else {
            Issue.record("no ping")
            return
        }
    }

    @Test("A side that only sends pings too: it would not notice that the peer is gone")
    func onlySending() throws {
        var session = try SessionFixture()
        for time in [10, 20, 29] { _ = try session.local.send([1], at: seconds(time)) }
        guard case .send = try session.local.timeElapsed(at: seconds(30)) else {
            Issue.record("no ping")
            return
        }
        // Going on sending puts nothing off.
        _ = try session.local.send([1], at: seconds(59))
        #expect(session.local.nextDeadline == .seconds(60))
        guard case .send = try session.local.timeElapsed(at: seconds(60)),
            case .send = try session.local.timeElapsed(
                at: seconds(90))
        else {
            Issue.record("no ping")
            return
        }
        _ = try session.local.send([1], at: seconds(119))
        #expect(try session.local.timeElapsed(at: seconds(120)) == .peerIsGone)
    }

    @Test("Traffic both ways needs no ping")
    func busy() throws {
        var session = try SessionFixture()
        for time in stride(from: 20, through: 200, by: 20) {
            let message = try session.remote.send([1], at: seconds(time))
            _ = try session.local.receivedFrame(message.frame, at: seconds(time))
            _ = try session.local.send([1], at: seconds(time))
            #expect(try session.local.timeElapsed(at: seconds(time + 19)) == .nothing)
        }
        #expect(session.local.nextDeadline == .seconds(230))
    }

    @Test("A frame that cannot be opened is no sign of life, and ends the session")
    func garbage() throws {
        var session = try SessionFixture()
        #expect(
            try session.error(of: [UInt8](repeating: 0, count: 600), at: .seconds(10))
                == .authenticationFailed(.undecryptable(.session)))
    }

    @Test("Without a configuration nobody pings; other times and strikes are kept")
    func configuration() throws {
        var silent = try SessionFixture(configuration: SessionConfiguration(keepAlive: nil))
        #expect(silent.local.nextDeadline == nil)
        #expect(try silent.local.timeElapsed(at: seconds(100_000)) == .nothing)

        let hasty = KeepAliveConfiguration(interval: .seconds(1), strikes: 1)
        var session = try SessionFixture(configuration: SessionConfiguration(keepAlive: hasty))
        guard case .send = try session.local.timeElapsed(at: seconds(1)) else {
            Issue.record("no ping")
            return
        }
        #expect(try session.local.timeElapsed(at: seconds(2)) == .peerIsGone)
    }

    @Test("While messages are held back, whichever is due first comes first")
    func withHoldBack() throws {
        let configuration = SessionConfiguration(
            keepAlive: KeepAliveConfiguration(interval: .milliseconds(200)), holdBackInterval: .milliseconds(500))
        var session = try SessionFixture(agreed: .none, configuration: configuration)
        #expect(session.local.nextDeadline == .milliseconds(200))
        guard case .send = try session.local.timeElapsed(at: Fixture.moment(.milliseconds(200))) else {
            Issue.record("no ping")
            return
        }
        #expect(session.local.nextDeadline == .milliseconds(400))
        #expect(session.local.heldBackUntil == .milliseconds(500))
    }
}
