public import Foundation
public import KamuneStore
package import KamuneSystem

/// The addresses that a store keeps of its peers: every one at which a dial has succeeded, those that a person gave, and those
/// that the peers told. A ``Messenger`` uses that of its own store unless it is given another one.
public struct StoreAddressBook: AddressBook {
    private let store: Store
    private let time: any TimeSource

    /// How long a route that a peer has told, and that failed, is not tried again (PROTOCOL 10.7).
    public static let toldRouteRest: TimeInterval = 3_600

    /// The book of a store.
    public init(_ store: Store) { self.init(store, time: .system) }

    package init(_ store: Store, time: any TimeSource) {
        self.store = store
        self.time = time
    }

    /// The addresses of a peer, the best first, without what they told and what failed within the last hour.
    public func addresses(of peer: PeerID) async -> [DialAddress] {
        let now = time.date
        let known = (try? await store.addresses(of: peer, at: now)) ?? []
        return known.filter { !$0.rests(at: now) }.map { DialAddress($0.text, isTold: $0.source == .told) }
    }

    /// Has the store keep where the peer was found.
    public func noteReached(_ peer: PeerID, at address: DialAddress) async {
        try? await store.noteReached(peer, at: address.text, time: time.date)
    }

    /// Has the store keep that the peer was not found there.
    public func noteFailed(_ peer: PeerID, at address: DialAddress) async {
        try? await store.noteFailed(peer, at: address.text, time: time.date)
    }
}

extension ContactAddress {
    fileprivate func rests(at now: Date) -> Bool {
        guard source == .told, !works, let lastFailed else { return false }
        return (0..<StoreAddressBook.toldRouteRest).contains(now.timeIntervalSince(lastFailed))
    }
}
