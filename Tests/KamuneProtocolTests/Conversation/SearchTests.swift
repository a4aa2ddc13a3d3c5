import Testing

@testable import KamuneProtocol

@Suite("A peer that does not answer")
struct SearchTests {
    private typealias Fixture = ConversationFixture
    private let link = LinkID(1)
    private let other = LinkID(2)

    @Test("is dialed again beside the session that there is, which goes on")
    func search() {
        var fixture = Fixture()
        fixture.connect()
        #expect(fixture.handle(.doubted(link, true)) == [.dial])
        #expect(fixture.handle(.doubted(link, true)) == [])
        #expect(fixture.machine.link == link)
        #expect(fixture.write(1...1).first == .send(link, [Fixture.payload(1)]))
        // It answers after all.
        #expect(fixture.handle(.doubted(link, false)) == [.stopDialing])
        #expect(fixture.handle(.doubted(link, true)) == [.dial])
    }

    @Test("has its place taken by whoever answers")
    func replacement() {
        var fixture = Fixture()
        fixture.connect()
        _ = fixture.handle(.doubted(link, true))
        let actions = fixture.handle(.joined(other, Fixture.joining()))
        #expect(actions.contains(.abandon(link, .replaced)))
        #expect(fixture.machine.link == other && fixture.machine.nextDeadline == nil)
        #expect(fixture.handle(.doubted(link, true)) == [], "nobody minds the former session")
    }

    @Test("is dialed at growing intervals, and the application is told nothing")
    func intervals() {
        var fixture = Fixture()
        fixture.connect()
        _ = fixture.handle(.doubted(link, true))
        for delay in [500, 1_000, 2_000, 4_000] {
            #expect(fixture.handle(.dialFailed(.mayPass)) == [])
            #expect(fixture.machine.nextDeadline == fixture.now + .milliseconds(delay))
            fixture.now += .milliseconds(delay - 1)
            #expect(fixture.handle(.timeElapsed) == [])
            fixture.now += .milliseconds(1)
            #expect(fixture.handle(.timeElapsed) == [.dial])
        }
        #expect(fixture.handle(.dialFailed(.isFinal)) == [])
        fixture.now += .seconds(3_600)
        #expect(fixture.handle(.timeElapsed) == [])
        #expect(fixture.handle(.doubted(link, true)) == [])
    }

    @Test("is looked for as any lost one is, once the session is lost")
    func loss() {
        var fixture = Fixture()
        fixture.connect()
        _ = fixture.handle(.doubted(link, true))
        #expect(
            fixture.handle(.left(link, .lost(mayPass: true))) == [
                .stopDialing, .notify(.disconnected(link)),
                .notify(.reconnecting(attempt: 1, delay: .milliseconds(500))),
            ])
    }

    @Test("is not looked for when the conversation is being closed")
    func closing() {
        var fixture = Fixture()
        fixture.connect()
        _ = fixture.write(1...1)
        _ = fixture.handle(.doubted(link, true))
        #expect(fixture.handle(.closeRequested) == [.stopDialing])
        #expect(fixture.handle(.doubted(link, true)) == [])
    }

    @Test("is waited for by whoever cannot dial, and by whoever is not to")
    func neither() {
        var fixture = Fixture()
        fixture.connect(canRedial: false)
        #expect(fixture.handle(.doubted(link, true)) == [])
        fixture = Fixture { $0.reconnection.patience = .zero }
        fixture.connect()
        #expect(fixture.handle(.doubted(link, true)) == [])
    }
}
