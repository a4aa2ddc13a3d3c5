import Kamune

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
        /// What the person types; nil when nobody answers.
        func ask(_ prompt: String) async -> String?
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

    private var conversations = 0
    private var isAsking = false
    private var knownNames: [PublicIdentity: String] = [:]

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

    /// Takes one of the places. False when all are taken.
    func beginConversation() async -> Bool {
        guard conversations < capacity else { return false }
        conversations += 1
        if conversations == capacity, isAsking { await host.withdrawQuestion() }
        return true
    }

    func endConversation() {
        conversations -= 1
    }

    /// What an accepted peer is called.
    func name(of peer: Peer) -> DisplayText {
        PeerName.shown(for: peer, knownAs: knownNames[peer.identity])
    }

    // MARK: Verification

    func verify(_ peer: Peer) async -> Verdict {
        guard conversations < capacity else {
            return .refuse(reason: "“\(PeerName.claimed(by: peer))” was refused, because a conversation is under way.")
        }
        let trust: Trust
        do {
            trust = try await book.trust(in: peer.identity, name: PeerName.shown(for: peer).description)
        } catch {
            return .refuse(reason: "Nobody was accepted: \(error)")
        }
        switch trust {
        case .known(let name): return await acceptKnown(peer, as: name)
        case .unknown: return await decide(on: peer)
        case .changed(let known): return await decide(on: peer, changedFrom: known)
        }
    }

    private func acceptKnown(_ peer: Peer, as name: String) async -> Verdict {
        knownNames[peer.identity] = name
        let claimed = PeerName.shown(for: peer)
        if !KnownPeer.isSame(name, claimed.description) {
            await host.tell("“\(name)” is known, and now calls itself “\(claimed)”.", .faint)
        }
        return .accept
    }

    private func decide(on peer: Peer) async -> Verdict {
        let name = PeerName.claimed(by: peer)
        let card = FingerprintCard.rows(peer.identity, name: name.description)
        switch policy {
        case .all:
            await host.tell(
                (["This peer is not known, and was accepted unseen (--verify all):"] + card).joined(separator: "\n"),
                .faint)
            return .accept
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
                ["You have not met this peer before:"] + card + [
                    "Compare one of these forms with what the other side sees by “kamune identity show”, over a channel that",
                    "you trust, such as a phone call. The other side waits for \(patience.components.seconds) s; if that is too short,",
                    "compare first and connect again.",
                ]
            return await ask(peer, text.joined(separator: "\n"), .strong, needs: ["y", "yes"], choices: "y/n")
        }
    }

    private func decide(on peer: Peer, changedFrom known: PublicIdentity) async -> Verdict {
        let name = PeerName.claimed(by: peer)
        let text =
            [
                "WARNING: “\(name)” IS KNOWN WITH ANOTHER KEY.",
                "Either this person has made a new identity, or SOMEBODY PRETENDS TO BE THIS PERSON.",
                "The key that you accepted before:",
            ] + FingerprintCard.rows(known) + ["The key that is shown now:"] + FingerprintCard.rows(peer.identity)
        switch policy {
        case .all:
            await host.tell((text + ["It was accepted all the same (--verify all)."]).joined(separator: "\n"), .warning)
            return .accept
        case .ask where host.canAnswer:
            let advice = "Ask this person over another channel before you accept. The old key is forgotten then."
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
        while let line = await host.ask(prompt) {
            let answer = line.lowercased().filter { !$0.isWhitespace }
            if needs.contains(answer) { return await accept(peer) }
            if ["n", "no"].contains(answer) { return .refuse(reason: "You refused “\(name)”.") }
        }
        if Task.isCancelled { await host.tell("“\(name)” has gone, or the time was over.", .faint) }
        return .refuse(reason: "“\(name)” was refused, because nobody answered the question.")
    }

    private func accept(_ peer: Peer) async -> Verdict {
        guard conversations < capacity else {
            return .refuse(reason: "“\(PeerName.claimed(by: peer))” came too late: a conversation is under way.")
        }
        await host.tell("Accepted. The other side may have to accept you, too.", .faint)
        do {
            try await book.remember(peer.identity, name: PeerName.shown(for: peer).description)
        } catch {
            await host.tell("This peer could not be remembered, so you will be asked again: \(error)", .warning)
        }
        return .accept
    }
}
