import Foundation
import Kamune
import KamuneNode
import KamuneTerminal

/// The peers whom a person knows.
protocol PeerBook: Sendable {
    /// What is known about somebody who introduces themselves.
    func trust(in peer: Peer) async throws(NodeError) -> Trust
}

/// What is known about a peer.
enum Trust: Equatable, Sendable {
    /// The key was accepted before, or one that vouches for it, and that still holds.
    case known(KnownPeer)
    /// The key was accepted, or one that vouches for it, but so long ago that the person is asked again.
    case expired(KnownPeer)
    /// There was a conversation with the key, or one that vouches for it, but nobody ever accepted it.
    case met(KnownPeer)
    /// The name is known, with another key: somebody has changed their identity, or somebody pretends.
    case changed(known: [KnownPeer])
    /// The peer has gone over from this key to another.
    case retired(KnownPeer)
    /// A key that the peer has given up vouches for the one that is shown, and has vouched for another before.
    case forked(KnownPeer)
    /// The person wants nothing of them.
    case blocked(KnownPeer)
    /// Neither key nor name is known.
    case unknown

    /// Whom the book takes somebody for, as far as nothing speaks against the key.
    var acquaintance: ContactID? {
        switch self {
        case .known(let peer), .expired(let peer), .met(let peer): peer.id
        case .changed, .retired, .forked, .blocked, .unknown: nil
        }
    }
}

/// A peer whom the person knows.
struct KnownPeer: Equatable, Sendable {
    /// Who they are, whatever key they show.
    let id: ContactID
    /// What the person calls them.
    let name: String
    /// What they called themselves last.
    let givenName: String
    /// The key that they are known by: another one than is shown vouches for that.
    let identity: PublicIdentity
    /// When the key was accepted last, or there was contact while that held.
    let lastTrusted: Date

    /// Whether two names are the same to a person. Names that only look alike are not caught.
    static func isSame(_ first: String, _ second: String) -> Bool {
        normal(first) == normal(second)
    }

    private static func normal(_ name: String) -> String {
        TerminalText(name).content.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}

extension KnownPeer {
    init(_ peer: ContactInfo) {
        self.init(
            id: peer.id, name: PeerName.shown(for: peer).description, givenName: PeerName.given(by: peer).description,
            identity: peer.key, lastTrusted: peer.lastTrusted ?? .distantPast)
    }
}
