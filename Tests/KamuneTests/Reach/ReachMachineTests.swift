import KamuneCrypto
import KamuneTestKit
import Testing

@testable import Kamune

/// When whom is dialed, on virtual time.
@Suite("Looking for whom one wants: the rules")
struct ReachMachineTests {
    private typealias Machine = ReachMachine<String>

    private struct Course {
        var machine: Machine
        var now = Duration.seconds(100)
        /// Who was dialed when, in seconds since the beginning.
        var dials: [(peer: String, at: Double)] = []
        var others: [Machine.Action] = []

        init(dials: Int = 8, jitter: Double = 0, seed: UInt64 = 1) {
            var limits = ReachLimits()
            limits.dials = dials
            limits.backoff.jitter = jitter
            machine = Machine(limits: limits, random: SeededRandom(seed))
        }

        mutating func handle(_ event: Machine.Event) {
            for action in machine.handle(event, at: now) {
                if case .dial(let peer) = action {
                    dials.append((peer, (now - .seconds(100)) / .seconds(1)))
                } else {
                    others.append(action)
                }
            }
        }

        /// Lets time pass; every dial fails after a while, unless it goes on.
        mutating func pass(_ seconds: Int, failingAfter duration: Duration? = .zero) {
            let end = now + .seconds(seconds)
            var handled = dials.count
            while true {
                if let duration, handled < dials.count {
                    now += duration
                    handle(.dialed(dials[handled].peer, .failed))
                    handled += 1
                    continue
                }
                guard let deadline = machine.nextDeadline, deadline <= end else { break }
                now = max(now, deadline)
                handle(.timeElapsed)
            }
            now = end
        }

        var times: [Double] { dials.map(\.at) }
    }

    @Test("whoever is not found is looked for after growing times, at most a quarter of an hour apart")
    func backoff() {
        var course = Course()
        course.handle(.wished("bob", .messages))
        course.handle(.dialed("bob", .failed))
        course.pass(7_200)
        #expect(course.times.prefix(11) == [0, 2, 6, 14, 30, 62, 126, 254, 510, 1_022, 1_922])
        #expect(course.dials.count == 16)
        #expect(course.machine.sought == ["bob": 16])
    }

    @Test("the times are spread by chance")
    func jitter() {
        func times(_ seed: UInt64) -> [Double] {
            var course = Course(jitter: 0.5, seed: seed)
            course.handle(.wished("bob", .messages))
            course.handle(.dialed("bob", .failed))
            course.pass(3_600)
            return course.times
        }
        #expect(times(1) == times(1))
        #expect(times(1) != times(2))
    }

    @Test("at once when the network changes, or something is written, or they are said to be elsewhere")
    func atOnce() {
        let events: [Machine.Event] = [.networkChanged, .wished("bob", .messages), .foundAddresses("bob")]
        for event in events {
            var course = Course()
            course.handle(.wished("bob", .messages))
            course.handle(.dialed("bob", .failed))
            course.pass(1_000)
            let count = course.dials.count
            course.handle(event)
            #expect(course.dials.count == count + 1)
            // But not again and again.
            course.handle(.dialed("bob", .failed))
            course.handle(event)
            course.handle(event)
            #expect(course.dials.count == count + 1)
            course.pass(1)
            #expect(course.dials.count == count + 2)
        }
    }

    @Test("what happens while somebody is dialed has them dialed again")
    func stale() {
        for outcome in [Machine.Outcome.failed, .nowhere, .needless] {
            var course = Course()
            course.handle(.wished("bob", .messages))
            course.handle(.wished("bob", .messages))
            course.handle(.dialed("bob", outcome))
            course.pass(1, failingAfter: nil)
            #expect(course.times == [0, 1])
        }
    }

    @Test("few are looked for at a time, and whoever has waited longest goes first")
    func bound() {
        var course = Course(dials: 2)
        for peer in ["a", "b", "c", "d"] { course.handle(.wished(peer, .messages)) }
        #expect(course.dials.map(\.peer) == ["a", "b"])
        #expect(course.machine.nextDeadline == nil)
        course.handle(.dialed("b", .failed))
        course.handle(.dialed("a", .reached))
        #expect(course.dials.map(\.peer) == ["a", "b", "c", "d"])
        course.handle(.dialed("c", .needless))
        course.pass(2, failingAfter: nil)
        #expect(course.dials.map(\.peer) == ["a", "b", "c", "d", "b"])
    }

    @Test("nobody is dialed who is connected, or whose conversation gets its connection back by itself")
    func letAlone() {
        var course = Course()
        course.handle(.joined("bob"))
        course.handle(.wished("bob", .messages))
        course.handle(.recovering("carol"))
        course.handle(.wished("carol", .company))
        course.handle(.networkChanged)
        course.pass(7_200)
        #expect(course.dials.isEmpty)
        #expect(course.others == [.hurry("carol")])
        // Now they are gone.
        course.handle(.lost("bob"))
        course.handle(.lost("carol"))
        course.pass(2, failingAfter: nil)
        #expect(Set(course.dials.map(\.peer)) == ["bob", "carol"])
    }

    @Test("whom nobody wants is not looked for")
    func unwanted() {
        var course = Course()
        course.handle(.lost("dave"))
        course.handle(.joined("bob"))
        course.handle(.lost("bob"))
        course.handle(.wished("carol", .company))
        course.handle(.withdrew("carol", .company))
        #expect(course.others == [.stopDialing("carol")])
        // Wanted again before the dialing has stopped: once, and then again.
        course.handle(.wished("carol", .company))
        #expect(course.machine.nextDeadline == nil)
        course.handle(.dialed("carol", .failed))
        #expect(course.dials.map(\.peer) == ["carol", "carol"])
        course.handle(.dialed("carol", .nowhere))
        course.handle(.withdrew("carol", .company))
        course.handle(.networkChanged)
        course.pass(7_200)
        #expect(course.dials.count == 2)
        #expect(course.machine.sought.isEmpty)
    }

    @Test("whom nobody knows an address of is looked for when there is one")
    func nowhere() {
        var course = Course()
        course.handle(.wished("bob", .messages))
        course.handle(.dialed("bob", .nowhere))
        course.pass(899)
        #expect(course.dials.count == 1)
        course.handle(.foundAddresses("bob"))
        #expect(course.dials.count == 2)
    }
}
