internal import KamuneSystem
internal import NIOCore
internal import NIOPosix

extension TransportError {
    /// Translates what went wrong while connecting.
    init(dialing address: Address, _ error: any Error) {
        if let error = error as? NIOConnectionError {
            let attempts = error.connectionErrors.map { TransportError(dialing: address, $0.error) }
            // A host that answers, if only to refuse, says more than one that does not.
            let telling = attempts.first { if case .refused = $0 { true } else { false } }
            self = telling ?? attempts.last ?? .nameNotResolved(host: error.host)
            return
        }
        switch error {
        case ChannelError.connectTimeout: self = .timedOut(.connect)
        case is SocketAddressError.UnknownHost: self = .nameNotResolved(host: address.host)
        case let error as IOError: self.init(code: error.errnoCode, address: "\(address)")
        default: self = .system(code: 0, reason: "\(error)")
        }
    }

    /// Translates what went wrong while starting to listen.
    init(listeningOn address: Address, _ error: any Error) {
        self.init(dialing: address, error)
    }

    /// Translates what broke an established connection.
    init(ofConnection error: any Error) {
        switch error {
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
