import Testing

@testable import Kamune

/// Which address is tried when, on virtual time.
@Suite("Dialing several addresses: the rules")
struct DialMachineTests {
    /// What the machine says, with the milliseconds at which it does.
    private struct Course {
        var machine: DialMachine
        var said: [String] = []
        private var milliseconds = 0
        private let start = Duration.seconds(7)

        init(addresses: Int) {
            machine = DialMachine(addresses: addresses, at: start)
            note(machine.advance(at: start))
        }

        private mutating func note(_ actions: [DialMachine.Action]) {
            for action in actions {
                let text =
                    switch action {
                    case .begin(let attempt, let address): "begin \(attempt) at \(address)"
                    case .turn(let attempt): "turn \(attempt)"
                    case .drop(let attempt, _): "drop \(attempt)"
                    case .postpone(let attempt): "postpone \(attempt)"
                    case .giveUp: "give up"
                    }
                said.append("\(milliseconds): \(text)")
            }
        }

        private var now: Duration { start + .milliseconds(milliseconds) }

        /// Lets time pass, in steps that end wherever the machine wants to be asked.
        mutating func pass(until end: Int) {
            while let deadline = machine.nextDeadline, deadline <= start + .milliseconds(end) {
                milliseconds = max(milliseconds, Int((deadline - start) / .milliseconds(1)))
                note(machine.advance(at: now))
            }
            milliseconds = end
        }

        mutating func answered(_ attempt: Int) { note(machine.answered(attempt, at: now)) }
        mutating func failed(_ attempt: Int) { note(machine.failed(attempt, at: now)) }
    }

    @Test("three dead addresses cost three quarters of a second")
    func dead() {
        var course = Course(addresses: 4)
        course.pass(until: 760)
        course.answered(3)
        course.pass(until: 5_000)
        #expect(
            course.said == [
                "0: begin 0 at 0", "250: begin 1 at 1", "500: begin 2 at 2", "750: begin 3 at 3", "760: turn 3",
            ])
    }

    @Test("an address that fails lets the next begin at once")
    func failing() {
        var course = Course(addresses: 3)
        course.pass(until: 10)
        course.failed(0)
        course.failed(1)
        course.answered(2)
        course.failed(2)
        #expect(
            course.said == [
                "0: begin 0 at 0", "10: begin 1 at 1", "10: begin 2 at 2", "10: turn 2", "10: give up",
            ])
        #expect(course.machine.nextDeadline == nil)
    }

    @Test("one introduces itself at a time, in the order of the answers, and nothing is begun meanwhile")
    func turns() {
        var course = Course(addresses: 4)
        course.pass(until: 600)
        course.answered(1)
        course.answered(2)
        course.answered(0)
        course.answered(0)
        course.pass(until: 3_000)
        course.failed(1)
        course.pass(until: 4_000)
        course.failed(2)
        course.failed(0)
        #expect(
            course.said == [
                "0: begin 0 at 0", "250: begin 1 at 1", "500: begin 2 at 2", "600: turn 1", "3000: turn 2",
                "4000: turn 0", "4000: begin 3 at 3",
            ])
    }

    @Test("whoever has waited too long is asked again later, and whoever never answers is given up")
    func times() {
        var course = Course(addresses: 3)
        course.pass(until: 300)
        course.answered(0)
        course.answered(1)
        course.pass(until: 20_000)
        course.failed(0)
        course.pass(until: 40_000)
        #expect(
            course.said == [
                "0: begin 0 at 0", "250: begin 1 at 1", "300: turn 0", "10300: postpone 1",
                "20000: begin 2 at 1", "20250: begin 3 at 2", "30000: drop 2", "30250: drop 3", "30250: give up",
            ])
    }

    @Test("no more than eight are tried at once")
    func many() {
        var course = Course(addresses: 32)
        course.pass(until: 9_999)
        #expect(course.said.count == 8)
        course.pass(until: 10_000)
        #expect(course.said.suffix(2) == ["10000: drop 0", "10000: begin 8 at 8"])
    }

    @Test("without addresses there is nothing to be tried")
    func none() {
        #expect(Course(addresses: 0).said == ["0: give up"])
    }
}
