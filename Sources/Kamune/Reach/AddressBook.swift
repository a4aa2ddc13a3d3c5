public import KamuneStore

/// Who knows at which addresses peers may be found.
public protocol AddressBook: Sendable {
    /// The addresses of a peer, the best first; none when none are known, or nobody can say.
    func addresses(of peer: PeerID) async -> [DialAddress]

    /// The peer was found there.
    func noteReached(_ peer: PeerID, at address: DialAddress) async

    /// The peer was not found there.
    func noteFailed(_ peer: PeerID, at address: DialAddress) async
}

extension AddressBook {
    /// Notes what came of dialing somebody.
    func note(_ found: Found<some Sendable>, of peer: PeerID) async {
        await note(found.failures, of: peer)
        await noteReached(peer, at: found.address)
    }

    /// Notes where somebody was not found.
    func note(_ failures: [AddressFailure], of peer: PeerID) async {
        for failure in failures where failure.isOfAddress { await noteFailed(peer, at: failure.address) }
    }
}

extension [DialAddress] {
    /// The same without those that came before.
    var distinct: [DialAddress] {
        var seen: Set<String> = []
        return filter { seen.insert($0.text).inserted }
    }

    /// The same with one of them in front.
    func moved(toFront first: DialAddress) -> [DialAddress] { [first] + filter { $0.text != first.text } }
}
