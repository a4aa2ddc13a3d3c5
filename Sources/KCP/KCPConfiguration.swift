/// How the sending rate follows the network.
public enum KCPCongestionControl: String, Sendable, CaseIterable {
    /// Models the path's bandwidth and round-trip time (after BBR); the default.
    case rateBased
    /// CUBIC, RFC 9438, as most TCP does.
    case cubic
    /// NewReno, RFC 5681 and RFC 6582, the most cautious.
    case newReno
}

/// What a lost message may cost in duplicates.
public enum KCPLatencyMode: String, Sendable, CaseIterable {
    /// Retransmits when a loss is likely; fair to others.
    case balanced
    /// Retransmits when a loss is possible and repeats lone messages once unasked: more traffic, shorter waits.
    case turbo
}

/// The local policy of a conversation. None of it has to agree with the peer's.
public struct KCPConfiguration: Sendable, Hashable {
    /// The largest datagram to send, in bytes of UDP payload, 48 to 65507.
    ///
    /// By default 1232: what an IPv6 path of 1280 bytes carries without fragments (RFC 8200, section 5).
    public var maximumDatagramSize = 1232
    /// The largest datagram to accept, in bytes. kcp-go sends at most 1400.
    public var maximumReceivedDatagramSize = 65_507
    /// The receive window in segments, 1 to 65535: what the peer may have under way.
    public var receiveWindow = 4096
    /// The most payload bytes kept for the reader and out of order, together; at least 2752.
    public var receiveBufferSize = 4096 * 1376
    /// The most segments under way, 1 to 65535.
    public var sendWindow = 4096
    /// The most payload bytes accepted by `write` and not acknowledged.
    public var sendBufferSize = 4 << 20
    /// How the sending rate follows the network.
    public var congestionControl = KCPCongestionControl.rateBased
    /// What a lost message may cost in duplicates.
    public var latencyMode = KCPLatencyMode.balanced
    /// Added to the milliseconds in the header's `ts`.
    ///
    /// A random value makes an echoed timestamp a proof that the peer receives at its address, see
    /// ``KCPConversation/isPeerReachable``.
    public var timestampBase: UInt32 = 0
    /// If set, no more bytes go out than this many times those that came in until the peer is known to be reachable.
    ///
    /// For a listener, whose peers' addresses may be forged.
    public var amplificationLimit: Int?
    /// The conversation is dead when the oldest segment was sent this often (kcp-go: 20) and nothing was heard for half of
    /// ``silenceLimit``.
    public var maximumTransmissions = 20
    /// The conversation is dead when data is outstanding and nothing was heard for so long.
    public var silenceLimit = Duration.seconds(60)

    /// The defaults, made for two peers of this implementation and safe towards kcp-go.
    public init() {}

    /// The settings that kcp-go has when nothing is changed: windows of 32 segments and datagrams of 1400 bytes.
    public static var kcpGoDefaults: KCPConfiguration {
        var configuration = KCPConfiguration()
        configuration.maximumDatagramSize = 1400
        configuration.receiveWindow = 32
        configuration.receiveBufferSize = 64 * 1376
        configuration.sendWindow = 32
        configuration.sendBufferSize = 32 * 1376
        configuration.congestionControl = .newReno
        return configuration
    }

    /// The most payload of one segment.
    var segmentSize: Int { maximumDatagramSize - KCPHeader.size }

    /// The same with every number inside its range.
    var clamped: KCPConfiguration {
        var copy = self
        copy.maximumDatagramSize = min(max(maximumDatagramSize, 2 * KCPHeader.size), 65_507)
        copy.maximumReceivedDatagramSize = min(max(maximumReceivedDatagramSize, KCPHeader.size), 65_507)
        copy.receiveWindow = min(max(receiveWindow, 1), 65_535)
        copy.receiveBufferSize = max(receiveBufferSize, 2 * KCPLimits.referencePayload)
        copy.sendWindow = min(max(sendWindow, 1), 65_535)
        copy.sendBufferSize = max(sendBufferSize, 1)
        copy.amplificationLimit = amplificationLimit.map { min(max($0, 1), 1 << 20) }
        copy.maximumTransmissions = max(maximumTransmissions, 1)
        return copy
    }
}
