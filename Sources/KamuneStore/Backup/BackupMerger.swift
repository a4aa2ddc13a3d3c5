import Foundation
import GRDB
import KamuneCrypto

/// Takes the entries of a backup into a store, within one transaction.
struct BackupMerger {
    /// How much was new.
    private(set) var summary = BackupSummary()

    private let transaction: WriteTransaction
    private let path: String
    /// The backup's numbers, and what they are here.
    private var peers: [Int64: PeerID] = [:]
    private var sessions: [Int64: SessionID] = [:]
    private var identities: [Int64: IdentityID] = [:]
    /// Who is here now, once it was read.
    private var known: Known?
    /// The backup's peers, until all of them are read.
    private var waitingPeers: [StoredPeer] = []
    /// The last message that was here before.
    private let lastRow: Int64
    /// What is still to be written to each output.
    private var unwritten: [String: Int64?]

    private var tables: StoreTables { transaction.tables }

    init(_ transaction: WriteTransaction, path: String) throws {
        self.transaction = transaction
        self.path = path
        lastRow = (try? Int64.fetchOne(transaction.database, sql: "SELECT max(id) FROM message")) ?? 0
        unwritten = try transaction.firstUnwritten()
    }

    mutating func merge(_ tag: BackupFormat.Tag, _ bytes: [UInt8]) throws {
        do {
            let entry = try BackupEntry.decode(tag, bytes)
            if tag != .peer { try mergePeers() }
            switch entry {
            case .identity(let identity): try merge(identity)
            case .peer(let peer): waitingPeers.append(peer)
            case .contact(let contact): try merge(contact)
            case .session(let session): try merge(session)
            case .setting(let name, let value): try mergeSetting(name: name, value: value)
            case .message(let record): try merge(record)
            case nil: break
            }
        } catch is RecordReader.Malformed {
            throw StoreError.damaged(what: "the backup \(path)")
        }
    }

    private mutating func merge(_ identity: StoredIdentity) throws {
        try readKnown()
        if let same = known?.identities[identity.publicKey] {
            identities[identity.id.row] = same
            return
        }
        let isCurrent = identity.isCurrent && known?.current == nil
        let retired = isCurrent ? nil : identity.retired ?? known?.current
        let id = IdentityID(row: try tables.identities.unusedRow(in: transaction))
        identities[identity.id.row] = id
        try tables.identities.insert(
            StoredIdentity(
                id: id, publicKey: identity.publicKey, privateKey: identity.privateKey, name: identity.name,
                created: identity.created, retired: retired, isCurrent: isCurrent, statement: identity.statement),
            in: transaction)
        known?.identities[identity.publicKey] = id
        if isCurrent { known?.current = identity.created }
        summary.identities += 1
    }

    /// Takes over the peers, once all are read: somebody who has a key there that another has given up is somebody else
    /// there, and stays that here.
    private mutating func mergePeers() throws {
        if waitingPeers.isEmpty { return }
        let peers = waitingPeers
        waitingPeers = []
        try readKnown()
        let givenUp = Set(peers.flatMap { $0.formerKeys.map(\.key) })
        // They come last: nobody else of the backup may be taken for them by a key that both had.
        for peer in peers where !givenUp.contains(peer.key) { try merge(peer, byKeyAlone: false) }
        for peer in peers where givenUp.contains(peer.key) { try merge(peer, byKeyAlone: true) }
    }

    private mutating func merge(_ peer: StoredPeer, byKeyAlone: Bool) throws {
        guard let index = known?.index(of: peer, byKeyAlone: byKeyAlone), let earlier = known?.peers[index] else {
            let new = StoredPeer(
                id: PeerID(row: try tables.peers.unusedRow(in: transaction)), key: peer.key, givenName: peer.givenName,
                ownName: peer.ownName, version: peer.version, capabilities: peer.capabilities,
                firstSeen: peer.firstSeen, lastSeen: peer.lastSeen, accepted: peer.accepted, verified: peer.verified,
                isBlocked: peer.isBlocked, formerKeys: peer.formerKeys, isReinstated: peer.isReinstated,
                lastTrusted: peer.lastTrusted)
            peers[peer.id.row] = new.id
            try transaction.insert(new)
            known?.append(new)
            summary.peers += 1
            return
        }
        var same = earlier
        peers[peer.id.row] = same.id
        if same.key != peer.key, peer.hasGivenUp(same.key), known?.hasPeer(withKey: peer.key) == false {
            // The backup has seen them change their key, which this store has not.
            same.key = peer.key
            same.accepted = peer.accepted
            same.lastTrusted = peer.lastTrusted
            same.isReinstated = peer.isReinstated
        }
        // What either knows to be given up is given up.
        let former = peer.formerKeys.filter { former in former.key != same.key && !earlier.hasGivenUp(former.key) }
        same.formerKeys = same.formerKeys.filter { $0.key != same.key } + former
        same.ownName = same.ownName ?? peer.ownName
        same.firstSeen = min(same.firstSeen, peer.firstSeen)
        same.lastSeen = max(same.lastSeen, peer.lastSeen)
        if same.key == peer.key { same.verified = same.verified ?? peer.verified }
        try transaction.replace(earlier, with: same)
        known?.replace(index, with: same)
    }

    private mutating func merge(_ contact: ContactRecord) throws {
        guard let peer = peers[contact.peer] else { throw RecordReader.Malformed() }
        if try transaction.joinContact(contact.addresses, to: peer) { summary.contacts += 1 }
    }

    private mutating func readKnown() throws {
        guard known == nil else { return }
        var known = Known()
        for identity in try transaction.identities() {
            known.identities[identity.publicKey] = identity.id
            if identity.isCurrent { known.current = identity.created }
        }
        for peer in try transaction.peers() { known.append(peer) }
        self.known = known
    }

    /// Who is in the store, found by their keys: a backup may hold very many.
    private struct Known {
        var identities: [PublicIdentity: IdentityID] = [:]
        /// When the identity in use was made; `nil` while there is none.
        var current: Date?
        private(set) var peers: [StoredPeer] = []
        private var byKey: [PublicIdentity: Int] = [:]
        private var byFormerKey: [PublicIdentity: Int] = [:]

        func hasPeer(withKey key: PublicIdentity) -> Bool { byKey[key] != nil }

        /// The place of a person who has one of the keys now that the other has, or had before.
        func index(of peer: StoredPeer, byKeyAlone: Bool) -> Int? {
            if let index = byKey[peer.key] { return index }
            if byKeyAlone || peer.isReinstated { return nil }
            return byFormerKey[peer.key]
                ?? peer.formerKeys.lazy.compactMap { byKey[$0.key] }.first { !peers[$0].isReinstated }
        }

        mutating func append(_ peer: StoredPeer) {
            peers.append(peer)
            note(peer, at: peers.count - 1)
        }

        mutating func replace(_ index: Int, with peer: StoredPeer) {
            byKey[peers[index].key] = nil
            peers[index] = peer
            note(peer, at: index)
        }

        private mutating func note(_ peer: StoredPeer, at index: Int) {
            byKey[peer.key] = index
            for former in peer.formerKeys where byFormerKey[former.key] == nil { byFormerKey[former.key] = index }
        }
    }

    private mutating func merge(_ session: StoredSession) throws {
        guard let peer = peers[session.peer.row] else { throw RecordReader.Malformed() }
        if let same = try transaction.session(identifier: session.identifier) {
            if same.peer == peer { sessions[session.id.row] = same.id }
            return
        }
        let id = SessionID(row: try tables.sessions.nextRow(in: transaction))
        sessions[session.id.row] = id
        try tables.sessions.insert(
            StoredSession(
                id: id, peer: peer, identifier: session.identifier, name: session.name,
                established: session.established, renewed: session.renewed, ended: session.ended,
                transport: session.transport, isInitiator: session.isInitiator,
                identity: session.identity.flatMap { identities[$0.row] }, capabilities: session.capabilities,
                announced: session.announced, ownKeyDigest: session.ownKeyDigest), in: transaction)
        summary.sessions += 1
    }

    private mutating func mergeSetting(name: String, value: [UInt8]) throws {
        guard !OutputSetting.isOne(name), try transaction.setting(name) == nil else { return }
        try transaction.setSetting(name, to: value)
        summary.settings += 1
    }

    private mutating func merge(_ record: MessageRecord) throws {
        guard let peer = peers[record.peer] else { throw RecordReader.Malformed() }
        guard try transaction.message(record.id, with: peer, record.direction) == nil else { return }
        var record = record
        record.peer = peer.row
        record.session = sessions[record.session]?.row ?? 0
        record.row = try tables.streams.nextRow(in: transaction)
        // It comes last: nothing that was sent before may count for it.
        record.turn = record.turn.map { _ in StreamTurn(number: record.row, isNative: false) }
        try tables.messages.insert(record, in: transaction)
        summary.messages += 1
    }

    // MARK: Order

    /// Puts the messages in order, once all are there: what was here before and what came stay each in their own order,
    /// and are merged by their times.
    mutating func finish() throws {
        try mergePeers()
        try order()
        try transaction.moveOutputs(unwritten)
    }

    private mutating func order() throws {
        let new = try times(after: lastRow)
        guard let firstNew = new.first, lastRow > 0 else { return }
        let old = try times(after: 0, through: lastRow)
        // Everything up to the first that changes places may stay.
        guard let start = old.firstIndex(where: { $0.time > firstNew.time }) else { return }
        var next = try tables.messages.nextRow(in: transaction)
        var (left, right) = (old[start...], new[...])
        while let row = Self.takeEarlier(&left, &right) {
            try move(row, to: next)
            for (output, first) in unwritten where first == row && row <= lastRow { unwritten[output] = .some(next) }
            next += 1
        }
    }

    private typealias Entry = (row: Int64, time: Int64)

    private static func takeEarlier(_ a: inout ArraySlice<Entry>, _ b: inout ArraySlice<Entry>) -> Int64? {
        guard let first = a.first else { return b.popFirst()?.row }
        guard let second = b.first, second.time < first.time else { return a.popFirst()?.row }
        return b.popFirst()?.row
    }

    private func times(after low: Int64, through high: Int64 = .max) throws -> [Entry] {
        let records = try tables.messages.cursor(
            "WHERE id > ? AND id <= ?", [low, high], .row(after: low), in: transaction)
        var entries: [Entry] = []
        while let record = try records.next() { entries.append((record.row, record.localTime)) }
        return entries
    }

    private func move(_ row: Int64, to target: Int64) throws {
        guard let record = try tables.messages.record(row, in: transaction) else { throw tables.messages.damaged }
        try tables.messages.change(record, in: transaction) { $0.row = target }
    }
}
