/// Why a relay does not do what it was asked to.
///
/// It is told only to a client that has announced that it reads it (``RelayExtensions/refusals``), and the connection is
/// closed after it; a client of version 0.7 sees the connection close and nothing else. An addition of ours.
public enum RelayRefusal: Error, Equatable, Hashable, Sendable {
    /// The relay wants a key, and none was given or a wrong one.
    case unauthenticated
    /// A key was given to a relay that has none.
    case unexpectedKey
    /// Nobody waits under the token: it is unknown, expired or spent. Which one is not told.
    case unknownToken
    /// Somebody waits under the token already.
    case tokenInUse
    /// The token could be guessed (``RelayToken/isAcceptable(_:)``).
    case unacceptableToken
    /// The relay holds as many sessions as it may.
    case full
    /// Too much was asked from this address in too short a time.
    case rateLimited
    /// The relay is about to stop.
    case closing
    /// The request is not one that the relay knows.
    case malformedRequest
    /// A reason that this version does not know.
    case other(UInt32)

    /// The number that stands for it on the wire.
    public var code: UInt32 {
        switch self {
        case .unauthenticated: 1
        case .unexpectedKey: 2
        case .unknownToken: 3
        case .tokenInUse: 4
        case .unacceptableToken: 5
        case .full: 6
        case .rateLimited: 7
        case .closing: 8
        case .malformedRequest: 9
        case .other(let code): code
        }
    }

    /// What a number stands for.
    public init(code: UInt32) {
        self =
            switch code {
            case 1: .unauthenticated
            case 2: .unexpectedKey
            case 3: .unknownToken
            case 4: .tokenInUse
            case 5: .unacceptableToken
            case 6: .full
            case 7: .rateLimited
            case 8: .closing
            case 9: .malformedRequest
            default: .other(code)
            }
    }
}

extension RelayRefusal: CustomStringConvertible {
    /// One sentence for a person: what happened and what to do.
    public var description: String {
        switch self {
        case .unauthenticated: "The relay wants another key; ask who runs it, and pass it with --relay-key."
        case .unexpectedKey: "The relay wants no key; leave --relay-key out."
        case .unknownToken: "Nobody waits under this token; it may be used up or expired, so ask for a new one."
        case .tokenInUse: "Somebody waits under this token already; stop the other program or choose another token."
        case .unacceptableToken: "The relay does not take this token, since it could be guessed; let one be made."
        case .full: "The relay is full; try again later."
        case .rateLimited: "The relay takes no more from this address for the moment; try again in a minute."
        case .closing: "The relay is about to stop; try again in a minute."
        case .malformedRequest: "The relay does not know what it was asked for; one of the two programs is too old."
        case .other(let code): "The relay refused, for a reason that this version does not know (\(code))."
        }
    }
}

/// What a client or a relay understands beyond version 0.7: bits of a field that 0.7 does not look at.
public struct RelayExtensions: OptionSet, Hashable, Sendable {
    /// The bits. Those that this version does not know are kept, and mean nothing.
    public let rawValue: UInt32

    /// Takes bits.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// It reads ``RelayFrame/refused(_:)``.
    public static let refusals = RelayExtensions(rawValue: 1 << 0)
}
