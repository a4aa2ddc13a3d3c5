internal import KCP
internal import KamuneCrypto

/// How connections over UDP behave on the network. None of it has to agree with the peer's.
public struct UDPOptions: Sendable, Hashable {
    /// How the sending rate follows the network.
    public var congestion = CongestionControl.rateBased
    /// Whether to send more than needed, so that lost messages arrive sooner. Less fair to others on the same link.
    public var isTurbo = false
    /// The largest datagram sent, in bytes of UDP payload, 548 to 65,507: by default 1232, what every IPv6 path carries
    /// without fragments (RFC 8200, section 5).
    public var maximumDatagramSize = 1232 {
        didSet { maximumDatagramSize = min(max(maximumDatagramSize, 548), 65_507) }
    }

    /// How many conversations a listener holds at most.
    public var conversationLimit = 4096
    /// How many of these may be with peers that have not shown yet that they receive what is sent to their address.
    ///
    /// Such an address may be forged. When there are more, any one of them gives way.
    public var unprovenLimit = 1024 {
        didSet { unprovenLimit = max(unprovenLimit, 1) }
    }
    /// On how many addresses of its machine a listener for all of them may be talked with at once.
    package var addressLimit = 256
    /// The frame that every conversation with a listener begins with, if that is known: then a datagram that opens one
    /// has to bring a good part of it, and a flood of small ones costs no memory.
    package var firstFrameSize: Int?
    var firstFrame: UDPOpening.FirstFrame? { firstFrameSize.map(UDPOpening.FirstFrame.init) }
    /// How many segments we take at once.
    var receiveWindow: Int { KCPConfiguration().receiveWindow }

    /// The defaults.
    public init() {}

    /// These, but for what an address says.
    public func adjusted(to address: Address) -> UDPOptions {
        var options = self
        if let congestion = address.options.congestion { options.congestion = congestion }
        if address.options.isTurbo { options.isTurbo = true }
        return options
    }

    /// The policy of one conversation.
    ///
    /// - Parameter isAccepted: Whether the peer has opened it, so that its address may be forged.
    func policy(for configuration: TransportConfiguration, isAccepted: Bool) -> KCPConfiguration {
        var policy = KCPConfiguration()
        policy.maximumDatagramSize = maximumDatagramSize
        // What is received may take what this leaves of the connection's memory.
        policy.sendBufferSize = min(policy.sendBufferSize, configuration.memoryLimit / 2)
        policy.congestionControl =
            switch congestion {
            case .rateBased: .rateBased
            case .cubic: .cubic
            case .newReno: .newReno
            }
        policy.latencyMode = isTurbo ? .turbo : .balanced
        var random = SystemRandomSource()
        policy.timestampBase = random.integer()
        if let limit = configuration.writeTimeout { policy.silenceLimit = limit }
        if configuration.writeTimeout == nil { policy.silenceLimit = .seconds(Int64(Int32.max)) }
        // Until a peer has proven its address, no more goes out than came in.
        policy.amplificationLimit = isAccepted ? 1 : nil
        return policy
    }
}
