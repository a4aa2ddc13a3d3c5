import Kamune
import KamuneStore

/// What a peer is called here.
enum PeerName {
    static let maximumLength = 64

    /// The name that a peer gave itself, fit to be shown.
    static func claimed(by peer: Peer) -> DisplayText {
        DisplayText(peer.name, maximumLength: maximumLength)
    }

    /// The name to show in a conversation: the one under which the peer is known, else its own. Who gave none, so that the
    /// fingerprint stands in its place, is shown by pseudonym.
    static func shown(for peer: Peer, knownAs: String? = nil) -> DisplayText {
        shown(knownAs ?? peer.name, peer.identity)
    }

    /// The name of a peer in the store: the person's own for them, else the one that they gave.
    static func shown(for peer: StoredPeer) -> DisplayText { shown(peer.displayName, peer.key) }

    /// The name that a peer in the store gave itself.
    static func given(by peer: StoredPeer) -> DisplayText { shown(peer.givenName, peer.key) }

    private static func shown(_ name: String, _ identity: PublicIdentity) -> DisplayText {
        let name = DisplayText(name, maximumLength: maximumLength)
        let fingerprint = identity.fingerprint
        let isNameless = name.description.allSatisfy(\.isWhitespace) || name.description == fingerprint.sum
        return isNameless ? DisplayText(fingerprint.pseudonym) : name
    }
}
