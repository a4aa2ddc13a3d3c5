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

    /// - Parameter former: oldest first.
    init(of shown: KeyHistory, after former: [KeyHistory]) {
        if let giver = shown.giver {
            self = .retired(giver)
            return
        }
        var records = shown.owner.map { [$0] } ?? []
        for history in former.reversed() {
            // This one led to a later key of theirs before. Whoever has it now is somebody else.
            if history.givers.contains(where: { giver in records.contains { $0.id == giver.id } }) { continue }
            if let owner = history.owner {
                if !records.contains(where: { $0.id == owner.id }) { records.insert(owner, at: 0) }
            } else if let giver = history.giver {
                // Whom the person has accepted with a later key is known by that, whatever becomes of the older ones.
                if records.contains(where: \.wasAccepted) { break }
                self = .forked(giver)
                return
            }
        }
        self = records.isEmpty ? .stranger : .person(records)
    }
}

/// Who has a key, and who has had it.
struct KeyHistory {
    let key: PublicIdentity
    /// Whose record bears it now, whatever that is worth.
    let holder: StoredPeer?
    /// Those who have given it up for another.
    let givers: [StoredPeer]

    /// Somebody who has given the key up. That outranks any record of it, unless a person has accepted this very key since.
    var giver: StoredPeer? { holder?.isReinstated == true ? nil : givers.first }

    /// Whose key it is.
    var owner: StoredPeer? { giver == nil ? holder : nil }

    /// Everybody who has or had it.
    var everybody: [StoredPeer] { (holder.map { [$0] } ?? []) + givers }
}

extension StoredPeer {
    func hasGivenUp(_ key: PublicIdentity) -> Bool { formerKeys.contains { $0.key == key } }
}
