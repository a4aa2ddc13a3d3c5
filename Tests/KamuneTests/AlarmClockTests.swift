import KamuneTestKit
import Synchronization
import Testing

@testable import Kamune

struct AlarmClockTests {
    /// Names, and when each rang.
    private final class Log: Sendable {
        private let entries = Mutex<[(name: Int, time: Duration)]>([])

        func add(_ name: Int, at time: Duration) { entries.withLock { $0.append((name, time)) } }
        var all: [(name: Int, time: Duration)] { entries.withLock { $0 } }
        var names: [Int] { all.map(\.name) }
    }

    private let clock = ManualClock()
    private let log = Log()
    private let alarms: AlarmClock

    init() { alarms = AlarmClock(time: clock) }

    private func set(_ name: Int, after time: Duration) {
        alarms.ring(after: time) { [clock, log] in log.add(name, at: clock.now.elapsed) }
    }

    /// Moves the clock, and waits until everything has rung: then somebody sleeps again until what is left, which has to
    /// be something.
    private func advance(by time: Duration) async throws {
        try await clock.waitForSleepers()
        clock.advance(by: time)
        try await clock.waitForSleepers()
    }

    /// A 32nd of half a minute is 0.94 s.
    @Test func whatIsDueWithinTheLeewayRingsInOneGo() async throws {
        set(1, after: .seconds(30))
        set(2, after: .milliseconds(30_500))
        set(3, after: .seconds(32))
        set(4, after: .seconds(1_000))
        try await advance(by: .milliseconds(30_930))
        #expect(log.names == [])
        #expect(clock.sleeperCount == 1)
        try await advance(by: .milliseconds(10))
        #expect(log.names == [1, 2])
        try await advance(by: .milliseconds(2_060))
        #expect(log.names == [1, 2, 3])
        #expect(clock.sleeperCount == 1)
    }

    @Test func anEarlierAlarmIsNotHeldUpByALaterOne() async throws {
        set(-1, after: .seconds(10_000))
        set(1, after: .seconds(100))
        try await clock.waitForSleepers()
        set(2, after: .seconds(1))
        // Whoever slept until the later one gives up; the other sleeps.
        try await advance(by: .milliseconds(1_040))
        #expect(log.names == [2])
        try await advance(by: .seconds(200))
        set(3, after: .seconds(1))
        try await advance(by: .milliseconds(1_040))
        #expect(log.names == [2, 1, 3])
    }

    /// Times from 10 ms to 100 s, some of them set by alarms that ring.
    @Test func everyAlarmRingsOnceNeverEarlyAndNeverLaterThanItsLeeway() async throws {
        var random = SeededRandom(7)
        set(-1, after: .seconds(100_000))
        var expected: [Int: ClosedRange<Duration>] = [:]
        func range(_ time: Duration, from start: Duration) -> ClosedRange<Duration> {
            start + time...start + time + min(time / 32, .seconds(1))
        }
        for name in 0..<1_000 {
            let time = Duration.milliseconds(10 + Int(random.next() % 100_000))
            expected[name] = range(time, from: .zero)
            alarms.ring(after: time) { [clock, log, alarms] in
                log.add(name, at: clock.now.elapsed)
                guard name < 500 else { return }
                alarms.ring(after: .seconds(5)) { log.add(name + 1_000, at: clock.now.elapsed) }
            }
        }
        let step = Duration.milliseconds(5)
        while clock.now.elapsed < .seconds(108) { try await advance(by: step) }
        let all = log.all
        #expect(all.count == 1_500)
        for (name, time) in all where name < 500 { expected[name + 1_000] = range(.seconds(5), from: time) }
        for (name, time) in all {
            let found = expected.removeValue(forKey: name)
            let range = try #require(found)
            #expect(time >= range.lowerBound && time <= range.upperBound + step)
        }
    }

    @Test func aSleepEndsWhenItsTimeIsOver() async throws {
        let sleeping = Task { try await alarms.sleep(for: .seconds(10)) }
        try await clock.waitForSleepers()
        clock.advance(by: .milliseconds(10_320))
        try await sleeping.value
    }

    @Test(arguments: [true, false])
    func aCancelledSleepEndsAtOnce(isAsleep: Bool) async throws {
        let sleeping = Task { try await alarms.sleep(for: .seconds(10)) }
        if isAsleep { try await clock.waitForSleepers() }
        sleeping.cancel()
        await #expect(throws: CancellationError.self) { try await sleeping.value }
        // What is left of it rings for nobody.
        set(1, after: .seconds(9))
        set(-1, after: .seconds(1_000))
        try await advance(by: .seconds(11))
        #expect(log.names == [1])
    }

    @Test func aCancelledAlarmDoesNotRing() async throws {
        let number = alarms.ring(after: .seconds(1)) { [log] in log.add(1, at: .zero) }
        set(2, after: .seconds(1))
        set(-1, after: .seconds(1_000))
        alarms.cancel(number)
        try await advance(by: .seconds(2))
        #expect(log.names == [2])
        // Nor does it matter that it is cancelled again, or when it has rung.
        alarms.cancel(number)
        #expect(alarms.alarmCount == 1)
    }

    /// Whoever begins and ends ten thousand things in the time of one limit, as a stranger may, costs no memory.
    @Test func cancelledAlarmsAreForgotten() {
        final class Held: Sendable {}
        weak var last: Held?
        for number in 0..<10 { set(number, after: .seconds(30)) }
        for _ in 0..<10_000 {
            let held = Held()
            last = held
            alarms.cancel(alarms.ring(after: .seconds(30)) { withExtendedLifetime(held) {} })
            #expect(alarms.alarmCount < 100)
        }
        #expect(last == nil)
    }

    /// Two sessions that ring at the same moment would ping each other, where one ping is enough.
    @Test func onlyOneOfTwoPeersPingsFirst() throws {
        let configuration = Configuration()
        let initiator = try #require(configuration.session(of: .initiator).keepAlive)
        let responder = try #require(configuration.session(of: .responder).keepAlive)
        #expect(responder.interval == .seconds(30))
        #expect(initiator.interval - responder.interval > .seconds(2))
    }
}
