import Kamune
import KamuneStore
import KamuneTerminal

/// Decides whom to talk to: asks the book of known peers, and the person when the book does not know.
actor Reception: PeerVerifier {
    /// How strict to be with peers who are not known.
    enum Policy: String, Sendable, CaseIterable {
        case ask, known, all
    }

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

    private let policy: Policy
    private let book: any PeerBook
    private let host: any Host
    /// How long a handshake may take, a person's answer included; only told.
    private let patience: Duration
    /// How many conversations may go on at once.
    private let capacity: Int

    /// How many peers of one name are shown with their keys.
    private static let conflictsShown = 3

    /// With whom there are conversations, and whether their connections are lost at the moment.
    private var conversations: [PeerID: Bool] = [:]
    private var isAsking = false
    private var knownNames: [PeerID: String] = [:]

    init(
        policy: Policy, book: any PeerBook, host: any Host, patience: Duration, capacity: Int = 1
    ) {
        self.policy = policy
        self.book = book
        self.host = host
        self.patience = patience
        self.capacity = capacity
    }

    // MARK: Conversations

    /// Takes one of the places. False when all are taken. Who is lost at the moment holds up nobody else.
    func beginConversation(with peer: PeerID) async -> Bool {
        guard conversations[peer] != nil || hasRoom else { return false }
        conversations[peer] = false
        if !hasRoom, isAsking { await host.withdrawQuestion() }
        return true
    }

    /// The connection with somebody is lost, or back.
    func connection(with peer: PeerID, isLost: Bool) {
        if conversations[peer] != nil { conversations[peer] = isLost }
    }

    /// Whether there is a conversation with somebody whose connection is lost.
    func isLost(_ peer: PeerID) -> Bool { conversations[peer] ?? false }

    func endConversation(with peer: PeerID) {
        conversations[peer] = nil
    }

    /// Whether one more may begin. Those that are lost are kept for when they come back, but not without limit.
    private var hasRoom: Bool {
        conversations.values.count { !$0 } < capacity && conversations.count < 2 * capacity
    }

    /// The name under which an accepted peer was known when they came; nil for who was not, or was not asked about.
    func knownName(of peer: PeerID) -> String? { knownNames[peer] }

    // MARK: Verification

    func verify(_ peer: Peer) async -> Verdict {
        let trust: Trust
        do {
            trust = try await book.trust(in: peer)
        } catch {
            return .refuse(reason: "Nobody was accepted: \(error)")
        }
        // Who comes back into a conversation was accepted at its beginning, and nothing speaks against the key since.
        if let known = trust.acquaintance, conversations[known.id] != nil { return .accept(.policy) }
        guard hasRoom || trust.isAlarm else {
            return .refuse(reason: "“\(PeerName.claimed(by: peer))” was refused, because a conversation is under way.")
        }
        switch trust {
        case .known(let known): return await acceptKnown(peer, as: known)
        case .expired(let known): return await decide(on: peer, expired: known)
        case .met(let known): return await decide(on: peer, met: known)
        case .unknown: return await decide(on: peer)
        case .changed(let known): return await decide(on: peer, changedFrom: known)
        case .retired(let known): return await decide(on: peer, retiredBy: known)
        case .forked(let known): return await decide(on: peer, forkedFrom: known)
        case .blocked(let known):
            return .refuse(reason: "“\(known.name)” was refused, because you have blocked this peer.")
        }
    }

    private func acceptKnown(_ peer: Peer, as known: KnownPeer) async -> Verdict {
        knownNames[known.id] = known.name
        await tellSuccession(of: known, to: peer)
        let claimed = PeerName.shown(for: peer)
        if !KnownPeer.isSame(known.givenName, claimed.description), !KnownPeer.isSame(known.name, claimed.description) {
            await host.tell("“\(known.name)” is known, and now calls itself “\(claimed)”.", .faint)
        }
        return .accept(policy == .all ? .policy : .known)
    }

    /// Tells of a new identity, once the old one is seen to vouch for it. That the peer has the new one is proven when the
    /// session is established; then the trust and the history go over, and this is told no more.
    private func tellSuccession(of known: KnownPeer, to peer: Peer) async {
        if known.identity == peer.identity { return }
        await host.tell(
            "“\(known.name)” has taken a new identity, and the old one vouches for it: "
                + "\(known.identity.fingerprint.sum) is now \(peer.identity.fingerprint.sum).", .strong)
    }

    private func decide(on peer: Peer, expired known: KnownPeer) async -> Verdict {
        let day = Times.localDay(known.accepted)
        let isSame = known.identity == peer.identity
        let key = isSame ? "the same key as before" : "a new key, for which the old one vouches"
        let sentence =
            "This is “\(known.name)”, with \(key). You accepted it on \(day), and after so long you are asked again."
        switch policy {
        case .all:
            knownNames[known.id] = known.name
            await tellSuccession(of: known, to: peer)
            return .accept(.policy)
        case .ask where host.canAnswer:
            knownNames[known.id] = known.name
            await tellSuccession(of: known, to: peer)
            return await ask(
                peer, ([sentence] + FingerprintCard.rows(peer.identity)).joined(separator: "\n"), .strong,
                needs: ["y", "yes"], choices: "y/n")
        case .ask, .known:
            return .refuse(
                reason:
                    "\(sentence) Accept it again in a terminal, by “kamune peers verify”, or let trust last longer by "
                    + "“kamune peers expiry”.")
        }
    }

    private func decide(on peer: Peer, met known: KnownPeer) async -> Verdict {
        if policy == .all {
            await tellSuccession(of: known, to: peer)
            await host.tell(
                known.identity == peer.identity
                    ? "“\(known.name)” has the same key as before, which you have never accepted (--verify all)."
                    : "You have never accepted either of these keys (--verify all).", .faint)
            return .accept(.policy)
        }
        return await decide(on: peer, heading: "You have talked with this peer before, but never accepted the key:")
    }

    private func decide(on peer: Peer, retiredBy known: KnownPeer) async -> Verdict {
        let text =
            [
                "WARNING: “\(known.name)” HAS GIVEN UP THIS KEY FOR ANOTHER.",
                "Whoever shows it now may have stolen it. The key that “\(known.name)” has now:",
            ] + FingerprintCard.rows(known.identity) + ["The key that is shown:"] + FingerprintCard.rows(peer.identity)
        await host.tell(text.joined(separator: "\n"), .warning)
        return .refuse(reason: "“\(known.name)” has given up this key for another, so it was refused.")
    }

    private func decide(on peer: Peer, forkedFrom known: KnownPeer) async -> Verdict {
        let text =
            [
                "WARNING: AN OLD KEY OF “\(known.name)” VOUCHES FOR TWO NEW ONES.",
                "“\(known.name)” has given it up for another before, so whoever shows this one may have stolen it. The key "
                    + "that “\(known.name)” has now:",
            ] + FingerprintCard.rows(known.identity) + ["The key that is shown:"] + FingerprintCard.rows(peer.identity)
        await host.tell(text.joined(separator: "\n"), .warning)
        return .refuse(
            reason:
                "An old key of “\(known.name)” vouches for two new ones, so this one was refused; see the warning above."
        )
    }

    private func decide(
        on peer: Peer, heading: String = "You have not met this peer before:"
    ) async -> Verdict {
        let name = PeerName.claimed(by: peer)
        let card = FingerprintCard.rows(peer.identity, name: name.description)
        switch policy {
        case .all:
            await host.tell(
                (["This peer is not known, and was accepted unseen (--verify all):"] + card).joined(separator: "\n"),
                .faint)
            return .accept(.policy)
        case .known:
            await host.tell((["This peer is not known:"] + card).joined(separator: "\n"), .faint)
            return .refuse(reason: "“\(name)” is not known, and only known peers are accepted (--verify known).")
        case .ask:
            guard host.canAnswer else {
                await host.tell((["This peer is not known:"] + card).joined(separator: "\n"), .faint)
                return .refuse(
                    reason: "“\(name)” is not known, and without a terminal nobody can be asked. Accept it once in a "
                        + "terminal, or say --verify all to talk to anybody.")
            }
            let text =
                [heading] + card + [
                    "Compare one of these forms with what the other side sees by “kamune identity show”, over a channel that",
                    "you trust, such as a phone call. The other side waits for \(patience.components.seconds) s; if that is too short,",
                    "compare first and connect again.",
                ]
            return await ask(peer, text.joined(separator: "\n"), .strong, needs: ["y", "yes"], choices: "y/n")
        }
    }

    private func decide(on peer: Peer, changedFrom known: [KnownPeer]) async -> Verdict {
        let name = PeerName.claimed(by: peer)
        let text =
            [
                "WARNING: “\(name)” IS KNOWN WITH ANOTHER KEY.",
                "Either this person has made a new identity, or SOMEBODY PRETENDS TO BE THIS PERSON.",
                known.count == 1 ? "The key that you accepted before:" : "The keys that you accepted before:",
            ] + known.prefix(Self.conflictsShown).flatMap { FingerprintCard.rows($0.identity) } + [
                "The key that is shown now:"
            ] + FingerprintCard.rows(peer.identity)
        switch policy {
        case .all:
            await host.tell((text + ["It was accepted all the same (--verify all)."]).joined(separator: "\n"), .warning)
            return .accept(.policy)
        case .ask where host.canAnswer:
            let advice =
                "Ask this person over another channel before you accept. Who has the old key stays known, "
                + "until you say “kamune peers block” or “forget”."
            return await ask(
                peer, (text + [advice]).joined(separator: "\n"), .warning, needs: ["yes"],
                choices: "type yes to accept, n to refuse")
        case .ask, .known:
            await host.tell(text.joined(separator: "\n"), .warning)
            return .refuse(reason: "“\(name)” is known with another key, so it was refused; see the warning above.")
        }
    }

    private func ask(
        _ peer: Peer, _ text: String, _ look: Style.Look, needs: Set<String>, choices: String
    ) async -> Verdict {
        let name = PeerName.claimed(by: peer)
        guard !isAsking else {
            return .refuse(
                reason: "“\(name)” was refused, because the question about another peer is not answered yet.")
        }
        isAsking = true
        defer { isAsking = false }
        await host.tell(text, look)
        let prompt = "Talk with “\(name)”? (\(choices)) "
        while let line = await host.ask(prompt, about: peer.identity) {
            let answer = line.lowercased().filter { !$0.isWhitespace }
            if needs.contains(answer) { return await accept(peer) }
            if ["n", "no"].contains(answer) { return .refuse(reason: "You refused “\(name)”.") }
        }
        if Task.isCancelled { await host.tell("“\(name)” has gone, or the time was over.", .faint) }
        return .refuse(reason: "“\(name)” was refused, because nobody answered the question.")
    }

    private func accept(_ peer: Peer) async -> Verdict {
        guard hasRoom else {
            return .refuse(reason: "“\(PeerName.claimed(by: peer))” came too late: a conversation is under way.")
        }
        await host.tell("Accepted. The other side may have to accept you, too.", .faint)
        do {
            try await book.remember(peer)
        } catch StoreError.refused(let refusal) {
            return .refuse(reason: "“\(PeerName.claimed(by: peer))” was refused after all: \(refusal)")
        } catch {
            await host.tell("This peer could not be remembered, so you will be asked again: \(error)", .warning)
        }
        return .accept(.person)
    }
}
