public import KamuneCrypto

/// The way from earlier identities to the one in use (§10.6): statements, each of which names the signer of the next one.
/// All signatures were found right, and no key comes twice.
public struct Succession: Equatable, Sendable {
    /// Oldest first; the last one names the identity in use.
    public let statements: [SuccessionStatement]

    /// No earlier identity vouches for the one in use.
    public static let none = Succession([])

    private init(_ statements: [SuccessionStatement]) {
        self.statements = statements
    }

    /// The identities that the one in use has followed, oldest first.
    public var formerKeys: [PublicIdentity] { statements.map(\.old) }

    /// Our own way to an identity: as far back as the statements lead and an introduction has room for.
    ///
    /// - Parameter statements: All that are known, in any order. Those that do not help are left out.
    public init(to identity: PublicIdentity, from statements: some Sequence<[UInt8]>) {
        var byNew: [PublicIdentity: SuccessionStatement] = [:]
        for bytes in statements {
            guard let statement = try? SuccessionStatement(verifying: bytes) else { continue }
            byNew[statement.new] = statement
        }
        var way: [SuccessionStatement] = []
        var seen: Set = [identity]
        var size = 0
        var head = identity
        while way.count < ProtocolConstants.maximumSuccessionCount, let statement = byNew[head],
            seen.insert(statement.old).inserted
        {
            size += statement.encoded.count
            guard size <= ProtocolConstants.maximumSuccessionSize else { break }
            way.append(statement)
            head = statement.old
        }
        self.init(way.reversed())
    }

    /// What an introduction carries, checked from the newest statement back.
    ///
    /// Statements that only later versions can judge are passed over; what is not connected without them is left out. All
    /// else that does not fit can only come from somebody who lies, or does not keep to the rules.
    init(announced: [[UInt8]], introducing identity: PublicIdentity) throws(ProtocolError) {
        guard announced.count <= ProtocolConstants.maximumSuccessionCount else {
            throw .authenticationFailed(.invalidSuccession(.tooMany))
        }
        guard announced.reduce(0, { $0 + $1.count }) <= ProtocolConstants.maximumSuccessionSize else {
            throw .authenticationFailed(.invalidSuccession(.tooLarge))
        }
        var way: [SuccessionStatement] = []
        var seen: Set = [identity]
        var head = identity
        var hasPassedOver = false
        for bytes in announced.reversed() {
            guard let claimed = try ClaimedStatement(parsing: bytes) else {
                hasPassedOver = true
                continue
            }
            guard claimed.new == head else {
                if hasPassedOver { break }
                throw .authenticationFailed(.invalidSuccession(.gap))
            }
            guard seen.insert(claimed.old).inserted else { throw .authenticationFailed(.invalidSuccession(.loop)) }
            way.append(try claimed.verified())
            head = claimed.old
        }
        self.init(way.reversed())
    }
}
