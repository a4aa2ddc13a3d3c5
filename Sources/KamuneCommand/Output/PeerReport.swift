import Foundation
import Kamune
import KamuneNode
import KamuneTerminal

/// A peer as people and programs read about them.
struct PeerReport {
    let peer: ContactInfo

    /// How the peer stands, in a word or two.
    var standing: String {
        if peer.blocked { return "blocked" }
        if peer.accepted == nil { return "not accepted" }
        let state = peer.verified != nil ? "verified" : "accepted"
        return peer.expired ? state + ", expired" : state
    }

    /// The cells of the list.
    static let header = ["#", "name", "fingerprint", "last seen", "state"]

    var cells: [String] {
        [
            "\(peer.number)", PeerName.shown(for: peer).description, String(peer.key.fingerprint.sum.prefix(12)),
            Times.localMinute(peer.lastSeen), standing,
        ]
    }

    /// Everything that is known of the peer but what was said.
    func rows(messageCount: Int) -> [String] {
        var rows = FingerprintCard.row("number", ["\(peer.number)"])
        rows += FingerprintCard.row("name", [PeerName.shown(for: peer).description])
        if peer.ownName != nil {
            rows += FingerprintCard.row("calls itself", [PeerName.given(by: peer).description])
        }
        rows += FingerprintCard.rows(peer.key)
        if peer.key.algorithm == .ed25519 {
            rows += FingerprintCard.row("public key", [peer.key.fingerprint.base64])
        }
        rows += FingerprintCard.row("state", [standing])
        rows += FingerprintCard.row("first seen", [Times.localMinute(peer.firstSeen)])
        rows += FingerprintCard.row("last seen", [Times.localMinute(peer.lastSeen)])
        if let accepted = peer.accepted { rows += FingerprintCard.row("accepted", [Times.localMinute(accepted)]) }
        if let verified = peer.verified { rows += FingerprintCard.row("verified", [Times.localMinute(verified)]) }
        rows += FingerprintCard.row("messages", ["\(messageCount)"])
        if !peer.version.isEmpty {
            rows += FingerprintCard.row(
                "version", [TerminalText(peer.version, maximumColumns: TextLimit.word).description])
        }
        for former in peer.formerKeys {
            rows += FingerprintCard.row(
                "former key", ["\(former.fingerprint), until \(Times.localDay(former.until))"])
        }
        return rows
    }
}
