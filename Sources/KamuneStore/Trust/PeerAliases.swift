import GRDB
import KamuneCrypto

/// What a peer is found by beside their key.
enum PeerAlias: Hashable {
    /// A key that they have given up.
    case formerKey(PublicIdentity)
    /// A name that they bear, of one whom the person has accepted. A name that somebody showed who never was is nobody's, so
    /// strangers cannot make the list of a name long.
    case name(PeerName)

    /// What it is found by. How a name is folded is part of it.
    func lookup(_ cipher: RecordCipher) -> [UInt8] {
        var writer = RecordWriter()
        switch self {
        case .formerKey(let key):
            writer.append(text: "former")
            writer.append(bytes: key.spki)
        case .name(let name):
            writer.append(text: "name/1")
            writer.append(text: name.folded)
        }
        return cipher.lookup(writer.bytes)
    }
}

extension StoredPeer {
    /// Everything that they are to be found by beside their key.
    var aliases: Set<PeerAlias> {
        var aliases = Set(formerKeys.map { PeerAlias.formerKey($0.key) })
        if wasAccepted {
            for name in [givenName, ownName].compactMap({ $0 }).map(PeerName.init) where !name.isEmpty {
                aliases.insert(.name(name))
            }
        }
        return aliases
    }
}

/// The peers of one alias. There is one row for each alias, and who they are is sealed: so whoever has the file learns how
/// many names and former keys there are in all, and neither whose they are nor whether two peers share one.
struct AliasRecord {
    let row: Int64
    let lookup: [UInt8]
    var peers: [PeerID]
}

extension AliasRecord: SealedRecord {
    static let table = "alias"
    static let ownerColumn: String? = nil

    private static let layout: UInt8 = 1

    var place: RecordPlace { RecordPlace(row: row) }

    init(at place: RecordPlace, decoding bytes: [UInt8]) throws {
        var reader = RecordReader(bytes)
        guard try reader.byte() == Self.layout else { throw RecordReader.Malformed() }
        self.init(
            row: place.row, lookup: try reader.byteString(),
            peers: try reader.list { reader throws(RecordReader.Malformed) in PeerID(row: try reader.integer()) })
    }

    func encoded() -> [UInt8] {
        var writer = RecordWriter(layout: Self.layout)
        writer.append(bytes: lookup)
        writer.append(list: peers) { $0.append($1.row) }
        writer.pad()
        return writer.bytes
    }

    func index(_ cipher: RecordCipher) -> LookupIndex { LookupIndex(lookup) }
}

extension ReadTransaction {
    /// The peers of an alias.
    func peers(by alias: PeerAlias) throws -> [StoredPeer] {
        try aliasRecord(alias)?.peers.map { id in
            guard let peer = try peer(id), peer.aliases.contains(alias) else { throw tables.aliases.damaged }
            return peer
        } ?? []
    }

    fileprivate func aliasRecord(_ alias: PeerAlias) throws -> AliasRecord? {
        let lookup = alias.lookup(tables.aliases.cipher)
        return try tables.aliases.first("WHERE lookup = ?", [lookup.databaseValue], in: self)
    }

    /// Finds that every peer is found by each of their aliases, and nobody by any other.
    func verifyAliases() throws {
        var count = 0
        let peers = try tables.peers.cursor(in: self)
        while let peer = try peers.next() {
            for alias in peer.aliases {
                guard try aliasRecord(alias)?.peers.contains(peer.id) == true else { throw tables.aliases.damaged }
                count += 1
            }
        }
        let records = try tables.aliases.cursor(in: self)
        while let record = try records.next() { count -= Set(record.peers).count }
        guard count == 0 else { throw tables.aliases.damaged }
    }
}

extension WriteTransaction {
    // A peer is stored by these three alone, so that they are found by what they are.

    func insert(_ peer: StoredPeer) throws {
        try tables.peers.insert(peer, in: self)
        try setAliases(of: peer.id, from: [], to: peer.aliases)
    }

    func replace(_ old: StoredPeer, with new: StoredPeer) throws {
        try tables.peers.replace(old, with: new, in: self)
        try setAliases(of: old.id, from: old.aliases, to: new.aliases)
    }

    func delete(_ peer: StoredPeer) throws {
        try tables.peers.delete(peer.id.row, in: self)
        try setAliases(of: peer.id, from: peer.aliases, to: [])
    }

    private func setAliases(of id: PeerID, from old: Set<PeerAlias>, to new: Set<PeerAlias>) throws {
        let aliases = tables.aliases
        for alias in old.subtracting(new) {
            guard let record = try aliasRecord(alias) else { throw aliases.damaged }
            if record.peers == [id] {
                try aliases.delete(record.row, in: self)
            } else {
                try aliases.change(record, in: self) { $0.peers.removeAll { $0 == id } }
            }
        }
        for alias in new.subtracting(old) {
            if let record = try aliasRecord(alias) {
                if !record.peers.contains(id) { try aliases.change(record, in: self) { $0.peers.append(id) } }
            } else {
                let row = try aliases.unusedRow(in: self)
                let lookup = alias.lookup(aliases.cipher)
                try aliases.insert(AliasRecord(row: row, lookup: lookup, peers: [id]), in: self)
            }
        }
    }

    /// Makes the aliases of everybody, once, in a store of the version that had none.
    func makeAliases() throws {
        for peer in try peers() { try setAliases(of: peer.id, from: [], to: peer.aliases) }
    }
}
