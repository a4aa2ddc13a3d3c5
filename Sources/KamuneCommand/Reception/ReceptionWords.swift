import Kamune
import KamuneNode
import KamuneTerminal

// What is said about who comes: all of it, and nothing else.

extension Notice {
    /// How many peers of one name are shown with their keys.
    fileprivate static let conflictsShown = 3

    /// The text, fit to be shown, and its look.
    var words: (text: String, look: Style.Look) {
        switch self {
        case .unknown(let peer): (Self.card("This peer is not known:", peer), .faint)
        case .acceptedUnseen(let peer):
            (Self.card("This peer is not known, and was accepted unseen (--verify all):", peer), .faint)
        case .acceptedAgain(let peer, let known) where known.identity == peer.identity:
            (
                "“\(known.name)” has the same key as before, which you have never accepted (--verify all).", .faint
            )
        case .acceptedAgain(let peer, let known):
            (
                "You have never accepted either of these keys of “\(known.name)” (--verify all): "
                    + Self.transition(known, peer), .faint
            )
        case .changed(let peer, let known): (Self.warning(peer, known), .warning)
        case .acceptedChanged(let peer, let known):
            (Self.warning(peer, known) + "\nIt was accepted all the same (--verify all).", .warning)
        case .succession(let known, let peer):
            (
                "“\(known.name)” has taken a new identity, and the old one vouches for it: "
                    + Self.transition(known, peer), .strong
            )
        case .renamed(let known, let peer):
            ("“\(known.name)” is known, and now calls itself “\(PeerName.shown(for: peer))”.", .faint)
        case .retired(let peer, let known):
            (
                Self.twoKeys(
                    [
                        "WARNING: “\(known.name)” HAS GIVEN UP THIS KEY FOR ANOTHER.",
                        "Whoever shows it now may have stolen it. The key that “\(known.name)” has now:",
                    ], known, peer), .warning
            )
        case .forked(let peer, let known):
            (
                Self.twoKeys(
                    [
                        "WARNING: AN OLD KEY OF “\(known.name)” VOUCHES FOR TWO NEW ONES.",
                        "“\(known.name)” has given it up for another before, so whoever shows this one may have stolen it. The "
                            + "key that “\(known.name)” has now:",
                    ], known, peer), .warning
            )
        case .accepted: ("Accepted. The other side may have to accept you, too.", .faint)
        case .missed(let count):
            ("… and \(Count.of(count, "more of them was", "more of them were")) not told of.", .faint)
        case .tooMany: ("Too many come at once to tell of each; the next ones are only counted.", .warning)
        }
    }

    /// Who somebody says to be.
    fileprivate static func card(_ heading: String, _ peer: Peer) -> String {
        ([heading] + FingerprintCard.rows(peer.identity, name: PeerName.claimed(by: peer).description))
            .joined(separator: "\n")
    }

    fileprivate static func warning(_ peer: Peer, _ known: [KnownPeer]) -> String {
        var rows = [
            "WARNING: “\(PeerName.claimed(by: peer))” IS KNOWN WITH ANOTHER KEY.",
            "Either this person has made a new identity, or SOMEBODY PRETENDS TO BE THIS PERSON.",
            known.count == 1 ? "The key that you accepted before:" : "The keys that you accepted before:",
        ]
        rows += known.prefix(conflictsShown).flatMap { FingerprintCard.rows($0.identity) }
        return (rows + ["The key that is shown now:"] + FingerprintCard.rows(peer.identity)).joined(separator: "\n")
    }

    private static func twoKeys(_ heading: [String], _ known: KnownPeer, _ peer: Peer) -> String {
        (heading + FingerprintCard.rows(known.identity) + ["The key that is shown:"]
            + FingerprintCard.rows(peer.identity)).joined(separator: "\n")
    }

    private static func transition(_ known: KnownPeer, _ peer: Peer) -> String {
        "\(known.identity.fingerprint.sum) is now \(peer.identity.fingerprint.sum)."
    }
}

extension Question {
    /// What is shown before the question is asked.
    ///
    /// - Parameter patience: How long the other side waits for the answer.
    func words(patience: Duration) -> (text: String, look: Style.Look) {
        switch self {
        case .unknown(let peer):
            (Self.introduction("You have not met this peer before:", peer, patience), .strong)
        case .met(let peer, _):
            (
                Self.introduction(
                    "You have talked with this peer before, but never accepted the key:", peer, patience), .strong
            )
        case .expired(let peer, let known):
            (
                ([Self.expiry(peer, known)] + FingerprintCard.rows(peer.identity)).joined(separator: "\n"), .strong
            )
        case .changed(let peer, let known):
            (
                Notice.warning(peer, known)
                    + "\nAsk this person over another channel before you accept. Who has the old key stays known, until you "
                    + "say “kamune peers block” or “forget”.", .warning
            )
        }
    }

    /// What stands where the answer is typed.
    var prompt: String {
        "Talk with “\(PeerName.claimed(by: peer))”? (\(isGrave ? "type yes to accept, n to refuse" : "y/n")) "
    }

    private static func introduction(_ heading: String, _ peer: Peer, _ patience: Duration) -> String {
        Notice.card(heading, peer) + """

            Compare one of these forms with what stands behind “You are” at the other side, over a channel that you \
            trust, such as a phone call. The other side waits for \(patience.components.seconds) s; if that is too \
            short, compare first and connect again.
            """
    }

    fileprivate static func expiry(_ peer: Peer, _ known: KnownPeer) -> String {
        let key =
            known.identity == peer.identity ? "the same key as before" : "a new key, for which the old one vouches"
        return
            "This is “\(known.name)”, with \(key). The last contact was on \(Times.localDay(known.lastTrusted)), and after so "
            + "long you are asked again."
    }
}

extension Refusal {
    /// One sentence for our own side: the peer is told nothing.
    var words: String {
        switch self {
        case .busy(let peer): "\(Self.name(peer)) was refused, because a conversation is under way."
        case .blocked(let known): "“\(known.name)” was refused, because you have blocked this peer."
        case .retired(let known): "“\(known.name)” has given up this key for another, so it was refused."
        case .forked(let known):
            "An old key of “\(known.name)” vouches for two new ones, so this one was refused; see the warning above."
        case .expired(let peer, let known):
            "\(Question.expiry(peer, known)) Accept it again in a terminal, by “kamune peers verify”, or let trust last "
                + "longer by “kamune peers expiry”."
        case .changed(let peer):
            "\(Self.name(peer)) is known with another key, so it was refused; see the warning above."
        case .unknown(let peer):
            "\(Self.name(peer)) is not known, and only known peers are accepted (--verify known)."
        case .nobodyToAsk(let peer):
            "\(Self.name(peer)) is not known, and without a terminal nobody can be asked. Accept it once in a terminal, or "
                + "say --verify all to talk to anybody."
        case .questionPending(let peer):
            "\(Self.name(peer)) was refused, because the question about another peer is not answered yet."
        case .tooMany(let peer): "\(Self.name(peer)) was refused, because too many strangers come at once."
        case .byPerson(let peer): "You refused \(Self.name(peer))."
        case .unanswered(let peer): "\(Self.name(peer)) was refused, because nobody answered the question."
        case .tooLate(let peer): "\(Self.name(peer)) was refused: the answer came too late."
        case .unreadable(let error):
            "Nobody was accepted. \(TerminalText(error.description, maximumColumns: TextLimit.sentence))"
        }
    }

    private static func name(_ peer: Peer) -> String { "“\(PeerName.claimed(by: peer))”" }
}
