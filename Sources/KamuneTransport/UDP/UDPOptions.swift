internal import KCP

/// How connections over UDP behave on the network. None of it has to agree with the peer's.
public struct UDPOptions: Sendable, Hashable {
    /// How the sending rate follows the network.
    public enum Congestion: String, Sendable, Hashable, CaseIterable {
        /// Follows the measured bandwidth and does not take every loss for congestion; the default.
        case rateBased
        /// As most TCP does (CUBIC, RFC 9438).
        case cubic
        /// As cautious as the first TCP (NewReno, RFC 6582).
        case newReno
    }

    /// How the sending rate follows the network.
    public var congestion = Congestion.rateBased
    /// Whether to send more than needed, so that lost messages arrive sooner. Less fair to others on the same link.
    public var isTurbo = false
    /// The largest datagram sent, in bytes of UDP payload, 48 to 65,507: by default 1232, what every IPv6 path carries
    /// without fragments (RFC 8200, section 5).
    public var maximumDatagramSize = 1232

    /// How many conversations a listener holds at most.
    public var conversationLimit = 4096
    /// How many of these may be with peers that have not shown yet that they receive what is sent to their address.
    ///
    /// Such an address may be forged. When there are more, the oldest give way.
    public var unprovenLimit = 256

    /// The defaults.
    public init() {}

    /// The policy of one conversation.
    ///
    /// - Parameter isAccepted: Whether the peer has opened it, so that its address may be forged.
    func policy(for configuration: TransportConfiguration, isAccepted: Bool) -> KCPConfiguration {
        var policy = KCPConfiguration()
        policy.maximumDatagramSize = maximumDatagramSize
        policy.congestionControl =
            switch congestion {
            case .rateBased: .rateBased
            case .cubic: .cubic
            case .newReno: .newReno
            }
        policy.latencyMode = isTurbo ? .turbo : .balanced
        policy.timestampBase = .random(in: .min ... .max)
        if let limit = configuration.writeTimeout { policy.silenceLimit = limit }
        if configuration.writeTimeout == nil { policy.silenceLimit = .seconds(Int64(Int32.max)) }
        // Until a peer has proven its address, no more goes out than came in.
        policy.amplificationLimit = isAccepted ? 1 : nil
        return policy
    }
}
