import Foundation
import Testing

/// Two daemons in processes of their own talk over a network that fails, while they are killed and started again, driven by
/// programs that speak nothing but the protocol.
@Suite("Conversations of two daemons")
struct DaemonConversationTests {
    /// A network between the two.
    private enum Network {
        case tcp(Proxy)
        case udp(DatagramProxy)

        init(_ transport: String, to port: UInt16) throws {
            self = transport == "tcp" ? .tcp(try Proxy(to: port)) : .udp(try DatagramProxy(to: port))
        }

        var address: String {
            switch self {
            case .tcp(let proxy): proxy.address
            case .udp(let proxy): proxy.address
            }
        }

        /// How many datagrams are lost at once: more than a window of a slow start.
        private static let burst = 30

        /// Loses what is under way.
        func drop() {
            switch self {
            case .tcp(let proxy): proxy.cut()
            case .udp(let proxy): proxy.lose(Self.burst)
            }
        }

        /// Loses the connections.
        func cut() {
            switch self {
            case .tcp(let proxy): proxy.cut()
            case .udp(let proxy): proxy.cut()
            }
        }

        func redirect(to port: UInt16) {
            switch self {
            case .tcp(let proxy): proxy.redirect(to: port)
            case .udp(let proxy): proxy.redirect(to: port)
            }
        }

        func stop() {
            if case .udp(let proxy) = self { proxy.stop() }
        }
    }

    /// What one of the two has said through however many daemons.
    private struct Speaker {
        let name: String
        /// What a daemon has said that it has stored.
        var acknowledged: [String] = []
        /// What may be stored or not, since the daemon was killed before it answered.
        var doubtful: [String] = []
        var count = 0

        init(_ name: String) { self.name = name }

        /// Says so much, or less if the daemon ends.
        mutating func speak(_ amount: Int, by program: DaemonProgram) async throws {
            for _ in 0..<amount {
                let text = "\(name) \(count)"
                count += 1
                guard try await program.send(text) else {
                    doubtful.append(text)
                    return
                }
                acknowledged.append(text)
            }
        }
    }

    /// The number at the end of a message.
    private static func number(_ text: String) -> Int { Int(text.split(separator: " ").last ?? "") ?? -1 }

    /// What a program was told, over all lives of its daemon: each message once, and in order.
    private static func isInOrder(_ texts: [String]) -> Bool {
        let numbers = texts.map(number)
        return zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }
    }

    private static let round = 40

    @Test(
        "through losses, reconnections and kills nothing is lost, nothing comes twice, and everything in order",
        .timeLimit(.minutes(5)), arguments: ["tcp", "udp"])
    func conversation(transport: String) async throws {
        let homes = (ada: try Home(), bob: try Home())
        var bob = try await DaemonProgram.start(homes.bob)
        let network = try Network(transport, to: try await bob.serve(transport))
        defer { network.stop() }
        var ada = try await DaemonProgram.start(homes.ada)
        try await ada.dial(network.address, transport)
        var (adaSays, bobSays) = (Speaker("Ada"), Speaker("Bob"))
        var heard = (ada: [String](), bob: [String]())

        // Both talk while the network loses what is under way, and then forgets them.
        (adaSays, bobSays) = try await Self.both(adaSays, ada, bobSays, bob) {
            for step in 1...3 {
                await bob.wait { $0.received.count >= step * Self.round / 5 }
                network.drop()
            }
        }
        network.cut()
        try await adaSays.speak(1, by: ada)
        let last = try #require(adaSays.acknowledged.last)
        await bob.wait { $0.received.last == last }

        // Bob's daemon is killed while both talk; Ada goes on writing to who is not there.
        (adaSays, bobSays) = try await Self.both(adaSays, ada, bobSays, bob) {
            let count = await bob.standing.received.count
            await bob.wait { $0.received.count >= count + Self.round / 4 }
            await bob.kill()
        }
        heard.bob += await bob.standing.received
        bob = try await DaemonProgram.start(homes.bob)
        network.redirect(to: try await bob.serve(transport))
        await bob.wait { $0.session != nil }
        try await bobSays.speak(Self.round, by: bob)

        // Ada's daemon is killed while both talk, and dials anew.
        (adaSays, bobSays) = try await Self.both(adaSays, ada, bobSays, bob) {
            let count = await ada.standing.received.count
            await ada.wait { $0.received.count >= count + Self.round / 4 }
            await ada.kill()
        }
        heard.ada += await ada.standing.received
        ada = try await DaemonProgram.start(homes.ada)
        try await ada.dial(network.address, transport)
        try await adaSays.speak(1, by: ada)
        let end = try #require(adaSays.acknowledged.last)
        await bob.wait { $0.received.last == end }
        try await bobSays.speak(1, by: bob)
        let answer = try #require(bobSays.acknowledged.last)
        await ada.wait { $0.received.last == answer }

        for program in [ada, bob] { #expect(try await program.undelivered() == 0) }
        heard.ada += await ada.standing.received
        heard.bob += await bob.standing.received
        #expect(Self.isInOrder(heard.ada) && Self.isInOrder(heard.bob))
        try await Self.check(adaSays, by: ada, heardBy: bob)
        try await Self.check(bobSays, by: bob, heardBy: ada)
        await ada.shutDown()
        await bob.shutDown()
    }

    /// Has both say something at the same time, while something happens.
    private static func both(
        _ first: Speaker, _ ada: DaemonProgram, _ second: Speaker, _ bob: DaemonProgram,
        while happening: () async -> Void
    ) async throws -> (Speaker, Speaker) {
        async let one = Self.speak(first, by: ada)
        async let other = Self.speak(second, by: bob)
        await happening()
        return (try await one, try await other)
    }

    private static func speak(_ speaker: Speaker, by program: DaemonProgram) async throws -> Speaker {
        var speaker = speaker
        try await speaker.speak(round, by: program)
        return speaker
    }

    /// Compares what one has said with what both stores have.
    private static func check(
        _ speaker: Speaker, by program: DaemonProgram, heardBy other: DaemonProgram
    ) async throws {
        let said = try await program.history().filter { $0.direction == "out" }
        let heard = try await other.history().filter { $0.direction == "in" }
        for messages in [said, heard] {
            #expect(Set(messages.map(\.id)).count == messages.count)
            #expect(messages.map(\.text).filter { !speaker.doubtful.contains($0) } == speaker.acknowledged)
            #expect(isInOrder(messages.map(\.text)))
        }
        #expect(said.map(\.id) == heard.map(\.id))
        #expect(said.allSatisfy { $0.state == "delivered" })
    }
}
