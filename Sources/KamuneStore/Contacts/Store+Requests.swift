public import Foundation
import GRDB
public import KamuneCrypto
import KamuneProtocol

extension Store {
    /// Those who want to talk, and wait to be accepted: those who hold their key first, and then the latest.
    public func requests(at now: Date) async throws(StoreError) -> [StoredRequest] {
        try await read { try $0.requests(at: now) }
    }

    /// A request by number; `nil` when there is none, or it has expired.
    public func request(_ id: RequestID, at now: Date) async throws(StoreError) -> StoredRequest? {
        try await read { try $0.request(id, at: now) }
    }

    /// How the person has decided about a key that asked before: `nil` when there is no request of it.
    public func request(of key: PublicIdentity, at now: Date) async throws(StoreError) -> StoredRequest? {
        try await read { transaction in
            try transaction.requestRecord(of: key).flatMap { $0.isExpired(at: now) ? nil : $0 }
        }
    }

    /// Notes that somebody asks. Whoever the store trusts, or has blocked, has no need of it.
    ///
    /// Of those who have not shown that they hold their key, ``StoredRequest/unprovenLimit`` are kept; for one more, the
    /// oldest goes from the network that has most of them. Of those who have, ``StoredRequest/provenLimit`` are kept, and
    /// ``StoredRequest/networkLimit`` from a network; one more is not taken. Neither takes a place from the other.
    ///
    /// - Returns: the request; `nil` when none was noted.
    @discardableResult
    public func noteRequest(_ request: NewRequest, at now: Date) async throws(StoreError) -> StoredRequest? {
        try await write { try $0.noteRequest(request, at: now) }
    }

    /// Accepts somebody who asked, as ``accept(_:name:version:capabilities:at:overruling:)`` does: whoever shows the key from
    /// now on is known. The request is gone then.
    ///
    /// - Parameters:
    ///   - name: that the person gives them, if any.
    ///   - overruling: as there.
    /// - Throws: ``StoreError/noSuchRecord(what:)`` when there is no such request any more, ``StoreError/refused(_:)`` as
    ///   there.
    @discardableResult
    public func accept(
        _ id: RequestID, named name: String? = nil, at now: Date, overruling: Bool = false
    ) async throws(StoreError) -> StoredPeer {
        try await write { transaction in
            let request = try transaction.existingRequest(id, at: now)
            let peer = try transaction.accept(request.introduction, at: now, overruling: overruling)
            guard let name else { return peer }
            try transaction.change(peer.id) { $0.ownName = BoundedText.name(name) }
            return try transaction.peer(peer.id) ?? peer
        }
    }

    /// Refuses somebody who asked. They may ask again when the request has expired.
    ///
    /// - Throws: ``StoreError/noSuchRecord(what:)`` when there is no such request any more.
    public func refuse(_ id: RequestID, at now: Date) async throws(StoreError) {
        try await write { transaction in
            let request = try transaction.existingRequest(id, at: now)
            try transaction.tables.requests.change(request, in: transaction) { request in
                request.isRefused = true
                request.lastSeen = now
            }
            let refused = try transaction.tables.requests.all(in: transaction).filter(\.isRefused)
            for request in refused.sorted(by: { $0.lastSeen < $1.lastSeen }).dropLast(StoredRequest.refusedLimit) {
                try transaction.tables.requests.delete(request.id.row, in: transaction)
            }
        }
    }

    /// Blocks somebody who asked: a peer is made of them of whom the person wants nothing.
    ///
    /// - Throws: ``StoreError/noSuchRecord(what:)`` when there is no such request any more.
    @discardableResult
    public func block(_ id: RequestID, at now: Date) async throws(StoreError) -> StoredPeer {
        try await write { transaction in
            let request = try transaction.existingRequest(id, at: now)
            return try transaction.note(request.introduction, at: now) { $0.isBlocked = true }
        }
    }

    /// Notes that the person trusts a key that came by another way than a session: a file, a message, a word. It is accepted,
    /// not verified.
    ///
    /// - Parameters:
    ///   - name: that the person gives them.
    ///   - now: by this machine's clock.
    ///   - overruling: as in ``accept(_:name:version:capabilities:at:overruling:)``.
    /// - Throws: ``StoreError/refused(_:)`` for a key that was given up, when that is not overruled, and for who is blocked.
    @discardableResult
    public func trust(
        _ key: PublicIdentity, named name: String, at now: Date, overruling: Bool = false
    ) async throws(StoreError) -> StoredPeer {
        try await write { transaction in
            let known = try transaction.peer(withKey: key)
            let introduction = PeerIntroductionRecord(
                key: key, name: known?.givenName ?? "", version: known?.version ?? "",
                capabilities: known?.capabilities ?? [], formerKeys: [])
            let peer = try transaction.accept(introduction, at: now, overruling: overruling)
            try transaction.change(peer.id) { changed in
                changed.ownName = BoundedText.name(name)
                // Whom one has met was not seen just now.
                if let known { changed.lastSeen = known.lastSeen }
            }
            return try transaction.peer(peer.id) ?? peer
        }
    }
}

extension StoredRequest {
    fileprivate var introduction: PeerIntroductionRecord {
        PeerIntroductionRecord(key: key, name: name, version: version, capabilities: capabilities, formerKeys: [])
    }
}

extension ReadTransaction {
    /// See ``Store/requests(at:)``.
    package func requests(at now: Date) throws -> [StoredRequest] {
        try tables.requests.all(in: self).filter { !$0.isRefused && !$0.isExpired(at: now) }.sorted { one, other in
            one.isProven != other.isProven ? one.isProven : one.lastSeen > other.lastSeen
        }
    }

    /// See ``Store/request(_:at:)``.
    package func request(_ id: RequestID, at now: Date) throws -> StoredRequest? {
        try tables.requests.record(id.row, in: self).flatMap { $0.isExpired(at: now) ? nil : $0 }
    }

    fileprivate func existingRequest(_ id: RequestID, at now: Date) throws -> StoredRequest {
        guard let request = try request(id, at: now) else { throw StoreError.noSuchRecord(what: "request") }
        return request
    }

    fileprivate func requestRecord(of key: PublicIdentity) throws -> StoredRequest? {
        let requests = tables.requests
        return try requests.first("WHERE lookup = ?", [requests.cipher.lookup(key.spki).databaseValue], in: self)
    }
}

extension WriteTransaction {
    /// See ``Store/noteRequest(_:at:)``.
    package func noteRequest(_ new: NewRequest, at now: Date) throws -> StoredRequest? {
        switch try recognize(new.key, name: "", formerKeys: [], at: now).standing {
        case .known, .blocked: return nil
        case .unknown, .expired, .retired, .forked: break
        }
        let requests = tables.requests
        for request in try requests.all(in: self) where request.isExpired(at: now) {
            try requests.delete(request.id.row, in: self)
        }
        if let earlier = try requestRecord(of: new.key) { return try renew(earlier, by: new, at: now) }
        guard try makeRoom(for: new) else { return nil }
        let request = StoredRequest(new, id: RequestID(row: try requests.unusedRow(in: self)), at: now)
        try requests.insert(request, in: self)
        return try request.roundTripped()
    }

    private func renew(_ earlier: StoredRequest, by new: NewRequest, at now: Date) throws -> StoredRequest? {
        // A copy of an introduction changes nothing of what somebody has asked who holds the key.
        if earlier.isProven, !new.isProven { return earlier.isRefused ? nil : earlier }
        // Who was refused stays refused, and that does not last longer by asking again. But that the key was refused which
        // somebody else had shown does not count for who holds it.
        if earlier.isRefused, earlier.isProven == new.isProven { return nil }
        if earlier.isProven != new.isProven {
            try tables.requests.delete(earlier.id.row, in: self)
            guard try makeRoom(for: new) else {
                try tables.requests.insert(earlier, in: self)
                return nil
            }
        }
        var renewed = StoredRequest(new, id: earlier.id, firstSeen: earlier.firstSeen, at: now)
        if renewed.note.isEmpty { renewed.note = earlier.isProven == new.isProven ? earlier.note : "" }
        if earlier.isProven == new.isProven {
            try tables.requests.replace(earlier, with: renewed, in: self)
        } else {
            try tables.requests.insert(renewed, in: self)
        }
        return try renewed.roundTripped()
    }

    private func makeRoom(for new: NewRequest) throws -> Bool {
        let rivals = try tables.requests.all(in: self).filter { $0.isProven == new.isProven && !$0.isRefused }
        if new.isProven {
            return rivals.count < StoredRequest.provenLimit
                // Who connects from this machine, such as a proxy, may speak for anybody.
                && (new.network.isEmpty || rivals.count { $0.network == new.network } < StoredRequest.networkLimit)
        }
        guard rivals.count >= StoredRequest.unprovenLimit else { return true }
        var crowds = Dictionary(grouping: rivals, by: \.network).mapValues(\.count)
        crowds[new.network, default: 0] += 1
        let most = crowds.values.max() ?? 0
        // One that came alone stays, however many come from elsewhere.
        let victim = rivals.filter { crowds[$0.network] == most }.min { $0.lastSeen < $1.lastSeen }
        guard let victim else { return false }
        try tables.requests.delete(victim.id.row, in: self)
        return true
    }

    /// Removes the request of somebody about whom the person has decided.
    func removeRequest(of key: PublicIdentity) throws {
        if let request = try requestRecord(of: key) { try tables.requests.delete(request.id.row, in: self) }
    }
}
