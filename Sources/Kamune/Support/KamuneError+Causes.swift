import KamuneProtocol
import KamuneTransport

extension KamuneError {
    /// An error of the protocol, as the library's user sees it.
    init(_ error: ProtocolError) {
        let code: Code =
            switch error {
            case .peerMisbehaved: .protocolViolation
            case .authenticationFailed: .authenticationFailed
            case .incompatible: .incompatible
            case .refused(.introduction(.busy)): .peerBusy
            case .refused(.introduction(.away)): .peerAway
            case .refused(.introduction(.waiting)): .waitingForAcceptance
            case .refused(.introduction(.unspecified)): .connectionLost
            case .refused(.introduction(.refused)), .refused(.resumption): .refusedByPeer
            case .misuse(.messageTooLarge): .messageTooLarge
            case .misuse(.ended): .sessionEnded
            case .misuse(.heldBack), .misuse(.awaitingAcknowledgement): .misuse
            case .system: .system
            }
        self.init(code, error.description, cause: error)
    }

    /// An error of the connection, as the library's user sees it.
    init(_ error: TransportError) {
        let code: Code =
            switch error {
            case .invalidAddress, .unsupportedScheme: .invalidAddress
            case .nameNotResolved: .nameNotResolved
            case .refused, .unreachable, .relayRefused, .relayClosed, .notARelay, .certificateRejected: .unreachable
            case .addressInUse, .addressNotAvailable, .permissionDenied: .addressUnavailable
            case .timedOut: .timedOut
            case .reset, .endedMidFrame: .connectionLost
            case .closedLocally: .sessionEnded
            case .frameTooLarge: .messageTooLarge
            case .cancelled: .cancelled
            case .concurrentReceive: .misuse
            case .tooManyOpenFiles, .system: .system
            }
        self.init(code, error.description, cause: error)
    }

    static let cancellation = KamuneError(.cancelled, "The task was cancelled.")
    static let sessionHasEnded = KamuneError(.sessionEnded, "The session has ended.")
}
