/// An address at which somebody may be found.
public struct DialAddress: Sendable, Hashable {
    /// The address, as ``Endpoint/dial(_:expecting:)`` takes it.
    public var text: String
    /// Whether the peer has told it, and nobody has checked it: what its name resolves to is then dialed only where everybody
    /// may be sent (``KamuneTransport/AddressScope``), so that no peer makes us knock at our own machine's doors.
    public var isTold: Bool

    /// An address.
    public init(_ text: String, isTold: Bool = false) {
        self.text = text
        self.isTold = isTold
    }
}

extension DialAddress: ExpressibleByStringLiteral {
    /// An address that a person gave.
    public init(stringLiteral text: String) { self.init(text) }
}

/// An address at which somebody was not found.
public struct AddressFailure: Error, Sendable {
    /// The address.
    public let address: DialAddress
    /// What came of it.
    public let error: KamuneError
}

/// Where somebody was found.
public struct Found<Carrier: Sendable>: Sendable {
    /// What was established with them there.
    public let carrier: Carrier
    /// The address.
    public let address: DialAddress
    /// The addresses that failed before; others may not have been tried.
    public let failures: [AddressFailure]
}

/// That none of several addresses led to somebody: the ``KamuneError/cause`` of the error that says so.
public struct AddressesExhausted: Error, Sendable {
    /// What came of each.
    public let failures: [AddressFailure]
}

extension KamuneError {
    /// What came of each address, when several were dialed and none led to the peer.
    public var addressFailures: [AddressFailure] { (cause as? AddressesExhausted)?.failures ?? [] }

    /// One error for all that came of several addresses: that which tells most.
    init(exhausted failures: [AddressFailure]) {
        guard let telling = failures.min(by: { $0.error.code.dialingRank < $1.error.code.dialingRank }) else {
            self.init(.invalidAddress, "No address of the peer is known.")
            return
        }
        let others = failures.count - 1
        let rest =
            switch others {
            case 0: ""
            case 1: " The other address failed too."
            default: " The \(others) other addresses failed too."
            }
        self.init(
            telling.error.code, "\(telling.address.text): \(telling.error.message)\(rest)",
            cause: AddressesExhausted(failures: failures))
    }
}

extension AddressFailure {
    /// Whether it says that the peer is not at the address: not when somebody there, perhaps the peer, wants nothing of us now,
    /// or when this machine is at fault.
    var isOfAddress: Bool {
        switch error.code {
        case .refusedByPeer, .waitingForAcceptance, .peerBusy, .peerAway, .overloaded, .cancelled, .system: false
        default: true
        }
    }
}

extension KamuneError.Code {
    /// How much it tells about the peer that dialing has ended so: what came of talking to somebody tells more than that nobody
    /// was there.
    fileprivate var dialingRank: Int {
        switch self {
        case .cancelled: 0
        case .refusedByPeer, .waitingForAcceptance: 1
        case .peerBusy, .peerAway, .overloaded: 2
        case .incompatible: 3
        case .authenticationFailed: 4
        case .refusedByUs: 5
        case .protocolViolation: 6
        case .connectionLost: 7
        case .system: 8
        case .timedOut: 9
        case .unreachable: 10
        case .nameNotResolved: 11
        default: 12
        }
    }
}
