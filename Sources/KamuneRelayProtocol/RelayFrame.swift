/// What a client and a relay say to each other, within the channel between them (docs/RELAY.md, docs/relay.proto).
public enum RelayFrame: Equatable, Sendable {
    /// A client's wish, before anything else but the key.
    case register(Registration)
    /// The relay's consent.
    case registered(Registered)
    /// Bytes for, or from, the other client of the session. Of what was decoded it is a part, not a copy.
    case message(ArraySlice<UInt8>)
    /// Asks for a pong.
    case ping
    /// Answers a ping.
    case pong
    /// The key, by a client; an empty one, by a relay, says that it was right.
    case auth(PreSharedKey, extensions: RelayExtensions)
    /// The relay does not do what it was asked to, and closes. Sent only to who announced ``RelayExtensions/refusals``.
    case refused(RelayRefusal)
    /// A kind that this version does not know, or none: to be ignored.
    case unknown

    /// What a client wants.
    public struct Registration: Equatable, Sendable {
        /// What to do, as a number: see ``Mode``.
        public var mode: Int32
        /// The token as it came; it may be empty or of any size.
        public var token: [UInt8]
        /// What the client understands.
        public var extensions: RelayExtensions

        /// Puts a wish together.
        public init(mode: Int32, token: [UInt8], extensions: RelayExtensions = []) {
            self.mode = mode
            self.token = token
            self.extensions = extensions
        }

        /// The wish of a client of ours.
        public init(_ request: Request, extensions: RelayExtensions = .refusals) {
            switch request {
            case .create(let token): self.init(mode: Mode.create, token: token?.bytes ?? [], extensions: extensions)
            case .join(let token): self.init(mode: Mode.join, token: token.bytes, extensions: extensions)
            }
        }

        /// What is wanted, if it is something that a relay does.
        public var request: Result<Request, RelayRefusal> {
            switch (mode, token.isEmpty) {
            case (Mode.create, true): return .success(.create(nil))
            case (Mode.create, false):
                guard RelayToken.isAcceptable(token), let token = try? RelayToken(token) else {
                    return .failure(.unacceptableToken)
                }
                return .success(.create(token))
            case (Mode.join, false):
                // A longer one than there can be is just as unknown as any other.
                guard let token = try? RelayToken(token) else { return .failure(.unknownToken) }
                return .success(.join(token))
            default: return .failure(.malformedRequest)
            }
        }
    }

    /// What a client can want.
    public enum Request: Equatable, Sendable {
        /// To wait for somebody, under a token of its own or one that the relay makes.
        case create(RelayToken?)
        /// To meet who waits under a token.
        case join(RelayToken)
    }

    /// The numbers of the modes of a registration. Any other one is refused.
    public enum Mode {
        /// Wait for somebody.
        public static let create: Int32 = 1
        /// Meet who waits.
        public static let join: Int32 = 2
    }

    /// What was registered.
    public struct Registered: Equatable, Sendable {
        /// The session's token.
        public var token: [UInt8]
        /// For how many seconds the relay lets a client wait for the other; 0 when it does not say, as to who joins.
        public var tokenLifetime: UInt32
        /// After how many seconds the relay ends the session whatever happens; 0 is never.
        public var sessionLifetime: UInt32
        /// What the relay understands. It says so only to a client that has announced something itself.
        public var extensions: RelayExtensions

        /// Puts it together.
        public init(
            token: [UInt8], tokenLifetime: UInt32, sessionLifetime: UInt32, extensions: RelayExtensions = []
        ) {
            self.token = token
            self.tokenLifetime = tokenLifetime
            self.sessionLifetime = sessionLifetime
            self.extensions = extensions
        }
    }

    /// The kind's name, for logs: never what it holds.
    public var name: String {
        switch self {
        case .register: "register"
        case .registered: "registered"
        case .message: "message"
        case .ping: "ping"
        case .pong: "pong"
        case .auth: "auth"
        case .refused: "refused"
        case .unknown: "unknown"
        }
    }

    /// The numbers of the fields in docs/relay.proto. Ours are far beyond those that version 0.7 may get.
    enum Field {
        static let register: UInt32 = 1
        static let registered: UInt32 = 2
        static let message: UInt32 = 3
        static let ping: UInt32 = 4
        static let pong: UInt32 = 5
        static let auth: UInt32 = 6
        static let refused: UInt32 = 1_000

        /// In every message that has bytes, they come first.
        static let content: UInt32 = 1
        static let mode: UInt32 = 2
        static let tokenLifetime: UInt32 = 2
        static let sessionLifetime: UInt32 = 3
        static let reason: UInt32 = 1
        static let extensions: UInt32 = 1_000
    }
}
