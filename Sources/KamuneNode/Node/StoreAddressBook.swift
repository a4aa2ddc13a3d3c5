import Kamune
import KamuneStore
import KamuneSystem

/// Where contacts may be found, as the store knows it.
struct StoreAddressBook: AddressBook {
    let store: Store
    let time: any TimeSource

    func addresses(of peer: PeerID) async -> [DialAddress] {
        let addresses = (try? await store.addresses(of: peer, at: time.date)) ?? []
        return addresses.map { DialAddress($0.text, isTold: $0.source == .told) }
    }

    // That it could not be noted is no reason not to talk.

    func noteReached(_ peer: PeerID, at address: DialAddress) async {
        try? await store.noteReached(peer, at: address.text, time: time.date)
    }

    func noteFailed(_ peer: PeerID, at address: DialAddress) async {
        try? await store.noteFailed(peer, at: address.text, time: time.date)
    }
}
