public import Foundation
public import KamuneCrypto

/// One of the person's own identities.
public struct StoredIdentity: Sendable {
    /// Its number in this store.
    public let id: IdentityID
    /// The public key.
    public let publicKey: PublicIdentity
    /// The private key; `nil` once it was erased.
    public let privateKey: Identity?
    /// The name that the person gives themselves under it.
    public var name: String
    /// When it was made, by this machine's clock.
    public let created: Date
    /// When another took its place; `nil` while it is in use.
    public var retired: Date?
    /// Whether it is the one in use. At most one is.
    public internal(set) var isCurrent: Bool
    /// The statement by which the identity before this one named it its successor, for peers that know only the former.
    public var statement: [UInt8]?
}

extension StoredIdentity {
    private static let layout: UInt8 = 1

    func encoded() -> [UInt8] {
        var writer = RecordWriter(layout: Self.layout)
        writer.append(bytes: publicKey.spki)
        writer.append(optional: privateKey) { writer, key in
            key.withSeed { seed in writer.append(bytes: seed) }
        }
        writer.append(text: name)
        writer.append(date: created)
        writer.append(optional: retired) { $0.append(date: $1) }
        writer.append(flag: isCurrent)
        writer.append(optional: statement) { $0.append(bytes: $1) }
        writer.pad()
        return writer.bytes
    }

    init(id: IdentityID, decoding bytes: [UInt8]) throws {
        var reader = RecordReader(bytes)
        guard try reader.byte() == Self.layout else { throw RecordReader.Malformed() }
        let publicKey = try PublicIdentity(spki: reader.byteString())
        let seed = try reader.optional { reader throws(RecordReader.Malformed) in
            SecretBytesBox(SecretBytes(copying: try reader.slice()))
        }
        let privateKey = try seed.map { try Identity(algorithm: publicKey.algorithm, seed: $0.secret) }
        guard privateKey.map({ $0.publicKey == publicKey }) ?? true else { throw RecordReader.Malformed() }
        self.init(
            id: id, publicKey: publicKey, privateKey: privateKey, name: try reader.text(), created: try reader.date(),
            retired: try reader.optional { reader throws(RecordReader.Malformed) in try reader.date() },
            isCurrent: try reader.flag(),
            statement: try reader.optional { reader throws(RecordReader.Malformed) in try reader.byteString() })
    }
}

/// Carries a secret through what cannot carry a type without copies.
private final class SecretBytesBox: Sendable {
    let secret: SecretBytes

    init(_ secret: consuming SecretBytes) {
        self.secret = secret
    }
}
