import NIOCore
import Testing

@testable import KamuneTransport

/// Which address is tried when, on virtual time (RFC 8305).
@Suite("A race of addresses")
struct AddressRaceTests {
    /// What the machine says, with the milliseconds at which it does.
    private struct Course {
        var race: AddressRace<String>
        var said: [String] = []
        private let start = NIODeadline.uptimeNanoseconds(7_000_000_000)
        private var milliseconds: Int64 = 0

        init(isHeld: Bool = false) {
            race = AddressRace(isHeld: isHeld, at: start)
        }

        var now: NIODeadline { start + .milliseconds(milliseconds) }

        mutating func note(_ actions: [AddressRace<String>.Action]) {
            for action in actions {
                switch action {
                case .start(let number, let address): said.append("\(milliseconds): \(number) \(address)")
                case .exhausted: said.append("\(milliseconds): exhausted")
                }
            }
        }

        /// Lets time pass, in steps that end wherever the machine wants to be asked.
        mutating func pass(until end: Int64) {
            while let deadline = race.nextDeadline, deadline <= start + .milliseconds(end) {
                milliseconds = max(milliseconds, (deadline - start).nanoseconds / 1_000_000)
                note(race.advance(at: now))
            }
            milliseconds = end
            note(race.advance(at: now))
        }

        mutating func resolved(_ family: AddressFamily, _ addresses: [String]) {
            note(race.resolved(family, addresses, at: now))
        }

        mutating func failed(_ number: Int) {
            note(race.failed(number, at: now))
        }
    }

    @Test("the families take turns, each address a quarter of a second after the one before")
    func interleaved() {
        var course = Course()
        course.resolved(.ipv6, ["6a", "6b"])
        course.resolved(.ipv4, ["4a", "4b", "4c"])
        course.pass(until: 5_000)
        #expect(course.said == ["0: 0 6a", "250: 1 4a", "500: 2 6b", "750: 3 4b", "1000: 4 4c"])
        #expect(course.race.nextDeadline == nil)
    }

    @Test("an address that fails lets the next begin at once")
    func failures() {
        var course = Course()
        course.resolved(.ipv6, ["6a", "6b"])
        course.resolved(.ipv4, ["4a"])
        course.pass(until: 10)
        course.failed(0)
        course.pass(until: 300)
        course.failed(1)
        course.failed(1)
        course.failed(2)
        course.pass(until: 9_000)
        #expect(course.said == ["0: 0 6a", "10: 1 4a", "260: 2 6b", "300: exhausted"])
    }

    @Test("IPv4 waits a moment for the answer about IPv6, and no longer")
    func resolutionDelay() {
        var course = Course()
        course.resolved(.ipv4, ["4a", "4b"])
        course.pass(until: 49)
        #expect(course.said == [])
        course.pass(until: 400)
        course.resolved(.ipv6, ["6a"])
        course.pass(until: 1_000)
        #expect(course.said == ["50: 0 4a", "300: 1 4b", "550: 2 6a"])
        course = Course()
        course.resolved(.ipv4, ["4a"])
        course.pass(until: 20)
        course.resolved(.ipv6, [])
        #expect(course.said == ["20: 0 4a"])
    }

    @Test("an answer that never comes keeps the race from being over, and nothing else")
    func silentResolver() {
        var course = Course()
        course.resolved(.ipv4, ["4a"])
        course.pass(until: 60)
        course.failed(0)
        course.pass(until: 60_000)
        #expect(course.said == ["50: 0 4a"])
        course.resolved(.ipv6, ["6a"])
        #expect(course.said == ["50: 0 4a", "60000: 1 6a"])
    }

    @Test("without any address the race is over when both questions are answered")
    func nothingFound() {
        var course = Course()
        course.resolved(.ipv6, [])
        #expect(course.said == [])
        course.resolved(.ipv4, [])
        course.resolved(.ipv4, ["4a"])
        course.pass(until: 100)
        #expect(course.said == ["0: exhausted"])
        var held = Course(isHeld: true)
        held.resolved(.ipv6, [])
        held.resolved(.ipv4, [])
        #expect(held.said == ["0: exhausted"])
    }

    @Test("nothing is tried before it may be")
    func held() {
        var course = Course(isHeld: true)
        course.resolved(.ipv6, ["6a"])
        course.resolved(.ipv4, ["4a"])
        course.pass(until: 1_000)
        #expect(course.said == [] && course.race.nextDeadline == nil)
        course.note(course.race.release(at: course.now))
        course.pass(until: 2_000)
        #expect(course.said == ["1000: 0 6a", "1250: 1 4a"])
    }

    @Test("of thousands of addresses a few are tried")
    func manyAddresses() {
        var course = Course()
        course.resolved(.ipv6, (0..<5_000).map { "6-\($0)" })
        course.resolved(.ipv4, (0..<5_000).map { "4-\($0)" })
        course.pass(until: 600_000)
        #expect(course.said.count == 2 * AddressRace<String>.addressLimit)
    }
}
