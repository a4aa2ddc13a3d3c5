internal import Crypto
import KamuneCrypto

/// A datagram by which two who have a secret in common find out whether they can reach each other at an endpoint.
///
/// Its code shows that the sender knows the secret, and which of the two it is; the echo, that it has received what we sent
/// to that very endpoint. The code does not cover addresses, which NATs change: what a stranger repeats from elsewhere is
/// answered once, and proves nothing.
struct PunchProbe: Hashable, Sendable {
    /// Whether an answer is wanted.
    var isQuestion: Bool
    /// Names the question, or what it answers.
    var nonce: UInt64

    /// "KPN" and version 1: no conversation of KCP begins so but by chance, and none of its datagrams has the code.
    static let prefix: [UInt8] = [0x4B, 0x50, 0x4E, 0x01]
    /// The code's size in bytes: half of HMAC-SHA-256, as RFC 2104, section 5, has it.
    static let codeSize = 16
    /// The size of every probe in bytes.
    static let size = prefix.count + 1 + 8 + codeSize

    private static let question: UInt8 = 1
    private static let answer: UInt8 = 2

    init(isQuestion: Bool, nonce: UInt64) {
        self.isQuestion = isQuestion
        self.nonce = nonce
    }

    /// Reads a probe of the other side; `nil` for anything else.
    init?(parsing datagram: [UInt8], from role: PunchRole, key: SymmetricKey) {
        guard datagram.count == Self.size, datagram.starts(with: Self.prefix) else { return nil }
        let body = datagram.prefix(Self.size - Self.codeSize)
        let kind = datagram[Self.prefix.count]
        guard kind == Self.question || kind == Self.answer,
            Self.isEqual(Self.code(of: body, by: role, key: key), datagram.suffix(Self.codeSize))
        else { return nil }
        isQuestion = kind == Self.question
        nonce = body.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    func encoded(by role: PunchRole, key: SymmetricKey) -> [UInt8] {
        let body =
            Self.prefix + [isQuestion ? Self.question : Self.answer]
            + stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: nonce >> UInt64($0)) }
        return body + Self.code(of: body[...], by: role, key: key)
    }

    private static func code(of body: ArraySlice<UInt8>, by role: PunchRole, key: SymmetricKey) -> [UInt8] {
        let code = HMAC<SHA256>.authenticationCode(for: [role.rawValue] + body, using: key)
        return Array(code.prefix(codeSize))
    }

    /// In a time that does not depend on where they differ.
    private static func isEqual(_ a: [UInt8], _ b: ArraySlice<UInt8>) -> Bool {
        a.count == b.count && zip(a, b).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// Which of the two somebody is who try to reach each other.
public enum PunchRole: UInt8, Sendable, Hashable {
    /// Opens the conversation when there is a way.
    case initiator = 1
    /// Takes it.
    case responder = 2

    /// The other one.
    public var other: PunchRole { self == .initiator ? .responder : .initiator }
}

/// Whether a datagram looks like a probe, so that nobody else need look at it.
public enum PunchDatagram {
    /// Whether a datagram looks like one.
    public static func isLike(_ datagram: some Collection<UInt8>) -> Bool {
        datagram.count == PunchProbe.size && datagram.starts(with: PunchProbe.prefix)
    }
}
