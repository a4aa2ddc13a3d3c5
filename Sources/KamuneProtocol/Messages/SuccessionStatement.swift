public import KamuneCrypto

/// By which an identity says that another takes its place (§10.6). Both sign it: the old one, whose trust it moves, and
/// the new one, so that nobody can name somebody else's key as their own successor.
///
/// ```
/// "kamune/succession/v1" 0 | count u16, old key | count u16, new key | time i64
/// | count u16, signature of the old one | count u16, signature of the new one
/// ```
///
/// Keys are SubjectPublicKeyInfo, the time is in milliseconds since 1970, integers are most significant byte first. Both
/// signatures are over everything up to and with the time. The label at the beginning keeps them from being anything else:
/// no message that is signed in a session begins like it.
public struct SuccessionStatement: Equatable, Sendable {
    /// Who has been known until then.
    public let old: PublicIdentity
    /// Who takes their place.
    public let new: PublicIdentity
    /// When it was signed, by the signer's clock, in milliseconds since 1970. Nothing depends on it.
    public let milliseconds: Int64
    /// The statement as it travels.
    public let encoded: [UInt8]

    static let label = Array(ProtocolConstants.successionLabel.utf8) + [0]

    /// Signs a statement.
    ///
    /// - Parameter milliseconds: The time, since 1970.
    public init(from old: Identity, to new: Identity, milliseconds: Int64) throws(CryptoError) {
        self.old = old.publicKey
        self.new = new.publicKey
        self.milliseconds = milliseconds
        let time = withUnsafeBytes(of: milliseconds.bigEndian) { Array($0) }
        let body = Self.label + Self.counted(self.old.spki) + Self.counted(self.new.spki) + time
        encoded = body + Self.counted(try old.sign(body)) + Self.counted(try new.sign(body))
    }

    /// Reads a statement and checks both signatures.
    ///
    /// - Throws: ``ProtocolError/AuthenticationFailure/invalidSuccession(_:)``.
    public init(verifying bytes: [UInt8]) throws(ProtocolError) {
        guard let claimed = try ClaimedStatement(parsing: bytes) else {
            throw .authenticationFailed(.invalidSuccession(.malformed))
        }
        self = try claimed.verified()
    }

    fileprivate init(_ claimed: ClaimedStatement) {
        old = claimed.old
        new = claimed.new
        milliseconds = claimed.milliseconds
        encoded = claimed.bytes
    }

    /// Bytes after their count. Keys and signatures have a few thousand at most.
    private static func counted(_ bytes: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: UInt16(truncatingIfNeeded: bytes.count).bigEndian) { Array($0) } + bytes
    }
}

/// A statement whose signatures are not checked yet.
struct ClaimedStatement {
    let old: PublicIdentity
    let new: PublicIdentity
    fileprivate let milliseconds: Int64
    fileprivate let bytes: [UInt8]
    private let bodySize: Int
    private let oldSignature: ArraySlice<UInt8>
    private let newSignature: ArraySlice<UInt8>

    /// Reads a statement; nil for one that only later versions can judge, since its label or the algorithm of a key is not
    /// known here.
    init?(parsing bytes: [UInt8]) throws(ProtocolError) {
        guard bytes.starts(with: SuccessionStatement.label) else { return nil }
        var rest = bytes.dropFirst(SuccessionStatement.label.count)
        guard let old = try Self.takeKey(&rest), let new = try Self.takeKey(&rest) else { return nil }
        self.old = old
        self.new = new
        self.bytes = bytes
        guard rest.count >= 8 else { throw .authenticationFailed(.invalidSuccession(.malformed)) }
        milliseconds = Int64(bitPattern: rest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
        rest = rest.dropFirst(8)
        bodySize = rest.startIndex
        oldSignature = try Self.take(&rest)
        newSignature = try Self.take(&rest)
        guard rest.isEmpty, old != new else { throw .authenticationFailed(.invalidSuccession(.malformed)) }
    }

    /// Checks both signatures.
    func verified() throws(ProtocolError) -> SuccessionStatement {
        let isSigned = bytes.withUnsafeBytes { bytes in
            let body = UnsafeRawBufferPointer(rebasing: bytes[..<bodySize])
            return old.isValidSignature(oldSignature, for: body) && new.isValidSignature(newSignature, for: body)
        }
        guard isSigned else { throw .authenticationFailed(.invalidSuccession(.signature)) }
        return SuccessionStatement(self)
    }

    private static func takeKey(_ rest: inout ArraySlice<UInt8>) throws(ProtocolError) -> PublicIdentity? {
        let spki = Array(try take(&rest))
        do throws(CryptoError) {
            return try PublicIdentity(spki: spki)
        } catch .unsupportedAlgorithm {
            return nil
        } catch {
            throw .authenticationFailed(.invalidSuccession(.malformed))
        }
    }

    private static func take(_ rest: inout ArraySlice<UInt8>) throws(ProtocolError) -> ArraySlice<UInt8> {
        guard rest.count >= 2 else { throw .authenticationFailed(.invalidSuccession(.malformed)) }
        let count = rest.prefix(2).reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(2)
        guard rest.count >= count else { throw .authenticationFailed(.invalidSuccession(.malformed)) }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}
