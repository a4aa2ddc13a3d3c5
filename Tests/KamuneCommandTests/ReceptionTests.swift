import Kamune
import Synchronization
import Testing

@testable import KamuneCommand

@Suite("Whom to talk to")
struct ReceptionTests {
    /// A person who gives prepared answers.
    final class ScriptedHost: Reception.Host {
        private let state: Mutex<(answers: [String], told: [String], questions: Int, withdrawn: Int)>
        let canAnswer: Bool
        /// A question that nobody answers, until it is taken back.
        let waiting = Promise<Void>()
        let asked = Promise<Void>()
        private let waits: Bool

        init(_ answers: [String], canAnswer: Bool = true, waits: Bool = false) {
            state = Mutex((answers, [], 0, 0))
            self.canAnswer = canAnswer
            self.waits = waits
        }

        var told: String { state.withLock { $0.told.joined(separator: "\n") } }
        var questions: Int { state.withLock { $0.questions } }

        func tell(_ text: String, _ look: Style.Look) async { state.withLock { $0.told.append(text) } }

        func ask(_ prompt: String) async -> String? {
            asked.fulfill(())
            if waits {
                _ = await waiting.wait()
                return nil
            }
            return state.withLock { state in
                state.questions += 1
                return state.answers.isEmpty ? nil : state.answers.removeFirst()
            }
        }

        func withdrawQuestion() async {
            state.withLock { $0.withdrawn += 1 }
            waiting.fulfill(())
        }
    }

    /// Peers kept in memory.
    actor MemoryBook: PeerBook {
        struct Broken: Error {}

        var peers: [(PublicIdentity, String)] = []
        let isBroken: Bool

        init(isBroken: Bool = false) {
            self.isBroken = isBroken
        }

        func trust(in identity: PublicIdentity, name: String) throws -> Trust {
            if isBroken { throw Broken() }
            if let peer = peers.first(where: { $0.0 == identity }) { return .known(name: peer.1) }
            if let peer = peers.first(where: { KnownPeer.isSame($0.1, name) }) { return .changed(known: peer.0) }
            return .unknown
        }

        func remember(_ identity: PublicIdentity, name: String) {
            peers.append((identity, name))
        }
    }

    private func peer(_ name: String = "Ada") throws -> Peer {
        Peer(name: name, identity: try Identity.generate().publicKey, version: "0.7.0", capabilities: [])
    }

    private func reception(
        _ policy: Reception.Policy, _ host: ScriptedHost, book: MemoryBook = MemoryBook(), capacity: Int = 1
    ) -> Reception {
        Reception(policy: policy, book: book, host: host, patience: .seconds(30), capacity: capacity)
    }

    private func isAccepted(_ verdict: Verdict) -> Bool { verdict == .accept }

    enum Circumstance: CaseIterable { case unknown, known, changed }

    @Test(
        "policies, what is known, and who is there to be asked",
        arguments: [
            (Reception.Policy.ask, Circumstance.unknown, true, ["y"], true), (.ask, .unknown, true, ["YES "], true),
            (.ask, .unknown, true, ["n"], false), (.ask, .unknown, true, ["what?", "no"], false),
            (.ask, .unknown, true, ["", "y"], true), (.ask, .unknown, true, [], false),
            (.ask, .unknown, false, [], false),
            (.ask, .known, true, [], true), (.ask, .known, false, [], true),
            (.ask, .changed, true, ["y", "y"], false), (.ask, .changed, true, ["yes"], true),
            (.ask, .changed, false, [], false),
            (.known, .unknown, true, ["y"], false), (.known, .known, true, [], true),
            (.known, .changed, true, ["yes"], false),
            (.all, .unknown, false, [], true), (.all, .known, false, [], true), (.all, .changed, false, [], true),
        ] as [(Reception.Policy, Circumstance, Bool, [String], Bool)])
    func policies(
        policy: Reception.Policy, circumstance: Circumstance, hasTerminal: Bool, answers: [String], isAccepted: Bool
    ) async throws {
        let (host, book) = (ScriptedHost(answers, canAnswer: hasTerminal), MemoryBook())
        let peer = try peer()
        switch circumstance {
        case .unknown: break
        case .known: await book.remember(peer.identity, name: "Ada")
        case .changed: await book.remember(try Identity.generate().publicKey, name: "ADA")
        }
        let verdict = await reception(policy, host, book: book).verify(peer)
        #expect(self.isAccepted(verdict) == isAccepted)
        #expect(host.told.contains("KNOWN WITH ANOTHER KEY") == (circumstance == .changed))
        if circumstance != .known {
            #expect(host.told.contains(peer.identity.fingerprint.pseudonym))
            #expect(host.told.contains(peer.identity.fingerprint.emoji.joined(separator: " ")))
        }
    }

    @Test("who was accepted by a person is remembered; who was let in unseen is not")
    func remembering() async throws {
        let book = MemoryBook()
        let (first, second) = (try peer("Ada"), try peer("Bob"))
        _ = await reception(.all, ScriptedHost([]), book: book).verify(first)
        _ = await reception(.ask, ScriptedHost(["n"]), book: book).verify(first)
        #expect(await book.peers.isEmpty)
        _ = await reception(.ask, ScriptedHost(["y"]), book: book).verify(second)
        #expect(await book.peers.map(\.1) == ["Bob"])
    }

    @Test("a known peer keeps the name under which it was accepted")
    func keptName() async throws {
        let (host, book) = (ScriptedHost([]), MemoryBook())
        let peer = try peer("Mallory")
        await book.remember(peer.identity, name: "Ada")
        let reception = reception(.ask, host, book: book)
        #expect(isAccepted(await reception.verify(peer)))
        #expect(await reception.name(of: peer).description == "Ada")
        #expect(host.told.contains("now calls itself “Mallory”"))
    }

    @Test("during a conversation nobody is asked about anybody")
    func busy() async throws {
        let host = ScriptedHost(["y", "y"])
        let reception = reception(.ask, host)
        #expect(await reception.beginConversation())
        #expect(await !reception.beginConversation())
        #expect(!isAccepted(await reception.verify(try peer())))
        #expect(host.questions == 0)
        await reception.endConversation()
        #expect(isAccepted(await reception.verify(try peer())))
    }

    @Test("a second stranger is not asked about while the first one is, and a conversation takes the question back")
    func oneQuestion() async throws {
        let host = ScriptedHost([], waits: true)
        let reception = reception(.ask, host)
        let (first, second) = (try peer("first"), try peer("second"))
        async let verdict = reception.verify(first)
        _ = await host.asked.wait()
        #expect(!isAccepted(await reception.verify(second)))
        #expect(await reception.beginConversation())
        #expect(!isAccepted(await verdict))
    }

    @Test("when the book cannot be read, nobody is accepted", arguments: Reception.Policy.allCases)
    func brokenBook(policy: Reception.Policy) async throws {
        let verdict = await reception(policy, ScriptedHost(["yes"]), book: MemoryBook(isBroken: true)).verify(
            try peer())
        #expect(!isAccepted(verdict))
    }

    @Test("what a peer calls itself cannot steer the terminal")
    func hostileName() async throws {
        let host = ScriptedHost(["n"])
        _ = await reception(.ask, host).verify(try peer("A\u{1B}[2J\nYou are safe\u{202E}"))
        #expect(!host.told.unicodeScalars.contains { ["\u{1B}", "\u{202E}"].contains($0) })
        #expect(!host.told.contains("\nYou are safe"))
    }
}
