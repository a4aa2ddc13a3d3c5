import Foundation
import KamuneCrypto

/// Whom the store knows somebody as, who shows a key and former keys that vouch for it.
enum Kinship {
    /// Nobody.
    case stranger
    /// One person, who may have been met under several of the keys: their records, that of the oldest key first.
    case person([StoredPeer])
    /// Somebody who has moved on from the very key that is shown.
    case retired(StoredPeer)
    /// Somebody who has moved on from a key that vouches for the one that is shown, to another one.
    case forked(StoredPeer)

    /// - Parameter formerKeys: oldest first.
    init(of key: PublicIdentity, after formerKeys: [PublicIdentity], among peers: [StoredPeer]) {
        var records = peers.filter { $0.key == key }
        if records.isEmpty, let peer = peers.first(where: { $0.hasGivenUp(key) }) {
            self = .retired(peer)
            return
        }
        for former in formerKeys.reversed() {
            if let peer = peers.first(where: { $0.key == former }) {
                records.insert(peer, at: 0)
            } else if let peer = peers.first(where: { $0.hasGivenUp(former) }),
                !records.contains(where: { $0.id == peer.id })
            {
                // Whom the person has accepted with a later key is known by that, whatever becomes of the older ones.
                if records.contains(where: \.wasAccepted) { break }
                self = .forked(peer)
                return
            }
        }
        self = records.isEmpty ? .stranger : .person(records)
    }
}

extension WriteTransaction {
    /// Makes one peer, with the key that is shown, of all who are there with a key that vouches for it.
    func unite(_ key: PublicIdentity, after formerKeys: [PublicIdentity], at now: Date) throws {
        guard case .person(let records) = Kinship(of: key, after: formerKeys, among: try peers()),
            let oldest = records.first?.key, let start = formerKeys.firstIndex(of: oldest)
        else { return }
        // Key by key, also over those that were never met: they are given up, too.
        var former = oldest
        for next in formerKeys[(start + 1)...] + [key] {
            try moveTrust(from: former, to: next, at: now)
            former = next
        }
    }
}

extension StoredPeer {
    func hasGivenUp(_ key: PublicIdentity) -> Bool { formerKeys.contains { $0.key == key } }

    func hasHad(anyOf keys: [PublicIdentity]) -> Bool { keys.contains { $0 == key || hasGivenUp($0) } }
}
