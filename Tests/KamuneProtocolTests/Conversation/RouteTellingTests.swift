import Testing

@testable import KamuneProtocol

@Suite("Telling where one wants to be found")
struct RouteTellingTests {
    private typealias Fixture = ConversationFixture

    private static let link = LinkID(1)

    /// A session that has begun on both sides.
    private func connected(tellsRoutes: Bool = true) -> (ConversationFixture, [ConversationMachine.Action]) {
        var fixture = Fixture()
        var joining = Fixture.joining()
        joining.tellsRoutes = tellsRoutes
        _ = fixture.handle(.joined(Self.link, joining))
        let actions = fixture.handle(.stored(.began(Self.link, lost: [], last: nil)))
        _ = fixture.handle(.sent(Self.link, count: 1))
        _ = fixture.handle(.received(Self.link, [Fixture.arrival([0])]))
        _ = fixture.handle(.stored(.fetched(Self.link, [], lost: [], isEnd: true)))
        return (fixture, actions)
    }

    private func sent(_ actions: [ConversationMachine.Action]) -> [[UInt8]] {
        actions.flatMap { if case .send(_, let payloads) = $0 { payloads } else { [[UInt8]]() } }
    }

    @Test("a telling is read as it was written, and holds no more than it may")
    func encoding() throws {
        let routes = ToldRoutes(["tcp://a:1", "udp://b:2"])
        let bytes = DeliveryFrame.routes(routes).encoded
        #expect(bytes == [3, 2, 0, 9] + Array("tcp://a:1".utf8) + [0, 9] + Array("udp://b:2".utf8))
        #expect(try DeliveryFrame(bytes) == .routes(routes))
        #expect(try DeliveryFrame([3, 0]) == .routes(ToldRoutes([])))
        let long = ToldRoutes((0..<9).map { "\($0)" + String(repeating: "a", count: 199) } + ["b", "", "b"])
        #expect(long.texts.count == 6 && long.texts.last == "b")
        #expect(ToldRoutes((0..<20).map { "\($0)" }).texts.count == 8)
        let full = ToldRoutes((0..<8).map { "\($0)" + String(repeating: "a", count: 127) })
        #expect(full.texts.count == 8 && DeliveryFrame.routes(full).encoded.count == ToldRoutes.maximumPayloadSize)
    }

    @Test(
        "a telling of another form breaks the rules",
        arguments: [
            [3], [3, 1], [3, 1, 0], [3, 1, 0, 0], [3, 1, 0, 2, 65], [3, 1, 0, 1, 65, 0], [3, 0, 0], [3, 1, 0, 1, 0xFF],
            [3, 9] + (0..<9).flatMap { _ in [0, 1, 65] as [UInt8] },
            [3, 1, 4, 1] + [UInt8](repeating: 65, count: 1_025),
        ] as [[UInt8]])
    func malformed(_ payload: [UInt8]) {
        var (fixture, _) = connected()
        let error = ProtocolError.peerMisbehaved(.malformedMessage(.exchangeMessages))
        #expect(
            fixture.handle(.received(Self.link, [Fixture.arrival(payload)])).first
                == .abandon(Self.link, .violation(error)))
    }

    @Test("without the capability nothing is told, and a telling breaks the rules")
    func notAgreed() {
        var (fixture, actions) = connected(tellsRoutes: false)
        #expect(!actions.contains(.findRoutes(Self.link)))
        #expect(sent(fixture.handle(.foundRoutes(Self.link, ToldRoutes(["tcp://a:1"])))).isEmpty)
        #expect(fixture.handle(.routesChanged).isEmpty)
        let error = ProtocolError.peerMisbehaved(.malformedMessage(.exchangeMessages))
        #expect(
            fixture.handle(.received(Self.link, [Fixture.arrival([3, 0])])).first
                == .abandon(Self.link, .violation(error)))
    }

    @Test("each session is told once, and again only what has changed")
    func telling() {
        var (fixture, actions) = connected()
        #expect(actions.contains(.findRoutes(Self.link)))
        let first = ToldRoutes(["tcp://a:1"])
        #expect(sent(fixture.handle(.foundRoutes(Self.link, first))) == [DeliveryFrame.routes(first).encoded])
        _ = fixture.handle(.sent(Self.link, count: 1))
        #expect(fixture.handle(.routesChanged) == [.findRoutes(Self.link)])
        #expect(sent(fixture.handle(.foundRoutes(Self.link, first))).isEmpty)
        #expect(sent(fixture.handle(.foundRoutes(Self.link, ToldRoutes([])))) == [[3, 0]])
        #expect(sent(fixture.handle(.foundRoutes(LinkID(7), first))).isEmpty)
    }

    @Test("while the session takes nothing, only the latest waits")
    func congestion() {
        var (fixture, _) = connected()
        var count = 0
        for number in 0..<10 {
            count += sent(fixture.handle(.foundRoutes(Self.link, ToldRoutes(["tcp://a:\(number)"])))).count
        }
        #expect(count == 3)
        let last = sent(fixture.handle(.sent(Self.link, count: 1)))
        #expect(last == [DeliveryFrame.routes(ToldRoutes(["tcp://a:9"])).encoded])
    }

    @Test("of what a peer tells at once the last is kept, and no more than it may tell in a session")
    func taking() {
        var (fixture, _) = connected()
        let tellings = (0..<100).map { ToldRoutes(["tcp://a:\($0)"]) }
        func arrival(_ routes: ToldRoutes) -> ConversationMachine.Arrival {
            Fixture.arrival(DeliveryFrame.routes(routes).encoded)
        }
        let actions = fixture.handle(.received(Self.link, tellings[..<3].map(arrival)))
        #expect(actions == [.store(.keepRoutes(Self.link, tellings[2])), .read(Self.link)])
        _ = fixture.handle(.stored(.keptRoutes(Self.link)))
        var kept = 0
        for telling in tellings[3...] {
            let actions = fixture.handle(.received(Self.link, [arrival(telling)]))
            if actions.contains(.store(.keepRoutes(Self.link, telling))) {
                kept += 1
                _ = fixture.handle(.stored(.keptRoutes(Self.link)))
            }
        }
        #expect(kept == ToldRoutes.maximumTellings - 3)
        // The session goes on.
        #expect(fixture.machine.link == Self.link)
    }

    @Test("a telling before the peer has begun is out of turn")
    func tooEarly() {
        var fixture = Fixture()
        var joining = Fixture.joining()
        joining.tellsRoutes = true
        _ = fixture.handle(.joined(Self.link, joining))
        _ = fixture.handle(.stored(.began(Self.link, lost: [], last: nil)))
        #expect(
            fixture.handle(.received(Self.link, [Fixture.arrival([3, 0])])).first
                == .abandon(Self.link, .violation(.peerMisbehaved(.unexpectedFrame))))
    }
}
