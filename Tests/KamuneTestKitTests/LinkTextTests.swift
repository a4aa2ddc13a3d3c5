import KamuneTestKit
import Testing

@Suite("Descriptions of links")
struct LinkTextTests {
    @Test("everything can be said")
    func everything() throws {
        let link = try LinkConditions(
            parsing: """
                delay=25ms jitter=500us loss=5% burst=4 step=10ms reorder=0.02 late=1.5s duplicate=1% rate=20mbit queue=64k \
                capacity=1m
                """)
        #expect(link.delay == 25_000 && link.jitter == 500 && link.reorderingDelay == 1_500_000)
        #expect(link.loss.toGood == 0.25 && link.loss.whenBad == 1 && link.loss.whenGood == 0)
        #expect(link.loss.stepTime == 10_000)
        #expect(abs(link.loss.toBad / (link.loss.toBad + link.loss.toGood) - 0.05) < 1e-12)
        #expect(link.reordering == 0.02 && link.duplication == 0.01)
        #expect(link.rate == 2_500_000 && link.queueSize == 65_536 && link.capacity == 1_048_576)
    }

    @Test("without a word about it, a link is perfect")
    func nothing() throws {
        let link = try LinkConditions(parsing: "")
        #expect(link.delay == 0 && link.loss.whenGood == 0 && link.loss.toBad == 0 && link.rate == nil)
        #expect(try LinkConditions(parsing: "loss=1%").loss.whenGood == 0.01)
    }

    @Test(
        "nonsense is refused",
        arguments: [
            "delay", "delay=", "delay=5", "delay=-1ms", "delay=2h", "delay=nan ms", "loss=101%", "loss=2", "loss=x",
            "burst=0", "rate=0mbit", "rate=5", "rate=infmbit", "queue=-1", "queue=1e300", "speed=1",
        ])
    func nonsense(text: String) {
        #expect(throws: LinkSyntaxError.self) { try LinkConditions(parsing: text) }
    }

    @Test("every rung of the ladder can be read, and has a name of its own")
    func ladder() throws {
        for rung in LinkRung.ladder { _ = try LinkConditions(parsing: rung.link) }
        #expect(Set(LinkRung.ladder.map(\.name)).count == LinkRung.ladder.count)
    }
}
