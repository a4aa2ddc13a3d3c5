import Foundation
import Kamune
import KamuneNode
import KamuneStore
import KamuneTestSupport
import Synchronization
import Testing

@testable import KamuneCommand

@Suite("The reception")
struct ReceptionTests {
    /// A person who gives prepared answers.
    final class ScriptedHost: Reception.Host {
        private let state: Mutex<(answers: [String], told: [String], subjects: [PublicIdentity])>
        let canAnswer: Bool
        /// A question that nobody answers, until it is taken back.
        let waiting = Promise<Void>()
        let asked = Promise<Void>()
        private let waits: Bool

        init(_ answers: [String], canAnswer: Bool = true, waits: Bool = false) {
            state = Mutex((answers, [], []))
            self.canAnswer = canAnswer
            self.waits = waits
        }

        var told: String { state.withLock { $0.told.joined(separator: "\n") } }
        var subjects: [PublicIdentity] { state.withLock { $0.subjects } }

        func tell(_ text: String, _ look: Style.Look) async { state.withLock { $0.told.append(text) } }

        func ask(_ prompt: String, about subject: PublicIdentity) async -> String? {
            let answer = state.withLock { state in
                state.subjects.append(subject)
                return state.answers.isEmpty ? nil : state.answers.removeFirst()
            }
            asked.fulfill(())
            if waits { _ = await waiting.wait() }
            return answer
        }

        func withdrawQuestion() async { waiting.fulfill(()) }
    }

    /// A book that always says the same.
    struct FixedBook: PeerBook {
        /// What is known; nil for a book that cannot be read.
        let trust: Trust?

        func trust(in peer: Peer) throws(NodeError) -> Trust {
            guard let trust else { throw NodeError(.storeUnusable, "The book is damaged.") }
            return trust
        }
    }

    private let people: People

    init() async throws {
        people = try await People()
    }

    private func reception(
        _ rule: AdmissionRule, _ host: ScriptedHost, _ trust: Trust? = .unknown
    ) -> Reception {
        Reception(
            rule: rule, book: FixedBook(trust: trust), host: host, time: ManualClock(), patience: .seconds(30))
    }

    @Test("a stranger is shown, and the person is asked until they answer")
    func asking() async {
        let host = ScriptedHost(["what?", "", "y"])
        #expect(await reception(.ask, host).verify(people.ada) == .accept(.person))
        #expect(host.subjects == [people.ada.identity, people.ada.identity, people.ada.identity])
        #expect(host.told.contains("You have not met this peer before") && host.told.contains("Accepted."))
        #expect(host.told.contains(people.ada.identity.fingerprint.sum))
        let other = ScriptedHost(["no"])
        #expect(
            await reception(.ask, other).verify(people.ada) == .refuse(reason: "You refused “Ada”.", telling: .refused))
    }

    @Test("who is known is let in because of that, and nothing is said")
    func known() async {
        let host = ScriptedHost([])
        #expect(await reception(.ask, host, .known(people.known)).verify(people.ada) == .accept(.known))
        #expect(host.told.isEmpty && host.subjects.isEmpty)
    }

    @Test("when the book cannot be read, nobody is let in", arguments: AdmissionRule.allCases)
    func brokenBook(rule: AdmissionRule) async {
        guard
            case .refuse(let reason, .unspecified) = await reception(rule, ScriptedHost(["yes"]), nil).verify(
                people.ada)
        else {
            Issue.record("let in")
            return
        }
        #expect(reason.contains("Nobody was accepted"))
    }

    @Test("a yes that comes when a conversation has taken the place is too late")
    func tooLate() async {
        let host = ScriptedHost(["y"], waits: true)
        let reception = reception(.ask, host)
        async let verdict = reception.verify(people.ada)
        _ = await host.asked.wait()
        // Takes the question back; the answer comes all the same.
        #expect(await reception.connected(people.bobID))
        #expect(await verdict == .refuse(reason: "“Ada” was refused: the answer came too late.", telling: .away))
    }

    @Test("a conversation that finds no place is told so")
    func places() async {
        let reception = reception(.all, ScriptedHost([]))
        #expect(await reception.connected(people.bobID))
        #expect(await !reception.connected(people.carolID))
        await reception.lost(people.bobID)
        #expect(await reception.isLost(people.bobID))
        #expect(await reception.connected(people.carolID))
        await reception.ended(people.carolID)
        #expect(await !reception.isLost(people.carolID))
    }
}
