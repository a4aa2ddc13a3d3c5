import Kamune
import KamuneNode
import KamuneTerminal

/// How strict to be with peers who are not known.
enum AdmissionRule: String, Sendable, CaseIterable {
    case ask, known, all
}

/// One attempt of somebody to be let in.
struct ApplicantID: Hashable, Sendable {
    let number: UInt64
}

/// Who is let in: a state machine that knows neither words nor terminals nor the book of peers. What happens goes in, and
/// what is to be done comes out.
///
/// Whoever comes is judged anew each time, also who comes back into a conversation. A question is about one attempt of one
/// peer; when that is over, no answer to it counts.
struct AdmissionMachine: Sendable {
    private struct Asked {
        let id: ApplicantID
        let question: Question
        /// Whom the book takes them for.
        let acquaintance: ContactID?
    }

    private let rule: AdmissionRule
    /// Whether somebody is there to answer.
    private let canAsk: Bool
    private var registry: ConversationRegistry
    private var asked: Asked?
    private var lastID: UInt64 = 0
    // Cards of strangers must not keep a warning from being seen.
    private var cards = ReportLimiter()
    private var warnings = ReportLimiter()
    private var thefts = ReportLimiter()
    /// Strangers must not keep the person from being asked about a friend again.
    private var renewals = ReportLimiter()

    /// - Parameter capacity: How many conversations may go on at once.
    init(rule: AdmissionRule, canAsk: Bool, capacity: Int = 1) {
        self.rule = rule
        self.canAsk = canAsk
        registry = ConversationRegistry(capacity: capacity)
    }

    // MARK: Who comes

    /// What is to be done about somebody.
    enum Decision: Equatable, Sendable {
        case accept(AcceptanceGrounds, telling: [Notice] = [])
        case refuse(Refusal, telling: [Notice] = [])
        /// The person decides: see ``answered(_:_:)``. A question that is being asked is taken back first, if so said.
        case ask(Question, telling: [Notice] = [], withdrawingOther: Bool = false)
    }

    /// Somebody has introduced themselves, and the book has told what is known of them.
    ///
    /// - Parameter now: By a clock that never goes back.
    mutating func introduced(_ peer: Peer, as trust: Trust, at now: Duration) -> (ApplicantID, Decision) {
        lastID += 1
        let id = ApplicantID(number: lastID)
        return (id, judge(id, peer, as: trust, at: now))
    }

    private mutating func judge(_ id: ApplicantID, _ peer: Peer, as trust: Trust, at now: Duration) -> Decision {
        switch (trust, busy(for: peer, trust.acquaintance)) {
        // That a key may be stolen is told even when there is no room.
        case (.retired(let known), _):
            return .refuse(.retired(known), telling: warn(.retired(peer, by: known), at: now))
        case (.forked(let known), _):
            return .refuse(.forked(known), telling: warn(.forked(peer, from: known), at: now))
        case (.blocked(let known), _): return .refuse(.blocked(known))
        case (_, let refusal?): return .refuse(refusal)
        case (.known(let known), nil):
            let grounds: AcceptanceGrounds = rule == .all ? .policy : .known
            return .accept(grounds, telling: show(news(of: known, as: peer), at: now))
        case (.expired(let known), nil): return expired(id, peer, known, at: now)
        case (.met(let known), nil): return met(id, peer, known, at: now)
        case (.unknown, nil): return stranger(id, peer, .unknown(peer), at: now)
        case (.changed(let known), nil): return changed(id, peer, known, at: now)
        }
    }

    private func busy(for peer: Peer, _ acquaintance: ContactID?) -> Refusal? {
        registry.hasRoom || acquaintance.map { registry.contains($0) } ?? false ? nil : .busy(peer)
    }

    private mutating func met(_ id: ApplicantID, _ peer: Peer, _ known: KnownPeer, at now: Duration) -> Decision {
        guard rule == .all else { return stranger(id, peer, .met(peer, known), at: now) }
        // Who comes back into a conversation was told of before.
        if registry.contains(known.id) { return .accept(.policy) }
        return .accept(.policy, telling: show([.acceptedAgain(peer, as: known)], at: now))
    }

    private mutating func expired(_ id: ApplicantID, _ peer: Peer, _ known: KnownPeer, at now: Duration) -> Decision {
        switch rule {
        case .all: return .accept(.policy, telling: show(succession(of: known, to: peer), at: now))
        case .ask where canAsk: return ask(id, .expired(peer, known), at: now)
        case .ask, .known: return .refuse(.expired(peer, known))
        }
    }

    /// - Parameter question: What the person is asked, if somebody is.
    private mutating func stranger(
        _ id: ApplicantID, _ peer: Peer, _ question: Question, at now: Duration
    ) -> Decision {
        switch rule {
        case .all: return .accept(.policy, telling: show([.acceptedUnseen(peer)], at: now))
        case .known: return .refuse(.unknown(peer), telling: show([.unknown(peer)], at: now))
        case .ask:
            guard canAsk else { return .refuse(.nobodyToAsk(peer), telling: show([.unknown(peer)], at: now)) }
            return ask(id, question, at: now)
        }
    }

    private mutating func changed(_ id: ApplicantID, _ peer: Peer, _ known: [KnownPeer], at now: Duration) -> Decision {
        switch rule {
        case .all: return .accept(.policy, telling: warn(.acceptedChanged(peer, from: known), at: now))
        case .ask where canAsk: return ask(id, .changed(peer, from: known), at: now)
        case .ask, .known: return .refuse(.changed(peer), telling: warn(.changed(peer, from: known), at: now))
        }
    }

    private mutating func ask(
        _ id: ApplicantID, _ question: Question, at now: Duration
    ) -> Decision {
        let withdraws = asked != nil
        // A stranger's question does not keep the person from being asked about a friend.
        if let other = asked?.question, !question.isAboutFriend || other.isAboutFriend {
            return .refuse(.questionPending(question.peer))
        }
        let known = question.acquaintance
        let notices = known.map { succession(of: $0, to: question.peer) } ?? []
        // Whoever comes again and again must not fill the screen with questions.
        let admission =
            if case .expired = question { renewals.admit(at: now) } else { cards.admit(at: now) }
        switch admission {
        case .tell(let missed):
            asked = Asked(id: id, question: question, acquaintance: known?.id)
            return .ask(
                question, telling: (missed > 0 ? [.missed(missed)] : []) + notices, withdrawingOther: withdraws)
        case .tellLast: return .refuse(.tooMany(question.peer), telling: [.tooMany])
        case .drop: return .refuse(.tooMany(question.peer))
        }
    }

    // MARK: What the person says

    /// What is typed in answer to a question.
    enum Answer: Sendable {
        case yes, no, other
    }

    /// What follows from an answer.
    enum Outcome: Equatable, Sendable {
        case accept(AcceptanceGrounds, telling: [Notice])
        case refuse(Refusal)
        case askAgain
    }

    /// The person has answered.
    ///
    /// - Parameter peer: Whose attempt it is.
    mutating func answered(_ id: ApplicantID, _ peer: Peer, _ answer: Answer) -> Outcome {
        guard let asked, asked.id == id else { return .refuse(.tooLate(peer)) }
        switch answer {
        case .other: return .askAgain
        case .no:
            self.asked = nil
            return .refuse(.byPerson(peer))
        case .yes:
            self.asked = nil
            guard busy(for: peer, asked.acquaintance) == nil else { return .refuse(.tooLate(peer)) }
            return .accept(.person, telling: [.accepted])
        }
    }

    /// Nobody has answered, and nobody will: the question was taken back, the peer has gone, or the input has ended.
    mutating func unanswered(_ id: ApplicantID, _ peer: Peer) -> Refusal {
        if asked?.id == id { asked = nil }
        return .unanswered(peer)
    }

    // MARK: Conversations

    /// What the beginning of a conversation means.
    enum Beginning: Equatable, Sendable {
        case begun
        /// There is room for nobody else any more, so the question that is asked is taken back.
        case begunWithdrawingQuestion
        /// Every place is taken.
        case refused
    }

    /// A conversation begins, or its connection is back.
    mutating func connected(_ id: ContactID) -> Beginning {
        guard registry.connected(id) else { return .refused }
        guard let asked, busy(for: asked.question.peer, asked.acquaintance) != nil else { return .begun }
        self.asked = nil
        return .begunWithdrawingQuestion
    }

    /// The connection of a conversation is lost.
    mutating func lost(_ id: ContactID) { registry.lost(id) }

    /// A conversation is over.
    mutating func ended(_ id: ContactID) { registry.ended(id) }

    /// Whether the connection of a conversation is lost at the moment.
    func isLost(_ id: ContactID) -> Bool { registry.isLost(id) }

    // MARK: What is told

    private func succession(of known: KnownPeer, to peer: Peer) -> [Notice] {
        // That the peer has the new key is proven when the session is established; then it is the one that is known.
        known.identity == peer.identity ? [] : [.succession(known, to: peer)]
    }

    private func news(of known: KnownPeer, as peer: Peer) -> [Notice] {
        let claimed = PeerName.shown(for: peer).description
        let isRenamed = !KnownPeer.isSame(known.givenName, claimed) && !KnownPeer.isSame(known.name, claimed)
        return succession(of: known, to: peer) + (isRenamed ? [.renamed(known, to: peer)] : [])
    }

    private mutating func show(_ notices: [Notice], at now: Duration) -> [Notice] {
        notices.isEmpty ? [] : Self.limited(notices, &cards, at: now)
    }

    private mutating func warn(_ notice: Notice, at now: Duration) -> [Notice] {
        // Anybody can bear a name. Of who shows a key of a friend's the person is told, whatever the others do.
        switch notice {
        case .retired, .forked: Self.limited([notice], &thefts, at: now)
        default: Self.limited([notice], &warnings, at: now)
        }
    }

    private static func limited(_ notices: [Notice], _ limiter: inout ReportLimiter, at now: Duration) -> [Notice] {
        switch limiter.admit(at: now) {
        case .tell(let missed): (missed > 0 ? [.missed(missed)] : []) + notices
        case .tellLast: [.tooMany]
        case .drop: []
        }
    }
}

/// What the person is told about who comes.
enum Notice: Equatable, Sendable {
    /// The person may be asked, or the peer is refused; then this is all there is to see of them.
    case unknown(Peer)
    case acceptedUnseen(Peer)
    case acceptedAgain(Peer, as: KnownPeer)
    case changed(Peer, from: [KnownPeer])
    case acceptedChanged(Peer, from: [KnownPeer])
    /// Old key and new key of a peer who is known.
    case succession(KnownPeer, to: Peer)
    case renamed(KnownPeer, to: Peer)
    case retired(Peer, by: KnownPeer)
    case forked(Peer, from: KnownPeer)
    /// The person has said yes.
    case accepted
    /// So many were not told of.
    case missed(Int)
    /// The next ones are not told of.
    case tooMany
}

/// What the person is asked.
enum Question: Equatable, Sendable {
    case unknown(Peer)
    /// There was a conversation with the key, but nobody ever accepted it.
    case met(Peer, KnownPeer)
    case expired(Peer, KnownPeer)
    case changed(Peer, from: [KnownPeer])

    /// Whom it is about.
    var peer: Peer {
        switch self {
        case .unknown(let peer), .met(let peer, _), .expired(let peer, _), .changed(let peer, _): peer
        }
    }

    /// Whom the book takes them for.
    var acquaintance: KnownPeer? {
        switch self {
        case .met(_, let known), .expired(_, let known): known
        case .unknown, .changed: nil
        }
    }

    /// Whether it is about somebody whom the person has accepted once.
    var isAboutFriend: Bool {
        if case .expired = self { true } else { false }
    }

    /// Whether yes must be spelled out.
    var isGrave: Bool {
        if case .changed = self { true } else { false }
    }

    /// What an answer means.
    func meaning(of line: String) -> AdmissionMachine.Answer {
        switch line.lowercased().filter({ !$0.isWhitespace }) {
        case "yes": .yes
        case "y": isGrave ? .other : .yes
        case "n", "no": .no
        default: .other
        }
    }
}

/// Why somebody is not let in.
enum Refusal: Equatable, Sendable {
    case busy(Peer)
    case blocked(KnownPeer)
    case retired(KnownPeer)
    case forked(KnownPeer)
    case expired(Peer, KnownPeer)
    case changed(Peer)
    case unknown(Peer)
    case nobodyToAsk(Peer)
    case questionPending(Peer)
    case tooMany(Peer)
    case byPerson(Peer)
    case unanswered(Peer)
    /// The answer came when it did not count any more.
    case tooLate(Peer)
    /// The book of known peers cannot be read.
    case unreadable(NodeError)
}
