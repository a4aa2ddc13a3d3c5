public import KamuneTransport

/// What one dial, or one listener, does otherwise than the rest of an endpoint. What is nil stays as it is.
public struct LinkSettings: Sendable, Equatable {
    /// How long finding the host and connecting may take: ``Configuration/dialTimeout``.
    public var dialTimeout: Duration?
    /// How long a handshake may take: ``Configuration/handshakeTimeout``.
    public var handshakeTimeout: Duration?
    /// Whether more than needed is sent over UDP, where the address does not say: ``UDPOptions/isTurbo``.
    public var isTurbo: Bool?
    /// How the sending rate of UDP follows the network, where the address does not say: ``UDPOptions/congestion``.
    public var congestion: CongestionControl?

    /// Nothing else.
    public init() {}

    /// Changes a configuration as these say.
    func apply(to configuration: inout Configuration) {
        if let dialTimeout { configuration.dialTimeout = dialTimeout }
        if let handshakeTimeout { configuration.handshakeTimeout = handshakeTimeout }
        if let isTurbo { configuration.udp.isTurbo = isTurbo }
        if let congestion { configuration.udp.congestion = congestion }
    }
}

extension Endpoint {
    /// The same endpoint with other settings.
    ///
    /// - Parameter settings: nil changes nothing.
    public func with(_ settings: LinkSettings?) -> Endpoint {
        guard let settings else { return self }
        var endpoint = self
        settings.apply(to: &endpoint.configuration)
        return endpoint
    }
}
