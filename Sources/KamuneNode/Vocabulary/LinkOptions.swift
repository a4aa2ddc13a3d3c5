public import Kamune

/// What one dial, or one listener, does otherwise than the rest of the node. What is left out is as the node does it.
public struct LinkOptions: Codable, Sendable, Equatable {
    /// How long finding the host and connecting may take, in seconds: above 0, up to a day.
    public var dialTimeout: Double?
    /// How long a handshake may take, the answers of both sides included, in seconds: above 0, up to a day.
    public var handshakeTimeout: Double?
    /// Whether more than needed is sent over UDP, so that lost messages arrive sooner.
    public var turbo: Bool?
    /// How the sending rate of UDP follows the network: `rate-based`, `cubic` or `new-reno`.
    public var congestion: String?

    /// Everything as the node does it, unless it is said otherwise.
    public init(
        dialTimeout: Double? = nil, handshakeTimeout: Double? = nil, turbo: Bool? = nil,
        congestion: CongestionControl? = nil
    ) {
        (self.dialTimeout, self.handshakeTimeout) = (dialTimeout, handshakeTimeout)
        (self.turbo, self.congestion) = (turbo, congestion?.rawValue)
    }

    /// A day, in seconds: more is a mistake.
    private static let longestTime: Double = 86_400

    /// As the library has them.
    func settings() throws(NodeError) -> LinkSettings {
        var settings = LinkSettings()
        settings.dialTimeout = try Self.duration(dialTimeout)
        settings.handshakeTimeout = try Self.duration(handshakeTimeout)
        settings.isTurbo = turbo
        if let congestion {
            guard let known = CongestionControl(rawValue: congestion) else {
                throw NodeError(.invalidParameter, "Congestion is rate-based, cubic or new-reno.")
            }
            settings.congestion = known
        }
        return settings
    }

    private static func duration(_ seconds: Double?) throws(NodeError) -> Duration? {
        guard let seconds else { return nil }
        guard seconds > 0, seconds <= longestTime else {
            throw NodeError(.invalidParameter, "A time is a number of seconds above 0, up to a day.")
        }
        return .seconds(seconds)
    }
}
