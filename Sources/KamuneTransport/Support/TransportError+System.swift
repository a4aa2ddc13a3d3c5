internal import KamuneSystem
internal import NIOCore

extension TransportError {
    /// Translates what went wrong while connecting.
    init(dialing address: Address, _ error: any Error) {
        switch error {
        case let error as TransportError: self = error
        case ChannelError.connectTimeout: self = .timedOut(.connect)
        case let error as IOError: self.init(code: error.errnoCode, address: "\(address)")
        default: self = .system(code: 0, reason: "\(error)")
        }
    }

    /// The same error, where it names an address, with another one: what a person has typed.
    func said(of address: Address) -> TransportError {
        switch self {
        case .refused: .refused(address: "\(address)")
        case .unreachable(_, let reason): .unreachable(address: "\(address)", reason: reason)
        default: self
        }
    }

    /// What several attempts to reach somebody came to.
    init(failedAttempts attempts: [TransportError]) {
        // A host that answers, if only to refuse, says more than one that does not.
        let telling = attempts.first { if case .refused = $0 { true } else { false } }
        self = telling ?? attempts.last ?? .timedOut(.connect)
    }

    /// Whether it says that an address, or its family, is not to be had on this machine.
    var meansNotHere: Bool {
        switch self {
        case .unreachable, .addressNotAvailable: true
        default: false
        }
    }

    /// Translates what went wrong while starting to listen.
    init(listeningOn address: Address, _ error: any Error) {
        self.init(dialing: address, error)
    }

    /// Translates what broke an established connection.
    init(ofConnection error: any Error) {
        switch error {
        case let error as TransportError: self = error
        case let error as IOError:
            switch error.errnoCode {
            case ECONNRESET, EPIPE, ECONNABORTED, ENOTCONN, EBADF: self = .reset
            // The system's own probes and retransmissions went unanswered.
            case ETIMEDOUT: self = .timedOut(.read)
            default: self = .system(code: error.errnoCode, reason: Self.text(of: error.errnoCode))
            }
        default:
            self = .reset
        }
    }

    private init(code: Int32, address: String) {
        switch code {
        case ECONNREFUSED: self = .refused(address: address)
        case ETIMEDOUT: self = .timedOut(.connect)
        case EADDRINUSE: self = .addressInUse(address: address)
        case EADDRNOTAVAIL: self = .addressNotAvailable(address: address)
        case EACCES, EPERM: self = .permissionDenied(address: address)
        case EMFILE, ENFILE: self = .tooManyOpenFiles
        case EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN, EAFNOSUPPORT:
            self = .unreachable(address: address, reason: Self.text(of: code))
        case ECONNRESET: self = .reset
        default: self = .system(code: code, reason: Self.text(of: code))
        }
    }

    /// The system's words for an error code.
    private static func text(of code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "unknown error"
    }
}
