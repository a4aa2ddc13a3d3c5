import Foundation
import Kamune
import KamuneStore
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

        func ask(_ prompt: String, about subject: PublicIdentity) async -> String? {
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

    /// A book that always says the same.
    actor FixedBook: PeerBook {
        struct Broken: Error {}

        private let trust: Trust?
        private(set) var remembered: [String] = []

        /// - Parameter trust: What is known; nil for a book that cannot be read.
        init(_ trust: Trust? = .unknown) {
            self.trust = trust
        }

        func trust(in peer: Peer) throws -> Trust {
            guard let trust else { throw Broken() }
            return trust
        }

        func remember(_ peer: Peer) { remembered.append(peer.name) }
    }

    private func peer(_ name: String = "Ada") throws -> Peer {
        Peer(name: name, identity: try Identity.generate().publicKey, version: "0.7.0", capabilities: [])
    }

    private func reception(
        _ policy: Reception.Policy, _ host: ScriptedHost, book: FixedBook = FixedBook(), capacity: Int = 1
    ) -> Reception {
        Reception(policy: policy, book: book, host: host, patience: .seconds(30), capacity: capacity)
    }

    private func isAccepted(_ verdict: Verdict) -> Bool {
        if case .accept = verdict { true } else { false }
    }

    enum Circumstance: CaseIterable {
        case unknown, known, changed, expired, met, blocked, retired, forked

        func trust(in identity: PublicIdentity, name: String = "Ada") throws -> Trust {
            let same = KnownPeer(
                id: PeerID(row: 1), name: name, givenName: name, identity: identity,
                accepted: Date(timeIntervalSince1970: 1_784_937_599))
            let other = KnownPeer(
                id: PeerID(row: 2), name: name, givenName: name, identity: try Identity.generate().publicKey,
                accepted: same.accepted)
            return switch self {
            case .unknown: .unknown
            case .known: .known(same)
            case .changed: .changed(known: [other])
            case .expired: .expired(same)
            case .met: .met(same)
            case .blocked: .blocked(same)
            case .retired: .retired(other)
            case .forked: .forked(other)
            }
        }
    }

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
            (.ask, .expired, true, ["y"], true), (.ask, .expired, true, ["n"], false),
            (.ask, .expired, false, [], false),
            (.ask, .met, true, ["y"], true), (.ask, .met, true, ["n"], false), (.ask, .met, false, [], false),
            (.ask, .blocked, true, ["yes"], false), (.ask, .retired, true, ["yes"], false),
            (.ask, .forked, true, ["yes"], false), (.known, .forked, true, ["yes"], false),
            (.all, .forked, false, [], false),
            (.known, .unknown, true, ["y"], false), (.known, .known, true, [], true),
            (.known, .changed, true, ["yes"], false), (.known, .expired, true, ["y"], false),
            (.known, .met, true, ["y"], false), (.known, .blocked, true, ["y"], false),
            (.known, .retired, true, ["y"], false),
            (.all, .unknown, false, [], true), (.all, .known, false, [], true), (.all, .changed, false, [], true),
            (.all, .expired, false, [], true), (.all, .met, false, [], true), (.all, .blocked, false, [], false),
            (.all, .retired, false, [], false),
        ] as [(Reception.Policy, Circumstance, Bool, [String], Bool)])
    func policies(
        policy: Reception.Policy, circumstance: Circumstance, hasTerminal: Bool, answers: [String], isAccepted: Bool
    ) async throws {
        let host = ScriptedHost(answers, canAnswer: hasTerminal)
        let peer = try peer("Ada")
        let trust = try circumstance.trust(in: peer.identity)
        let book = FixedBook(trust)
        let verdict = await reception(policy, host, book: book).verify(peer)
        #expect(self.isAccepted(verdict) == isAccepted)
        // A policy that lets in anybody claims nothing; else the store or the person is what the verdict stands on.
        if isAccepted {
            let grounds: AcceptanceGrounds = policy == .all ? .policy : circumstance == .known ? .known : .person
            #expect(verdict == .accept(grounds))
        }
        #expect(host.told.contains("KNOWN WITH ANOTHER KEY") == (circumstance == .changed))
        #expect(host.told.contains("HAS GIVEN UP THIS KEY") == (circumstance == .retired))
        #expect(host.told.contains("VOUCHES FOR TWO NEW ONES") == (circumstance == .forked))
        #expect(!host.told.contains("has taken a new identity"))
        // Only a person's yes is remembered.
        #expect(await book.remembered == (isAccepted && policy == .ask && circumstance != .known ? ["Ada"] : []))
        if case .changed(let known) = trust {
            #expect(host.told.contains(known[0].identity.fingerprint.sum))
        }
        if [.unknown, .changed, .retired, .forked].contains(circumstance) {
            #expect(host.told.contains(peer.identity.fingerprint.pseudonym))
            #expect(host.told.contains(peer.identity.fingerprint.emoji.joined(separator: " ")))
        }
    }

    @Test("who is asked about again is told to have the same key as before")
    func expired() async throws {
        let host = ScriptedHost(["y"])
        let peer = try peer("Ada")
        let reception = reception(.ask, host, book: FixedBook(try Circumstance.expired.trust(in: peer.identity)))
        #expect(isAccepted(await reception.verify(peer)))
        #expect(host.told.contains("with the same key as before. You accepted it on 2026-07-2"))
        #expect(host.told.contains(peer.identity.fingerprint.sum))
    }

    @Test(
        "who has taken a new identity is who they were, and told with both fingerprints",
        arguments: [
            (Reception.Policy.ask, Circumstance.known, [], true), (.known, .known, [], true), (.all, .known, [], true),
            (.ask, .expired, ["y"], true), (.ask, .expired, ["n"], false), (.known, .expired, ["y"], false),
            (.all, .expired, [], true), (.all, .met, [], true),
        ] as [(Reception.Policy, Circumstance, [String], Bool)])
    func succession(
        policy: Reception.Policy, circumstance: Circumstance, answers: [String], isAccepted: Bool
    )
        async throws
    {
        let host = ScriptedHost(answers)
        let (old, new) = (try Identity.generate().publicKey, try Identity.generate(.mldsa65).publicKey)
        let book = FixedBook(try circumstance.trust(in: old))
        let reception = reception(policy, host, book: book)
        let peer = Peer(name: "Ada", identity: new, version: "0.7.0", capabilities: [], formerKeys: [old])
        #expect(self.isAccepted(await reception.verify(peer)) == isAccepted)
        let sentence = "“Ada” has taken a new identity, and the old one vouches for it: "
        let isTold = isAccepted || policy == .ask
        #expect(host.told.contains(sentence + "\(old.fingerprint.sum) is now \(new.fingerprint.sum).") == isTold)
        #expect(!host.told.contains("the same key as before"))
        #expect(await book.remembered == (policy == .ask && isAccepted && circumstance == .expired ? ["Ada"] : []))
    }

    @Test("a known peer keeps the name under which it was accepted")
    func keptName() async throws {
        let host = ScriptedHost([])
        let peer = try peer("Mallory")
        let reception = reception(.ask, host, book: FixedBook(try Circumstance.known.trust(in: peer.identity)))
        #expect(isAccepted(await reception.verify(peer)))
        #expect(await reception.knownName(of: PeerID(row: 1)) == "Ada")
        #expect(host.told.contains("now calls itself “Mallory”"))
    }

    @Test("a name of the person's own is nothing to be told of")
    func ownName() async throws {
        let host = ScriptedHost([])
        let peer = try peer("Ada")
        let known = KnownPeer(
            id: PeerID(row: 7), name: "Countess", givenName: "ada", identity: peer.identity, accepted: Date())
        let reception = reception(.known, host, book: FixedBook(.known(known)))
        #expect(isAccepted(await reception.verify(peer)))
        #expect(await reception.knownName(of: PeerID(row: 7)) == "Countess")
        #expect(host.told.isEmpty)
    }

    @Test("during a conversation nobody is asked about anybody")
    func busy() async throws {
        let host = ScriptedHost(["y", "y"])
        let reception = reception(.ask, host)
        let second = try peer("second")
        #expect(await reception.beginConversation(with: PeerID(row: 1)))
        #expect(await !reception.beginConversation(with: PeerID(row: 2)))
        #expect(!isAccepted(await reception.verify(second)))
        #expect(host.questions == 0)
        await reception.endConversation(with: PeerID(row: 1))
        #expect(isAccepted(await reception.verify(second)))
    }

    @Test("who comes back into a conversation is not asked about", arguments: Reception.Policy.allCases)
    func comesBack(policy: Reception.Policy) async throws {
        let host = ScriptedHost([])
        let peer = try peer()
        let reception = reception(policy, host, book: FixedBook(try Circumstance.met.trust(in: peer.identity)))
        #expect(await reception.beginConversation(with: PeerID(row: 1)))
        await reception.connection(with: PeerID(row: 1), isLost: true)
        #expect(await reception.verify(peer) == .accept(.policy))
        #expect(host.questions == 0 && host.told.isEmpty)
        await reception.endConversation(with: PeerID(row: 1))
        #expect(isAccepted(await reception.verify(peer)) == (policy == .all))
    }

    @Test(
        "a conversation that is running or was lost makes no key acceptable that its peer has given up",
        arguments: [true, false], Reception.Policy.allCases)
    func oldKeyOfConversation(isLost: Bool, policy: Reception.Policy) async throws {
        let store = try Store.inMemory()
        let host = ScriptedHost(["yes", "yes", "yes"])
        let reception = Reception(
            policy: policy, book: StorePeerBook(store: store, time: .system), host: host, patience: .seconds(30),
            capacity: 2)
        let (old, new, stolen) = (try peer("Ada"), try peer("Ada"), try peer("Ada"))
        let ada = try await store.accept(old.identity, name: "Ada", at: Date()).id
        #expect(await reception.beginConversation(with: ada))
        await reception.connection(with: ada, isLost: isLost)
        // She comes back with a new identity.
        let successor = Peer(
            name: "Ada", identity: new.identity, version: "", capabilities: [], formerKeys: [old.identity])
        #expect(isAccepted(await reception.verify(successor)))
        try await store.moveTrust(from: old.identity, to: new.identity, at: Date())
        #expect(isAccepted(await reception.verify(new)))
        // Then comes whoever has stolen the old one.
        #expect(!isAccepted(await reception.verify(old)))
        #expect(host.told.contains("HAS GIVEN UP THIS KEY"))
        let thief = Peer(
            name: "Ada", identity: stolen.identity, version: "", capabilities: [], formerKeys: [old.identity])
        #expect(!isAccepted(await reception.verify(thief)))
        #expect(host.questions == 0)
    }

    @Test("a key that is given up while the person is asked about it is refused in spite of the answer")
    func givenUpWhileAsked() async throws {
        let store = try Store.inMemory()
        let (old, new) = (try peer("Ada"), try peer("Ada"))
        try await store.accept(old.identity, name: "Ada", at: Date(timeIntervalSinceNow: -30 * 86_400))
        let host = RotatingHost {
            _ = try? await store.moveTrust(from: old.identity, to: new.identity, at: Date())
        }
        let reception = Reception(
            policy: .ask, book: StorePeerBook(store: store, time: .system), host: host, patience: .seconds(30),
            capacity: 2)
        #expect(!isAccepted(await reception.verify(old)))
        #expect(try await store.peers().map(\.key) == [new.identity])
    }

    /// A person who says yes, after something has happened.
    private struct RotatingHost: Reception.Host {
        let canAnswer = true
        let happens: @Sendable () async -> Void

        init(_ happens: @escaping @Sendable () async -> Void) {
            self.happens = happens
        }

        func tell(_ text: String, _ look: Style.Look) async {}

        func ask(_ prompt: String, about subject: PublicIdentity) async -> String? {
            await happens()
            return "y"
        }

        func withdrawQuestion() async {}
    }

    @Test("who is lost holds up nobody, but not any number of them is kept")
    func lost() async throws {
        let reception = reception(.all, ScriptedHost([]))
        let ids = (0..<3).map { PeerID(row: $0) }
        #expect(await reception.beginConversation(with: ids[0]))
        #expect(!isAccepted(await reception.verify(try peer("1"))))
        await reception.connection(with: ids[0], isLost: true)
        #expect(isAccepted(await reception.verify(try peer("1"))))
        #expect(await reception.beginConversation(with: ids[1]))
        await reception.connection(with: ids[1], isLost: true)
        #expect(!isAccepted(await reception.verify(try peer("2"))))
        await reception.endConversation(with: ids[0])
        #expect(isAccepted(await reception.verify(try peer("2"))))
    }

    @Test("a second stranger is not asked about while the first one is, and a conversation takes the question back")
    func oneQuestion() async throws {
        let host = ScriptedHost([], waits: true)
        let reception = reception(.ask, host)
        let (first, second) = (try peer("first"), try peer("second"))
        async let verdict = reception.verify(first)
        _ = await host.asked.wait()
        #expect(!isAccepted(await reception.verify(second)))
        #expect(await reception.beginConversation(with: PeerID(row: 2)))
        #expect(!isAccepted(await verdict))
    }

    @Test("when the book cannot be read, nobody is accepted", arguments: Reception.Policy.allCases)
    func brokenBook(policy: Reception.Policy) async throws {
        let verdict = await reception(policy, ScriptedHost(["yes"]), book: FixedBook(nil)).verify(
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
