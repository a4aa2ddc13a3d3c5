import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneRelayProtocol

/// The client's machine against a relay that is played by hand.
struct ClientMachineTests {
    /// A machine and the relay's end of its channel.
    private struct Opened: ~Copyable {
        var client: RelayClientMachine
        var relay: RelayChannel
        /// What the client has said first within the channel.
        var first = RelayFrame.unknown
        var encapsulator = SystemEncapsulator()

        /// What the client does when the relay says this.
        mutating func say(_ frame: RelayFrame) throws -> [RelayClientMachine.Action] {
            try client.received(try relay.seal(frame), using: &encapsulator)
        }

        /// What the client has sent.
        mutating func hear(_ action: RelayClientMachine.Action?) throws -> RelayFrame {
            guard case .send(let frame) = action else { throw Missing() }
            return try RelayFrame(decoding: relay.open(frame))
        }
    }

    private struct Missing: Error {}

    /// Up to the client's first frame within the channel.
    private func open(_ wish: RelayClientMachine.Wish) throws -> Opened {
        var random = SeededRandom(4)
        var encapsulator = SystemEncapsulator()
        var client = try RelayClientMachine(wish, using: &random)
        let relay = try RelayExchangeResponder(hello: client.hello, using: &random, &encapsulator)
        let actions = try client.received(relay.answer, using: &encapsulator)
        #expect(actions.count == 2)
        guard case .send(let last) = actions.first else { throw Missing() }
        var opened = Opened(client: client, relay: try relay.received(last))
        opened.first = try opened.hear(actions.last)
        return opened
    }

    private let token = [UInt8](0..<32)
    private let consent = RelayFrame.Registered(token: [UInt8](0..<32), tokenLifetime: 300, sessionLifetime: 1_800)

    @Test("registers, then carries messages and answers pings")
    func registration() throws {
        var opened = try open(.init(.join(try RelayToken(token))))
        #expect(opened.first == .register(.init(mode: 2, token: token, extensions: .refusals)))
        #expect(throws: RelayProtocolError.self) { _ = try opened.client.seal(message: [1]) }
        #expect(try opened.hear(try opened.say(.ping).first) == .pong)
        #expect(try opened.say(.registered(consent)) == [.registered(consent)])
        let sealed = try opened.client.seal(message: [1, 2, 3])
        #expect(try RelayFrame(decoding: opened.relay.open(sealed)) == .message([1, 2, 3]))
        #expect(try opened.say(.message([7])) == [.message([7])])
        #expect(try opened.hear(try opened.say(.ping).first) == .pong)
        let ping = try opened.client.ping()
        #expect(try RelayFrame(decoding: opened.relay.open(ping)) == .ping)
        for ignored in [
            RelayFrame.pong, .unknown, .registered(consent), .auth(PreSharedKey(copying: []), extensions: []),
        ] {
            #expect(try opened.say(ignored) == [])
        }
        // What is no frame at all is ignored too, as 0.7 does.
        let noise = try opened.relay.seal(encoded: [0xff])
        #expect(try opened.client.received(noise, using: &opened.encapsulator) == [])
        #expect(try opened.say(.message([8])) == [.message([8])])
    }

    @Test("shows its key first, and registers when that is acknowledged")
    func key() throws {
        let key = PreSharedKey(copying: [1, 2, 3])
        var opened = try open(.init(.create(nil), key: key))
        #expect(opened.first == .auth(key, extensions: .refusals))
        let next = try opened.say(.auth(PreSharedKey(copying: []), extensions: []))
        #expect(try opened.hear(next.first) == .register(.init(mode: 1, token: [], extensions: .refusals)))
        #expect(try opened.say(.registered(consent)) == [.registered(consent)])
    }

    private func failure(_ body: () throws -> Void) -> RelayClientMachine.Failure? {
        do {
            try body()
            return nil
        } catch {
            return error as? RelayClientMachine.Failure
        }
    }

    @Test("a refusal is told, whenever it comes")
    func refusal() throws {
        var first = try open(.init(.create(nil), key: PreSharedKey(copying: [1])))
        #expect(failure { _ = try first.say(.refused(.unauthenticated)) } == .refused(.unauthenticated))
        // Nothing goes on afterwards.
        #expect(failure { _ = try first.say(.ping) } == .misbehaved(.unexpectedFrame("after the end")))
        var second = try open(.init(.join(try RelayToken(token))))
        #expect(failure { _ = try second.say(.refused(.unknownToken)) } == .refused(.unknownToken))
    }

    @Test("what is out of turn ends it")
    func outOfTurn() throws {
        for frame in [RelayFrame.message([1]), .register(.init(.create(nil))), .registered(consent)] {
            var opened = try open(.init(.create(nil), key: PreSharedKey(copying: [1])))
            #expect(failure { _ = try opened.say(frame) } == .misbehaved(.unexpectedFrame(frame.name)))
        }
        var opened = try open(.init(.create(nil)))
        #expect(failure { _ = try opened.say(.message([1])) } == .misbehaved(.unexpectedFrame("message")))
        var noise = try open(.init(.create(nil)))
        let sealed = try noise.relay.seal(encoded: [0xff])
        #expect(
            failure { _ = try noise.client.received(sealed, using: &noise.encapsulator) }
                == .misbehaved(.malformedFrame(reason: "truncated")))
        var forged = try open(.init(.create(nil)))
        #expect(
            failure { _ = try forged.client.received([UInt8](repeating: 1, count: 40), using: &forged.encapsulator) }
                == .misbehaved(.undecryptable))
    }

    @Test("a key that fits no frame is refused before anything is sent")
    func longKey() {
        var random = SeededRandom(1)
        let key = PreSharedKey(copying: [UInt8](repeating: 1, count: RelayLimits.maximumKeySize + 1))
        #expect(
            failure { _ = try RelayClientMachine(.init(.create(nil), key: key), using: &random) }
                == .misbehaved(.messageTooLarge(size: key.count)))
    }

    @Test("silence is asked about, and then given up")
    func keepAlive() {
        var keepAlive = RelayKeepAlive(at: .seconds(100))
        #expect(keepAlive.look(at: .seconds(100)) == .wait(next: .seconds(130)))
        keepAlive.heard(at: .seconds(120))
        #expect(keepAlive.look(at: .seconds(130)) == .wait(next: .seconds(150)))
        #expect(keepAlive.look(at: .seconds(150)) == .ping(next: .seconds(180)))
        #expect(keepAlive.look(at: .seconds(180)) == .ping(next: .seconds(210)))
        keepAlive.heard(at: .seconds(181))
        #expect(keepAlive.look(at: .seconds(210)) == .wait(next: .seconds(211)))
        #expect(keepAlive.look(at: .seconds(271)) == .giveUp)
    }
}
