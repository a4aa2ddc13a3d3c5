import Kamune
import KamuneNode
import KamuneSystem

/// Lets peers in, or not: has the machine decide, asks the book of known peers and the person on its behalf, and says what
/// there is to say.
actor Reception: PeerVerifier {
    /// The person who is asked, and told.
    protocol Host: Sendable {
        /// Whether somebody is there to answer.
        var canAnswer: Bool { get }
        func tell(_ text: String, _ look: Style.Look) async
        /// What the person types about somebody; nil when nobody answers.
        func ask(_ prompt: String, about subject: PublicIdentity) async -> String?
        /// Takes back a question that is being asked.
        func withdrawQuestion() async
    }

    private var machine: AdmissionMachine
    private let book: any PeerBook
    private let host: any Host
    private let time: any TimeSource
    /// Whether strangers whom nobody decides about wait in the list of requests: those who come, not those who are dialed.
    private let letsWait: Bool
    /// How long a handshake may take, a person's answer included; only told.
    private let patience: Duration

    /// - Parameter capacity: How many conversations may go on at once.
    init(
        rule: AdmissionRule, book: any PeerBook, host: any Host, time: any TimeSource, patience: Duration,
        capacity: Int = 1, letsWait: Bool = false
    ) {
        self.letsWait = letsWait
        machine = AdmissionMachine(rule: rule, canAsk: host.canAnswer, capacity: capacity)
        self.book = book
        self.host = host
        self.time = time
        self.patience = patience
    }

    // MARK: Conversations

    /// A conversation begins, or its connection is back. False when every place is taken: then it is to be closed.
    func connected(_ peer: ContactID) async -> Bool {
        switch machine.connected(peer) {
        case .begun: return true
        case .begunWithdrawingQuestion:
            await host.withdrawQuestion()
            return true
        case .refused: return false
        }
    }

    /// The connection of a conversation is lost.
    func lost(_ peer: ContactID) { machine.lost(peer) }

    /// A conversation is over.
    func ended(_ peer: ContactID) { machine.ended(peer) }

    /// Whether the connection of a conversation is lost at the moment.
    func isLost(_ peer: ContactID) -> Bool { machine.isLost(peer) }

    // MARK: Verification

    func verify(_ peer: Peer) async -> Verdict {
        let trust: Trust
        do throws(NodeError) {
            trust = try await book.trust(in: peer)
        } catch {
            return Refusal.unreadable(error).verdict(letsWait: letsWait)
        }
        let (id, decision) = machine.introduced(peer, as: trust, at: time.monotonic)
        switch decision {
        case .accept(let grounds, let notices):
            await tell(notices)
            return .accept(grounds)
        case .refuse(let refusal, let notices):
            await tell(notices)
            return refusal.verdict(letsWait: letsWait)
        case .ask(let question, let notices, let withdrawsOther):
            if withdrawsOther { await host.withdrawQuestion() }
            await tell(notices)
            return await ask(id, peer, question)
        }
    }

    private func ask(_ id: ApplicantID, _ peer: Peer, _ question: Question) async -> Verdict {
        let words = question.words(patience: patience)
        await host.tell(words.text, words.look)
        while let line = await host.ask(question.prompt, about: peer.identity) {
            switch machine.answered(id, peer, question.meaning(of: line)) {
            case .askAgain: continue
            case .refuse(let refusal): return refusal.verdict(letsWait: letsWait)
            case .accept(let grounds, let notices):
                await tell(notices)
                return .accept(grounds)
            }
        }
        if Task.isCancelled {
            await host.tell("“\(PeerName.claimed(by: peer))” has gone, or the time was over.", .faint)
        }
        return machine.unanswered(id, peer).verdict(letsWait: letsWait)
    }

    private func tell(_ notices: [Notice]) async {
        for notice in notices {
            let words = notice.words
            await host.tell(words.text, words.look)
        }
    }
}

extension Refusal {
    /// Our program says why, and the other side is told as much as concerns it. Who is blocked hears what it would hear of
    /// somebody who is away.
    fileprivate func verdict(letsWait: Bool) -> Verdict {
        switch self {
        case .busy, .questionPending, .tooMany: .refuse(reason: words, telling: .busy)
        // Who comes while nobody answers waits in the list of requests.
        case .nobodyToAsk where letsWait, .unanswered where letsWait: .wait
        case .nobodyToAsk, .unanswered: .refuse(reason: words, telling: .away)
        case .tooLate, .blocked: .refuse(reason: words, telling: .away)
        case .retired, .forked, .expired, .changed, .unknown, .byPerson: .refuse(reason: words, telling: .refused)
        case .unreadable: .refuse(reason: words, telling: .unspecified)
        }
    }
}
