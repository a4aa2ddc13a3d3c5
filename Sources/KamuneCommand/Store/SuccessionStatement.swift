import Foundation
import Kamune

/// By which an identity says that another takes its place. Both sign it: the old one, whose trust it moves, and the new
/// one, so that nobody can name somebody else's key as their own successor.
///
/// ```
/// "kamune/succession/v1" 0 | count u16, old key | count u16, new key | time i64
/// | count u16, signature of the old one | count u16, signature of the new one
/// ```
///
/// Keys are SubjectPublicKeyInfo, the time is in milliseconds since 1970, integers are most significant byte first. Both
/// signatures are over everything up to and with the time. The label at the beginning keeps them from being anything else:
/// no message that is signed in a session begins like it.
struct SuccessionStatement: Equatable, Sendable {
    /// Who has been known until then.
    let old: PublicIdentity
    /// Who takes their place.
    let new: PublicIdentity
    /// When it was signed, by the signer's clock.
    let time: Date

    private static let label = Array("kamune/succession/v1".utf8) + [0]

    /// Signs a statement.
    static func make(from old: Identity, to new: Identity, at time: Date) throws(CryptoError) -> [UInt8] {
        let body = body(old.publicKey, new.publicKey, Int64(time.timeIntervalSince1970 * 1_000))
        return body + counted(try old.sign(body)) + counted(try new.sign(body))
    }

    /// Reads a statement and checks both signatures; nil when anything is not as it must be.
    init?(verifying bytes: [UInt8]) {
        var rest = bytes[...]
        guard rest.starts(with: Self.label) else { return nil }
        rest = rest.dropFirst(Self.label.count)
        guard let oldKey = Self.take(&rest), let newKey = Self.take(&rest), rest.count >= 8 else { return nil }
        let time = Int64(bitPattern: rest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
        rest = rest.dropFirst(8)
        let body = Array(bytes[..<rest.startIndex])
        guard let oldSignature = Self.take(&rest), let newSignature = Self.take(&rest), rest.isEmpty,
            let old = try? PublicIdentity(spki: Array(oldKey)), let new = try? PublicIdentity(spki: Array(newKey)),
            old != new, old.isValidSignature(oldSignature, for: body), new.isValidSignature(newSignature, for: body)
        else { return nil }
        self.old = old
        self.new = new
        self.time = Date(timeIntervalSince1970: Double(time) / 1_000)
    }

    private static func body(_ old: PublicIdentity, _ new: PublicIdentity, _ time: Int64) -> [UInt8] {
        label + counted(old.spki) + counted(new.spki) + withUnsafeBytes(of: time.bigEndian) { Array($0) }
    }

    /// Bytes after their count. Keys and signatures have a few thousand at most.
    private static func counted(_ bytes: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: UInt16(truncatingIfNeeded: bytes.count).bigEndian) { Array($0) } + bytes
    }

    private static func take(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard rest.count >= 2 else { return nil }
        let count = rest.prefix(2).reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(2)
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}
