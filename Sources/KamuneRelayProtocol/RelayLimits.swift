import KamuneCrypto

/// The relay protocol's numbers (docs/RELAY.md).
public enum RelayLimits {
    /// The largest frame of a relay's connection as it travels, sealed, in bytes: what the two bytes of length in front of
    /// it over TCP can say. Over a WebSocket a frame is a message, with the same limit.
    public static let maximumFrameSize = 65_535

    /// The largest frame before it is sealed.
    public static let maximumPlaintextSize = maximumFrameSize - TunnelSuite.overhead

    /// The most that a message can carry: a tag and three bytes of length go before it, twice.
    public static let maximumMessageSize = maximumPlaintextSize - 8

    /// The largest sealed frame that a Go client on a WebSocket takes: its library's limit, which it leaves as it is.
    public static let goWebSocketFrameSize = 32_768

    /// The most that a message to a Go client on a WebSocket can carry.
    public static let goWebSocketMessageSize = goWebSocketFrameSize - TunnelSuite.overhead - 8

    /// The longest pre-shared key in bytes. One that is longer does not fit its frame.
    public static let maximumKeySize = 1_024

    /// How many tokens peers of version 0.7 derive from one agreement.
    public static let poolSize = 3
}
