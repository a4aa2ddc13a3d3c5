import Kamune
import KamuneStore
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
    static func shown(for peer: StoredPeer) -> TerminalText { shown(peer.displayName, peer.key) }

    /// The name that a peer in the store gave itself.
    static func given(by peer: StoredPeer) -> TerminalText { shown(peer.givenName, peer.key) }

    private static func shown(_ name: String, _ identity: PublicIdentity) -> TerminalText {
        let name = TerminalText(name, maximumColumns: TextLimit.name)
        let fingerprint = identity.fingerprint
        let isNameless = name.isBlank || name.description == fingerprint.sum
        return isNameless ? TerminalText(fingerprint.pseudonym) : name
    }
}
