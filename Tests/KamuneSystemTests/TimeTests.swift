import Foundation
import KamuneSystem
import KamuneTestSupport
import Testing

@Suite("Time")
struct TimeTests {
    @Test("the system's clocks show the time, and the monotonic one never goes back")
    func clocks() {
        let time = SystemTime()
        #expect(abs(time.date.timeIntervalSinceNow) < 60)
        var last = time.monotonic
        for _ in 0..<10_000 {
            let now = time.monotonic
            #expect(now >= last)
            last = now
        }
        #expect(SystemTime.threadNanoseconds <= SystemTime.processNanoseconds)
    }

    @Test("sleeping by the system's clock ends after the deadline, and at once when that has passed")
    func sleeping() async throws {
        let time = SystemTime()
        let deadline = time.monotonic + .milliseconds(2)
        try await time.sleep(until: deadline)
        #expect(time.monotonic >= deadline)
        try await time.sleep(until: deadline - .seconds(1_000))
    }

    @Test("a cancelled sleep ends with an error, whenever it was cancelled", .timeLimit(.minutes(1)))
    func cancellation() async {
        for deadline in [Duration.seconds(-1), .seconds(100_000)] {
            let sleeper = Task { try await SystemTime().sleep(for: deadline) }
            sleeper.cancel()
            let late = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await SystemTime().sleep(for: deadline)
            }
            await #expect(throws: CancellationError.self) { try await late.value }
            // Before it began, or while it slept: it does not sleep for a day.
            _ = await sleeper.result
        }
    }

    @Test("a manual clock is a source of time", .timeLimit(.minutes(1)))
    func manual() async throws {
        let clock = ManualClock()
        let time: any TimeSource = clock
        #expect(time.date == Date(timeIntervalSince1970: 1_767_225_600))
        let sleeper = Task { try await time.sleep(for: .seconds(86_400)) }
        try await clock.waitForSleepers()
        clock.advance(by: .seconds(86_400))
        try await sleeper.value
        #expect(time.monotonic == .seconds(86_400))
        #expect(time.date == Date(timeIntervalSince1970: 1_767_312_000))
        clock.setWall(.seconds(-1) + .milliseconds(250))
        #expect(time.date == Date(timeIntervalSince1970: -0.75))
    }
}
