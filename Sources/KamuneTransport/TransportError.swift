public import KamuneRelayProtocol

/// What can go wrong with connections. Each case names one condition.
public enum TransportError: Error, Equatable, Sendable {
    // MARK: Addresses

    /// The text is not an address, or not one for this purpose.
    case invalidAddress(String, reason: String)
    /// This build has no such transport.
    case unsupportedScheme(TransportScheme)

    // MARK: Dialing and listening

    /// The system found no address for the host name.
    case nameNotResolved(host: String)
    /// The host is there, and nobody listens on the port.
    case refused(address: String)
    /// No way leads to the address.
    case unreachable(address: String, reason: String)
    /// Another program listens on the address already.
    case addressInUse(address: String)
    /// The address to listen on does not belong to this machine.
    case addressNotAvailable(address: String)
    /// The system does not let us use the address.
    case permissionDenied(address: String)
    /// The process, or the system, has no file descriptor left.
    case tooManyOpenFiles

    // MARK: Relays

    /// A relay says why it does not do what was asked.
    case relayRefused(address: String, RelayRefusal)
    /// A relay closed without saying why, as those of version 0.7 do.
    case relayClosed(address: String, hasKey: Bool)
    /// What answers at the address does not speak the protocol of relays.
    case notARelay(address: String, reason: String)
    /// The certificate of what answers at the address is not the one that the address pins or, where it pins none, not one
    /// that an authority vouches for.
    case certificateRejected(address: String, isPinned: Bool)

    // MARK: Connections

    /// A limit of time ran out.
    case timedOut(Operation)
    /// We closed or aborted the connection ourselves.
    case closedLocally
    /// The peer, or something between us, broke the connection.
    case reset
    /// The peer's stream ended within a frame.
    case endedMidFrame
    /// A frame is larger than allowed, in bytes.
    case frameTooLarge(size: Int, limit: Int)

    // MARK: Calls

    /// The waiting task was cancelled. The connection is as before.
    case cancelled
    /// Another task is waiting on this connection or listener already.
    case concurrentReceive
    /// The system reported something else.
    case system(code: Int32, reason: String)

    /// What took too long.
    public enum Operation: String, Equatable, Sendable {
        /// Resolving the name and reaching the peer.
        case connect
        /// Waiting for a whole frame.
        case read
        /// Waiting for the peer to take what we send.
        case write
    }
}

extension TransportError: CustomStringConvertible {
    /// One sentence for a person: what happened and, where there is something, what to do.
    public var description: String {
        switch self {
        case .invalidAddress(let text, let reason):
            "“\(Self.printable(text))” is not a usable address: \(Self.printable(reason))."
        case .unsupportedScheme(let scheme):
            "Addresses with \(scheme.rawValue):// are not supported by this build; use tcp:// instead."
        case .nameNotResolved(let host):
            "The name “\(Self.printable(host))” could not be found; check its spelling and your connection to the network."
        case .refused(let address):
            "Nobody listens at \(address); check the address, and that the other side is running."
        case .unreachable(let address, let reason):
            "\(address) cannot be reached (\(reason)); check the address and your connection to the network."
        case .addressInUse(let address):
            "Another program already listens on \(address); stop it or choose another port."
        case .addressNotAvailable(let address):
            "\(address) does not belong to this machine; choose one of its own addresses, or only a port."
        case .permissionDenied(let address):
            "The system does not permit the use of \(address); ports below 1024 often need special rights."
        case .tooManyOpenFiles:
            "No more connections can be opened: the limit of open files is reached; raise it (ulimit -n) or close some."
        case .relayRefused(let address, let reason): "\(reason) (\(address))"
        case .relayClosed(let address, let hasKey):
            hasKey
                ? "The relay at \(address) closed without a word; check its key and the token, or ask for a new token."
                : "The relay at \(address) closed without a word; check the token, or ask for a new one, and whether it wants a key (--relay-key)."
        case .notARelay(let address, let reason):
            "What answers at \(address) is not a relay of this kind (\(Self.printable(reason))); check the scheme and the port."
        case .certificateRejected(let address, true):
            "The certificate of \(address) is another than the address pins; ask whoever runs the relay whether it has changed."
        case .certificateRejected(let address, false):
            "Nobody vouches for the certificate of \(address); if the relay has made it itself, ask for its pin and append ?pin=… to the address."
        case .timedOut(.connect):
            "The other side did not answer in time; check the address, and firewalls on the way."
        case .timedOut(.read):
            "Nothing was heard from the other side for too long; the connection was given up."
        case .timedOut(.write):
            "The other side took nothing of what was sent for too long; the connection was given up."
        case .closedLocally:
            "The connection was closed on this side."
        case .reset:
            "The connection was broken by the other side or by the network; try to connect again."
        case .endedMidFrame:
            "The connection ended in the middle of a message; try to connect again."
        case .frameTooLarge(let size, let limit):
            "A frame of \(size) bytes is larger than the limit of \(limit) bytes."
        case .cancelled:
            "The operation was cancelled."
        case .concurrentReceive:
            "Another task is already waiting here; only one may wait at a time."
        case .system(let code, let reason):
            "The system reported an error: \(reason) (\(code))."
        }
    }

    /// Text that came from outside, without what a terminal might obey, and not longer than a person would read.
    private static func printable(_ text: String) -> String {
        let limit = 200
        var shown = ""
        for scalar in text.unicodeScalars.prefix(limit) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
                shown.unicodeScalars.append("\u{FFFD}")
            default:
                shown.unicodeScalars.append(scalar)
            }
        }
        return text.unicodeScalars.count > limit ? shown + "…" : shown
    }
}
