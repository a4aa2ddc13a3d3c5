public import Foundation
import GRDB

extension Store {
    /// Where somebody may be reached, the most promising first: what worked last, and then what the person gave, what was
    /// dialed, and what the peer told and is still believed.
    ///
    /// - Returns: nothing for somebody who is not known.
    public func addresses(of peer: PeerID, at now: Date) async throws(StoreError) -> [ContactAddress] {
        try await read { try $0.addresses(of: peer, at: now) }
    }

    /// Notes that a session with a peer was reached at an address that was dialed.
    ///
    /// - Throws: ``StoreError/noSuchRecord(what:)``, ``StoreError/misuse(reason:)`` for what can be no address.
    public func noteReached(_ peer: PeerID, at address: String, time now: Date) async throws(StoreError) {
        try await changeContact(peer, address) { $0.reached(address, at: now) }
    }

    /// Notes that a peer was not reached at an address. One that is not known is not kept.
    ///
    /// - Throws: As ``noteReached(_:at:time:)``.
    public func noteFailed(_ peer: PeerID, at address: String, time now: Date) async throws(StoreError) {
        try await changeContact(peer, address) { $0.failed(address, at: now) }
    }

    /// Adds an address that the person gives.
    ///
    /// - Throws: As ``noteReached(_:at:time:)``, and ``StoreError/misuse(reason:)`` when
    ///   ``ContactAddress/ownLimit`` were given already.
    public func addAddress(_ address: String, of peer: PeerID, at now: Date) async throws(StoreError) {
        try await changeContact(peer, address) { contact in
            guard contact.give(address, at: now) else {
                throw StoreError.misuse(reason: "a contact has at most \(ContactAddress.ownLimit) addresses")
            }
        }
    }

    /// Removes an address, however it became known. The peer may tell it again.
    ///
    /// - Throws: As ``noteReached(_:at:time:)``.
    public func removeAddress(_ address: String, of peer: PeerID) async throws(StoreError) {
        try await changeContact(peer, address) { $0.remove(address) }
    }

    /// Notes where a peer said, in a session, that they want to be found (PROTOCOL 10.7), in place of what they said before.
    /// The caller has judged the texts; whether anything is taken from this peer is judged here: only from one whom the
    /// person has accepted, whose acceptance lasts, and who is not blocked.
    ///
    /// - Returns: whether it was taken.
    @discardableResult
    public func setToldRoutes(_ routes: [String], of peer: PeerID, at now: Date) async throws(StoreError) -> Bool {
        try await write { try $0.setToldRoutes(routes, of: peer, at: now) }
    }

    private func changeContact(
        _ peer: PeerID, _ address: String, _ body: @escaping @Sendable (inout ContactRecord) throws -> Void
    ) async throws(StoreError) {
        guard address.isAddressText else { throw .misuse(reason: "what is no address") }
        try await write { try $0.changeContact(peer, body) }
    }
}

extension String {
    /// Whether it is fit to be kept as an address. Whether it is one, those who dial know.
    fileprivate var isAddressText: Bool {
        !isEmpty && utf8.count <= ContactAddress.maximumSize
            && unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F }
    }
}

extension ReadTransaction {
    /// See ``Store/addresses(of:at:)``.
    package func addresses(of peer: PeerID, at now: Date) throws -> [ContactAddress] {
        try tables.contacts.record(peer.row, in: self)?.best(at: now) ?? []
    }
}

extension ReadTransaction {
    /// Whether the person has accepted a peer, that lasts, and they are not blocked.
    package func isAccepted(_ id: PeerID, at now: Date) throws -> Bool {
        guard let peer = try peer(id), peer.wasAccepted else { return false }
        return try recognize(peer.key, name: "", formerKeys: [], at: now).isTrusted
    }
}

extension WriteTransaction {
    /// See ``Store/setToldRoutes(_:of:at:)``.
    package func setToldRoutes(_ routes: [String], of id: PeerID, at now: Date) throws -> Bool {
        guard try isAccepted(id, at: now), routes.allSatisfy(\.isAddressText) else { return false }
        try changeContact(id) { $0.told(routes, at: now) }
        return true
    }

    fileprivate func changeContact(_ peer: PeerID, _ body: (inout ContactRecord) throws -> Void) throws {
        guard try tables.peers.contains(peer.row, in: self) else { throw StoreError.noSuchRecord(what: "peer") }
        let earlier = try tables.contacts.record(peer.row, in: self)
        var contact = earlier ?? ContactRecord(peer: peer.row)
        try body(&contact)
        try put(contact, after: earlier)
    }

    private func put(_ contact: ContactRecord, after earlier: ContactRecord?) throws {
        if contact == earlier { return }
        if contact.addresses.isEmpty {
            if earlier != nil { try tables.contacts.delete(contact.peer, in: self) }
        } else if let earlier {
            try tables.contacts.replace(earlier, with: contact, in: self)
        } else {
            try tables.contacts.insert(contact, in: self)
        }
    }

    /// Adds addresses to those that are known of a peer.
    ///
    /// - Returns: whether none were known before.
    @discardableResult
    func joinContact(_ addresses: [ContactAddress], to peer: PeerID) throws -> Bool {
        let earlier = try tables.contacts.record(peer.row, in: self)
        var contact = earlier ?? ContactRecord(peer: peer.row)
        contact.join(ContactRecord(peer: peer.row, addresses: addresses))
        try put(contact, after: earlier)
        return earlier == nil && !contact.addresses.isEmpty
    }

    /// Gives one peer the addresses of another, who is the same and goes.
    func moveContact(from source: PeerID, to target: PeerID) throws {
        guard let contact = try tables.contacts.record(source.row, in: self) else { return }
        try joinContact(contact.addresses, to: target)
        try tables.contacts.delete(source.row, in: self)
    }
}
