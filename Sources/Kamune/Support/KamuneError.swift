/// What went wrong, for programs and for people.
///
/// A ``code`` names the condition, so that a program can act on it; it may grow in later versions. A ``category`` says
/// whose matter it is. ``message`` is one sentence for a person: what happened and what to do. Two errors are equal when
/// their codes are.
public struct KamuneError: Error, Sendable {
    /// The condition.
    public let code: Code
    /// One sentence for a person. Carries no secret; text from the peer in it may hold any characters.
    public let message: String
    /// The error underneath, if there is one.
    public let cause: (any Error)?

    /// An error of this code.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// Whose matter the condition is.
    public var category: Category { code.category }

    /// The condition, without its circumstances.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String {
            case invalidAddress, unreachable, nameNotResolved, addressUnavailable, timedOut, refusedByPeer, refusedByUs,
                resumptionRefused, incompatible, protocolViolation, authenticationFailed, connectionLost, sessionEnded,
                messageTooLarge, peerBusy, peerAway, waitingForAcceptance,
                misuse, cancelled, overloaded, system
        }

        private let value: Value

        /// The address cannot be read.
        public static let invalidAddress = Code(value: .invalidAddress)
        /// Nobody answers at the address.
        public static let unreachable = Code(value: .unreachable)
        /// The host's name is not known.
        public static let nameNotResolved = Code(value: .nameNotResolved)
        /// The address to listen on is taken, or may not be used.
        public static let addressUnavailable = Code(value: .addressUnavailable)
        /// The peer did not answer in time.
        public static let timedOut = Code(value: .timedOut)
        /// The peer closed the connection when it learned who we are.
        public static let refusedByPeer = Code(value: .refusedByPeer)
        /// The peer, or somebody who ends the connection in its place, says that it has no place for one more now.
        public static let peerBusy = Code(value: .peerBusy)
        /// The peer, or somebody who ends the connection in its place, says that nobody is there who could accept us.
        public static let peerAway = Code(value: .peerAway)
        /// A stranger waits to be accepted: the peer has noted that we want to talk, or we that somebody does.
        public static let waitingForAcceptance = Code(value: .waitingForAcceptance)
        /// Our own verifier did not accept the peer.
        public static let refusedByUs = Code(value: .refusedByUs)
        /// A peer asked to resume a session that is not known here, or not any more. It introduces itself over another
        /// connection then, so this is nothing to worry about.
        public static let resumptionRefused = Code(value: .resumptionRefused)
        /// Versions or algorithms do not fit together.
        public static let incompatible = Code(value: .incompatible)
        /// The peer sent what the protocol forbids.
        public static let protocolViolation = Code(value: .protocolViolation)
        /// A signature, key or challenge is wrong: somebody may be in between.
        public static let authenticationFailed = Code(value: .authenticationFailed)
        /// The connection ended without a goodbye.
        public static let connectionLost = Code(value: .connectionLost)
        /// The session has ended already.
        public static let sessionEnded = Code(value: .sessionEnded)
        /// The message is larger than one message may be.
        public static let messageTooLarge = Code(value: .messageTooLarge)
        /// The library was used wrongly.
        public static let misuse = Code(value: .misuse)
        /// The task was cancelled.
        public static let cancelled = Code(value: .cancelled)
        /// Too many others are connecting at the moment.
        public static let overloaded = Code(value: .overloaded)
        /// This machine failed: no file descriptors, no memory, a failing library.
        public static let system = Code(value: .system)

        var category: Category {
            switch value {
            case .protocolViolation: .peerMisbehaved
            case .incompatible: .incompatible
            case .authenticationFailed: .authenticationFailed
            case .refusedByPeer, .refusedByUs, .resumptionRefused, .waitingForAcceptance: .refused
            case .invalidAddress, .messageTooLarge, .misuse, .sessionEnded, .cancelled: .misuse
            case .unreachable, .nameNotResolved, .addressUnavailable, .timedOut, .connectionLost, .overloaded,
                .peerBusy,
                .peerAway:
                .environment
            case .system: .internal
            }
        }

        /// The code's name.
        public var description: String { value.rawValue }
    }

    /// Whose matter an error is.
    public enum Category: Sendable, Hashable {
        /// The peer does not keep to the protocol.
        case peerMisbehaved
        /// Both sides are right, but do not fit together.
        case incompatible
        /// Somebody is not who they claim to be.
        case authenticationFailed
        /// Somebody does not want to talk.
        case refused
        /// The caller asked for what cannot be, or no longer.
        case misuse
        /// The network or the machine.
        case environment
        /// This library or one below it.
        case `internal`
    }
}

extension KamuneError: Equatable, CustomStringConvertible {
    /// Whether the codes are equal.
    public static func == (left: KamuneError, right: KamuneError) -> Bool { left.code == right.code }

    /// The message.
    public var description: String { message }
}
