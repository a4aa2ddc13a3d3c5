import Kamune

/// What a peer is called here.
enum PeerName {
    static let maximumLength = 64

    /// The name that a peer gave itself, fit to be shown.
    static func claimed(by peer: Peer) -> DisplayText {
        DisplayText(peer.name, maximumLength: maximumLength)
    }

    /// The name to show in a conversation: the one under which the peer was accepted, else its own. Who gave none, so that
    /// the fingerprint stands in its place, is shown by pseudonym.
    static func shown(for peer: Peer, knownAs: String? = nil) -> DisplayText {
        let name = DisplayText(knownAs ?? peer.name, maximumLength: maximumLength)
        let fingerprint = peer.identity.fingerprint
        let isNameless = name.description.allSatisfy(\.isWhitespace) || name.description == fingerprint.sum
        return isNameless ? DisplayText(fingerprint.pseudonym) : name
    }
}
