import KamuneTestKit
import KamuneTransport
import Testing

@testable import Kamune

@Suite("Who keeps a place while in the handshake", .serialized)
struct AdmissionTests {
    private typealias Machine = AdmissionMachine<String>

    /// A machine with the default limits, and who of those that it let in is still there.
    private struct House {
        var machine = Machine(limits: .init(places: 256, unproven: 256))
        var random: SeededRandom
        var present: Set<UInt64> = []

        init(seed: UInt64) {
            random = SeededRandom(seed)
        }

        mutating func connect(from network: Network? = nil, isAddressProven: Bool = true) -> UInt64 {
            let (id, dropped) = machine.connected(
                from: network, isAddressProven: isAddressProven, using: &random)
            present.insert(id)
            leave(dropped)
            return id
        }

        mutating func introduce(_ id: UInt64, as identity: String, isKnown: Bool = false) {
            leave(machine.introduced(id, as: identity, isKnown: isKnown, using: &random))
        }

        mutating func resume(_ id: UInt64, as identity: String) {
            leave(machine.resumed(id, as: identity, using: &random))
        }

        mutating func prove(_ id: UInt64) {
            leave(machine.proved(id, using: &random))
        }

        mutating func finish(_ id: UInt64) {
            machine.finished(id)
            present.remove(id)
        }

        private mutating func leave(_ dropped: [UInt64]) {
            present.subtract(dropped)
            precondition(machine.count == present.count, "the machine and its driver count differently")
        }
    }

    private static func network(_ number: Int) -> Network? {
        Network(of: "10.\(number >> 8 & 0xFF).\(number & 0xFF).7")
    }

    private static let seeds = 0..<16 as Range<UInt64>
    /// As many as fill every room.
    private static let fill = 300

    /// How often, of all seeds, somebody gets through who takes these steps a tenth of a second apart, while others do
    /// something so many times a second and never end.
    private static func successes(
        against perSecond: Int, _ attack: (inout House, Int) -> Void, _ steps: [(inout House, UInt64) -> Void]
    ) -> Int {
        seeds.count { seed in
            var house = House(seed: seed)
            var attacks = 0
            func goOn(until tenth: Int) {
                while attacks < Self.fill + perSecond * tenth / 10 {
                    attack(&house, attacks)
                    attacks += 1
                }
            }
            // By then every room that they can fill is full.
            goOn(until: 0)
            let id = house.connect(from: network(60_000))
            for (number, step) in steps.enumerated() {
                goOn(until: number + 1)
                step(&house, id)
            }
            return house.present.contains(id)
        }
    }

    // MARK: Copies of introductions

    @Test("somebody who replays a friend's introduction from a few networks never keeps the friend out")
    func replays() {
        func replay(_ house: inout House, _ number: Int) {
            let id = house.connect(from: Self.network(number % 4))
            house.introduce(id, as: "Alice", isKnown: true)
        }
        let successes = Self.successes(
            against: 100, replay,
            [
                { $0.introduce($1, as: "Alice", isKnown: true) },
                { _, _ in },
                { $0.prove($1) },
                { _, _ in },
            ])
        #expect(successes == Self.seeds.count)
    }

    @Test("whose introduction is replayed from everywhere gets through in a few tries")
    func replaysFromEverywhere() {
        func replay(_ house: inout House, _ number: Int) {
            let id = house.connect(from: Self.network(number))
            house.introduce(id, as: "Alice", isKnown: true)
        }
        let successes = Self.successes(
            against: 4, replay,
            [
                { $0.introduce($1, as: "Alice", isKnown: true) },
                { _, _ in },
                { $0.prove($1) },
                { _, _ in },
            ])
        // Each that comes before the proof takes one of eight places.
        #expect(successes > Self.seeds.count * 7 / 10)
    }

    @Test(
        "a replayed introduction keeps nobody else out, whoever else comes and whatever they want",
        arguments: [4, 1_000])
    func replaysAndOthers(perSecond: Int) {
        func replay(_ house: inout House, _ number: Int) {
            let id = house.connect(from: Self.network(number))
            house.introduce(id, as: "Alice", isKnown: true)
        }
        let stranger = Self.successes(against: perSecond, replay, [{ $0.introduce($1, as: "Carol") }, { _, _ in }])
        let friend = Self.successes(
            against: perSecond, replay, [{ $0.introduce($1, as: "Bob", isKnown: true) }, { _, _ in }])
        let resumer = Self.successes(against: perSecond, replay, [{ $0.resume($1, as: "Bob") }, { _, _ in }])
        // Nobody stays in the room of the silent, where the one who comes waits first.
        #expect(stranger == Self.seeds.count && friend == Self.seeds.count && resumer == Self.seeds.count)
    }

    @Test("copies of many friends' introductions leave a friend a place")
    func replaysOfMany() {
        func replay(_ house: inout House, _ number: Int) {
            let id = house.connect(from: Self.network(number))
            house.introduce(id, as: "friend \(number % 20)", isKnown: true)
        }
        let successes = Self.successes(
            against: 100, replay, [{ $0.introduce($1, as: "Bob", isKnown: true) }, { $0.prove($1) }, { _, _ in }])
        #expect(successes == Self.seeds.count)
    }

    // MARK: Strangers

    @Test("as many identities as one likes keep neither friends out nor those who have said nothing yet")
    func strangers() {
        func stranger(_ house: inout House, _ number: Int) {
            let id = house.connect(from: Self.network(number))
            house.introduce(id, as: "stranger \(number)")
            house.prove(id)
        }
        let friend = Self.successes(
            against: 1_000, stranger, [{ $0.introduce($1, as: "Bob", isKnown: true) }, { $0.prove($1) }, { _, _ in }])
        #expect(friend == Self.seeds.count)
        // Among strangers it is luck, and the fewer networks they have, the better.
        let one = Self.successes(against: 10, stranger, [{ $0.introduce($1, as: "Carol") }, { _, _ in }, { _, _ in }])
        #expect(one > Self.seeds.count * 2 / 3)
    }

    @Test("who stays silent on some networks keeps nobody out who comes from another")
    func silence() {
        func silent(_ house: inout House, _ number: Int) { _ = house.connect(from: Self.network(number % 20)) }
        let successes = Self.successes(
            against: 1_000, silent, [{ _, _ in }, { _, _ in }, { $0.introduce($1, as: "Carol") }, { _, _ in }])
        #expect(successes == Self.seeds.count)
    }

    @Test("who stays silent on every network keeps few out")
    func silenceEverywhere() {
        func silent(_ house: inout House, _ number: Int) { _ = house.connect(from: Self.network(number)) }
        let successes = Self.successes(
            against: 100, silent, [{ _, _ in }, { $0.introduce($1, as: "Carol") }, { _, _ in }])
        // 20 come before the introduction, and each takes one of 128 places: 85 % are to be expected.
        #expect(successes >= Self.seeds.count * 3 / 4)
    }

    @Test("who silently fills the network of a friend takes turns with the friend")
    func silenceNextDoor() {
        func silent(_ house: inout House, _ number: Int) { _ = house.connect(from: Self.network(60_000)) }
        let successes = Self.successes(
            against: 10, silent, [{ _, _ in }, { $0.introduce($1, as: "Bob", isKnown: true) }, { $0.prove($1) }])
        // Two come before the introduction, and each takes one of 16 places: 88 % are to be expected.
        #expect(successes >= Self.seeds.count * 3 / 4)
    }

    @Test("addresses that have proven nothing take no place from those that have")
    func forgedAddresses() {
        func forge(_ house: inout House, _ number: Int) { _ = house.connect(isAddressProven: false) }
        let successes = Self.successes(
            against: 1_000, forge, [{ _, _ in }, { $0.introduce($1, as: "Carol") }, { _, _ in }])
        #expect(successes == Self.seeds.count)
    }

    @Test("a forged address counts against no network")
    func forgedNetwork() {
        var house = House(seed: 1)
        let friend = house.connect(from: Self.network(1))
        for _ in 0..<200 { _ = house.connect(from: Self.network(1), isAddressProven: false) }
        #expect(house.present.contains(friend) && house.present.count == 201)
    }

    // MARK: Limits

    @Test("there are sixteen places for a network, and eight for an identity")
    func numbers() {
        var house = House(seed: 2)
        for _ in 0..<50 { _ = house.connect(from: Self.network(1)) }
        #expect(house.present.count == 16)
        for id in house.present { house.finish(id) }
        for number in 0..<50 { house.introduce(house.connect(from: Self.network(number)), as: "Alice") }
        #expect(house.present.count == 8)
        // What comes from this machine, perhaps through a proxy, has only the places of the room.
        for id in house.present { house.finish(id) }
        for _ in 0..<500 { _ = house.connect() }
        #expect(house.present.count == 128)
    }

    @Test("the system's end of places costs somebody who has come least far, and nobody who has proven something")
    func exhaustion() {
        var house = House(seed: 3)
        let friend = house.connect(from: Self.network(1))
        house.resume(friend, as: "Bob")
        let claim = house.connect(from: Self.network(2))
        house.introduce(claim, as: "Alice", isKnown: true)
        let stranger = house.connect(from: Self.network(3))
        house.introduce(stranger, as: "Carol")
        let silent = house.connect(from: Self.network(4))
        for expected in [silent, stranger, claim, nil] {
            #expect(house.machine.exhausted(using: &house.random) == expected)
        }
        #expect(house.machine.count == 1)
    }

    @Test("whatever happens, no limit is exceeded, and nobody is dropped for more than one who comes", arguments: seeds)
    func everyOrder(seed: UInt64) {
        var house = House(seed: seed)
        var script = SeededRandom(~seed)
        var claims: [UInt64: String] = [:]
        for step in 0..<1_000 {
            let known = house.present.sorted()
            switch Int.random(in: 0..<10, using: &script) {
            case 0..<5:
                let network = Self.network(Int.random(in: 0..<12, using: &script))
                let before = house.present.count
                let id = house.connect(from: network, isAddressProven: Bool.random(using: &script))
                #expect(house.present.contains(id))
                #expect(house.present.count == before || house.present.count == before + 1)
            case 5..<7:
                guard let id = known.randomElement(using: &script), claims[id] == nil else { continue }
                claims[id] = "identity \(Int.random(in: 0..<30, using: &script))"
                house.introduce(id, as: claims[id] ?? "", isKnown: Bool.random(using: &script))
            case 7:
                guard let id = known.randomElement(using: &script), claims[id] == nil else { continue }
                claims[id] = "identity \(Int.random(in: 0..<30, using: &script))"
                house.resume(id, as: claims[id] ?? "")
            case 8:
                if let id = known.randomElement(using: &script) { house.prove(id) }
            default:
                if let id = known.randomElement(using: &script) { house.finish(id) }
            }
            guard step % 50 == 0 else { continue }
            let present = house.present
            #expect(present.count <= 256 + 256)
            let perIdentity = Dictionary(grouping: present.compactMap { claims[$0] }) { $0 }
            #expect(perIdentity.values.allSatisfy { $0.count <= 8 })
        }
    }
}
