import Foundation
import Kamune
import KamuneNode
import KamuneStore
import Testing

@testable import KamuneCommand

@Suite("Who is let in")
struct AdmissionMachineTests {
    /// What the book knows.
    enum Standing: CaseIterable {
        case unknown, known, knownByFormerKey, expired, met, changed, blocked, retired, forked
    }

    /// What is to be done.
    enum Expected: Equatable {
        case known, policy, asked, refused
    }

    private let people: People

    init() async throws {
        people = try await People()
    }

    private func decide(
        _ rule: AdmissionRule, _ standing: Standing, canAsk: Bool
    ) -> AdmissionMachine.Decision {
        var machine = AdmissionMachine(rule: rule, canAsk: canAsk)
        return machine.introduced(people.ada, as: people.trust(standing), at: .zero).1
    }

    @Test(
        "every rule, whatever is known, and whoever is there to be asked", arguments: AdmissionRule.allCases,
        Standing.allCases)
    func table(rule: AdmissionRule, standing: Standing) {
        let expected: (asking: Expected, alone: Expected) =
            switch (rule, standing) {
            case (_, .blocked), (_, .retired), (_, .forked): (.refused, .refused)
            case (.all, _): (.policy, .policy)
            case (_, .known), (_, .knownByFormerKey): (.known, .known)
            case (.ask, .unknown), (.ask, .expired), (.ask, .met), (.ask, .changed): (.asked, .refused)
            case (.known, .unknown), (.known, .expired), (.known, .met), (.known, .changed): (.refused, .refused)
            }
        for (canAsk, expected) in [(true, expected.asking), (false, expected.alone)] {
            let decision = decide(rule, standing, canAsk: canAsk)
            let actual: Expected =
                switch decision {
                case .accept(.known, _): .known
                case .accept(.policy, _): .policy
                case .accept(.person, _): .refused
                case .ask: .asked
                case .refuse: .refused
                }
            #expect(actual == expected, "\(rule) \(standing) \(canAsk): \(decision)")
        }
    }

    @Test("a theft is told under every rule, and a new identity of a friend's too", arguments: AdmissionRule.allCases)
    func warnings(rule: AdmissionRule) {
        guard case .refuse(.retired, let retired) = decide(rule, .retired, canAsk: true),
            case .refuse(.forked, let forked) = decide(rule, .forked, canAsk: true),
            case .accept(_, let news) = decide(rule, .knownByFormerKey, canAsk: true)
        else {
            Issue.record("not judged so")
            return
        }
        #expect(retired == [.retired(people.ada, by: people.known)])
        #expect(forked == [.forked(people.ada, from: people.known)])
        #expect(news == [.succession(people.knownByFormerKey, to: people.ada)])
    }

    // MARK: Questions

    @Test("the person's yes is about one attempt, and is what the acceptance stands on")
    func yes() {
        var machine = AdmissionMachine(rule: .ask, canAsk: true)
        let (id, _) = machine.introduced(people.ada, as: .unknown, at: .zero)
        #expect(machine.answered(id, people.ada, .other) == .askAgain)
        #expect(machine.answered(id, people.ada, .yes) == .accept(.person, telling: [.accepted]))
        // Once.
        #expect(machine.answered(id, people.ada, .yes) == .refuse(.tooLate(people.ada)))
    }

    @Test("an answer to a question that is not asked any more changes nothing")
    func late() {
        var machine = AdmissionMachine(rule: .ask, canAsk: true)
        let (first, _) = machine.introduced(people.ada, as: .unknown, at: .zero)
        #expect(machine.unanswered(first, people.ada) == .unanswered(people.ada))
        let (second, decision) = machine.introduced(people.bob, as: .unknown, at: .zero)
        #expect(decision == .ask(.unknown(people.bob), telling: []))
        // The person answers the first question, as it happens, while the second stands there.
        #expect(machine.answered(first, people.ada, .yes) == .refuse(.tooLate(people.ada)))
        #expect(machine.unanswered(first, people.ada) == .unanswered(people.ada))
        #expect(machine.answered(second, people.bob, .no) == .refuse(.byPerson(people.bob)))
    }

    @Test("one question at a time, and none when a conversation leaves no room")
    func oneQuestion() {
        var machine = AdmissionMachine(rule: .ask, canAsk: true)
        let (first, _) = machine.introduced(people.ada, as: .unknown, at: .zero)
        #expect(machine.introduced(people.bob, as: .unknown, at: .zero).1 == .refuse(.questionPending(people.bob)))
        #expect(machine.connected(people.carolID) == .begunWithdrawingQuestion)
        #expect(machine.answered(first, people.ada, .yes) == .refuse(.tooLate(people.ada)))
        #expect(machine.introduced(people.bob, as: .unknown, at: .zero).1 == .refuse(.busy(people.bob)))
        // Who says to be somebody that there is room for is heard; and a theft is told in any case.
        #expect(machine.introduced(people.ada, as: .known(people.known), at: .zero).1 == .refuse(.busy(people.ada)))
        guard case .refuse(.retired, let told) = machine.introduced(people.ada, as: people.trust(.retired), at: .zero).1
        else {
            Issue.record("not told")
            return
        }
        #expect(!told.isEmpty)
    }

    @Test(
        "whoever comes again and again fills no screen: not with cards, questions or warnings, which do not hide each other"
    )
    func flood() {
        for (rule, standing) in [
            (AdmissionRule.known, Standing.unknown), (.all, .unknown), (.ask, .unknown), (.known, .retired),
            (.all, .changed),
        ] {
            var machine = AdmissionMachine(rule: rule, canAsk: true)
            var told = 0
            for _ in 0..<1_000 {
                let (id, decision) = machine.introduced(people.ada, as: people.trust(standing), at: .zero)
                switch decision {
                case .accept(_, let notices), .refuse(_, let notices): told += notices.count
                case .ask:
                    told += 1
                    _ = machine.unanswered(id, people.ada)
                }
            }
            #expect(told == ReportLimiter.limit + 1, "\(rule) \(standing)")
        }
        var machine = AdmissionMachine(rule: .known, canAsk: false)
        for _ in 0..<1_000 { _ = machine.introduced(people.bob, as: .unknown, at: .zero) }
        guard case .refuse(_, let notices) = machine.introduced(people.ada, as: people.trust(.forked), at: .zero).1
        else {
            Issue.record("not refused")
            return
        }
        #expect(notices == [.forked(people.ada, from: people.known)])
        // Later they are told of again, with the number of those that were not.
        let later = machine.introduced(people.bob, as: .unknown, at: ReportLimiter.window).1
        #expect(later == .refuse(.unknown(people.bob), telling: [.missed(995), .unknown(people.bob)]))
    }

    @Test("after any number of strangers the person is asked about a friend whose acceptance has lapsed")
    func lapsedFriend() {
        var machine = AdmissionMachine(rule: .ask, canAsk: true)
        for _ in 0..<1_000 {
            let (id, _) = machine.introduced(people.bob, as: .unknown, at: .zero)
            _ = machine.unanswered(id, people.bob)
        }
        #expect(machine.introduced(people.bob, as: .unknown, at: .zero).1 == .refuse(.tooMany(people.bob)))
        let decision = machine.introduced(people.ada, as: .expired(people.known), at: .zero).1
        #expect(decision == .ask(.expired(people.ada, people.known), telling: []))
    }

    @Test("a stranger's question makes way for one about a friend, and no other does")
    func friendBeforeStranger() {
        var machine = AdmissionMachine(rule: .ask, canAsk: true)
        let (stranger, _) = machine.introduced(people.bob, as: .unknown, at: .zero)
        let (friend, decision) = machine.introduced(people.ada, as: .expired(people.known), at: .zero)
        #expect(decision == .ask(.expired(people.ada, people.known), withdrawingOther: true))
        #expect(machine.answered(stranger, people.bob, .yes) == .refuse(.tooLate(people.bob)))
        #expect(machine.unanswered(stranger, people.bob) == .unanswered(people.bob))
        for trust in [Trust.unknown, .met(people.known), .expired(people.other)] {
            #expect(machine.introduced(people.bob, as: trust, at: .zero).1 == .refuse(.questionPending(people.bob)))
        }
        #expect(machine.answered(friend, people.ada, .yes) == .accept(.person, telling: [.accepted]))
    }

    @Test("after any number of people who bear a friend's name the person is told of a theft of the friend's key")
    func theftAmongNamesakes() {
        for standing in [Standing.retired, .forked] {
            var machine = AdmissionMachine(rule: .known, canAsk: true)
            for _ in 0..<1_000 { _ = machine.introduced(people.bob, as: people.trust(.changed), at: .zero) }
            guard case .refuse(_, let notices) = machine.introduced(people.ada, as: people.trust(standing), at: .zero).1
            else {
                Issue.record("not refused")
                return
            }
            #expect(notices.count == 1)
        }
    }

    // MARK: Conversations

    @Test(
        "who comes back into a conversation is judged again, by whom the book takes them for",
        arguments: Standing.allCases)
    func comingBack(standing: Standing) {
        var machine = AdmissionMachine(rule: .ask, canAsk: false)
        #expect(machine.connected(people.known.id) == .begun)
        machine.lost(people.known.id)
        #expect(machine.isLost(people.known.id))
        let (_, decision) = machine.introduced(people.ada, as: people.trust(standing), at: .zero)
        switch standing {
        case .known, .knownByFormerKey:
            guard case .accept(.known, _) = decision else {
                Issue.record("not let in again: \(decision)")
                return
            }
        default:
            guard case .refuse = decision else {
                Issue.record("let in: \(decision)")
                return
            }
        }
    }

    @Test("who is connected keeps the place against everybody else, and who is lost for a while")
    func places() {
        var machine = AdmissionMachine(rule: .all, canAsk: false)
        let (ada, bob, carol) = (people.known.id, people.bobID, people.carolID)
        #expect(machine.connected(ada) == .begun)
        // A stranger's conversation does not take a connected friend's place.
        #expect(machine.connected(bob) == .refused)
        #expect(machine.introduced(people.bob, as: .unknown, at: .zero).1 == .refuse(.busy(people.bob)))
        #expect(machine.connected(ada) == .begun)
        machine.lost(ada)
        #expect(machine.connected(bob) == .begun)
        machine.lost(bob)
        #expect(machine.connected(carol) == .refused)
        machine.ended(ada)
        #expect(machine.connected(carol) == .begun)
        #expect(!machine.isLost(carol) && machine.isLost(bob))
    }

    @Test("what is typed as an answer")
    func meanings() {
        let plain = Question.unknown(people.ada)
        let grave = Question.changed(people.ada, from: [people.known])
        for (line, meaning, graveMeaning) in [
            ("y", "yes", "other"), (" YES ", "yes", "yes"), ("n", "no", "no"), ("No", "no", "no"),
            ("", "other", "other"),
            ("yes please", "other", "other"), ("yy", "other", "other"),
        ] {
            #expect("\(plain.meaning(of: line))" == meaning, "\(line)")
            #expect("\(grave.meaning(of: line))" == graveMeaning, "\(line)")
        }
    }

    @Test(
        "what peers say about themselves cannot steer the terminal, and what is said of keys shows every form of them")
    func words() throws {
        let hostile = Peer(
            name: "A\u{1B}[2J\nYou are safe\u{202E}" + String(repeating: "\u{1100}", count: 20_000),
            identity: people.ada.identity, version: "", capabilities: [])
        let notices: [Notice] = [
            .unknown(hostile), .acceptedUnseen(hostile), .acceptedAgain(hostile, as: people.known),
            .changed(hostile, from: [people.known]), .acceptedChanged(hostile, from: [people.known]),
            .succession(people.known, to: hostile), .renamed(people.known, to: hostile),
            .retired(hostile, by: people.known), .forked(hostile, from: people.known), .accepted, .missed(2), .tooMany,
        ]
        let questions: [Question] = [
            .unknown(hostile), .met(hostile, people.known), .expired(hostile, people.known),
            .changed(hostile, from: [people.known]),
        ]
        let refusals: [Refusal] = [
            .busy(hostile), .changed(hostile), .unknown(hostile), .nobodyToAsk(hostile), .questionPending(hostile),
            .tooMany(hostile), .byPerson(hostile), .unanswered(hostile), .tooLate(hostile),
            .expired(hostile, people.known), .retired(people.known), .forked(people.known), .blocked(people.known),
            .unreadable(NodeError(.storeUnusable, "The disk is full.")),
        ]
        var texts = notices.map { $0.words.text } + refusals.map { $0.words }
        for question in questions { texts += [question.words(patience: .seconds(30)).text, question.prompt] }
        for text in texts {
            #expect(!text.unicodeScalars.contains { ["\u{1B}", "\u{202E}"].contains($0) })
            #expect(!text.contains("\nYou are safe") && text.unicodeScalars.count < 3_000)
        }
        for notice in [Notice.unknown(people.ada), .changed(people.ada, from: [people.known])] {
            let text = notice.words.text
            let fingerprint = people.ada.identity.fingerprint
            for form in [fingerprint.sum, fingerprint.pseudonym, fingerprint.emoji.joined(separator: " ")] {
                #expect(text.contains(form))
            }
        }
    }
}

/// People for tests: Ada, whom one knows in some way or not, Bob and Carol.
struct People {
    let ada: Peer
    let bob: Peer
    let known: KnownPeer
    let knownByFormerKey: KnownPeer
    let other: KnownPeer
    let bobID: ContactID
    let carolID: ContactID

    init() async throws {
        let store = try Store.inMemory()
        let now = Date(timeIntervalSince1970: 1_784_937_599)
        func meet(_ name: String, _ key: PublicIdentity? = nil) async throws -> StoredPeer {
            try await store.accept(try key ?? Identity.generate().publicKey, name: name, at: now)
        }
        let former = try Identity.generate().publicKey
        ada = Peer(
            name: "Ada", identity: try Identity.generate().publicKey, version: "0.7.0", capabilities: [],
            formerKeys: [former])
        bob = Peer(name: "Bob", identity: try Identity.generate().publicKey, version: "0.7.0", capabilities: [])
        known = KnownPeer(ContactInfo(try await meet("Ada", ada.identity)))
        knownByFormerKey = KnownPeer(
            id: known.id, name: "Ada", givenName: "Ada", identity: former, lastTrusted: now)
        other = KnownPeer(ContactInfo(try await meet("Ada")))
        bobID = ContactID(try await meet("Bob", bob.identity).id)
        carolID = ContactID(try await meet("Carol").id)
    }

    func trust(_ standing: AdmissionMachineTests.Standing) -> Trust {
        switch standing {
        case .unknown: .unknown
        case .known: .known(known)
        case .knownByFormerKey: .known(knownByFormerKey)
        case .expired: .expired(known)
        case .met: .met(known)
        case .changed: .changed(known: [other])
        case .blocked: .blocked(known)
        case .retired: .retired(known)
        case .forked: .forked(known)
        }
    }
}
