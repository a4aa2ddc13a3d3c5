import Kamune
import KamuneNode
import KamuneTerminal

/// What a peer is called here.
enum PeerName {
    /// The name that a peer gave itself, fit to be shown.
    static func claimed(by peer: Peer) -> TerminalText {
        TerminalText(peer.name, maximumColumns: TextLimit.name)
    }

    /// The name to show in a conversation: the one under which the peer is known, else its own. Who gave none, so that the
    /// fingerprint stands in its place, is shown by pseudonym.
    static func shown(for peer: Peer, knownAs: String? = nil) -> TerminalText {
        shown(knownAs ?? peer.name, peer.identity)
    }

    /// The name of a peer in the store: the person's own for them, else the one that they gave.
    static func shown(for peer: ContactInfo) -> TerminalText { shown(peer.name, peer.key) }

    /// What stands before the colon and the words of somebody. The words of a person with a colon in their name would seem to
    /// begin within it, so such a name is put in quotation marks.
    static func speaker(_ name: String) -> String {
        guard name.contains(":") else { return name }
        return "“" + name.filter { $0 != "“" && $0 != "”" } + "”"
    }

    /// Stands before the name of whoever has said something. People call themselves what they like, such as “You”: so it is
    /// this that tells one's own words from the others'.
    static func direction(isOwn: Bool) -> String { isOwn ? ">" : "<" }

    /// The name that a peer in the store gave itself.
    static func given(by peer: ContactInfo) -> TerminalText { shown(peer.givenName, peer.key) }

    private static func shown(_ name: String, _ identity: PublicIdentity) -> TerminalText {
        let name = TerminalText(name, maximumColumns: TextLimit.name)
        let fingerprint = identity.fingerprint
        let isNameless = name.isBlank || name.description == fingerprint.sum
        return isNameless ? TerminalText(fingerprint.pseudonym) : name
    }
}
