/// How the sending rate of UDP follows the network. It does not have to agree with the peer's.
public enum CongestionControl: String, Sendable, Hashable, CaseIterable {
    /// Follows the measured bandwidth and does not take every loss for congestion; the default.
    case rateBased = "rate-based"
    /// As most TCP does (CUBIC, RFC 9438).
    case cubic
    /// As cautious as the first TCP (NewReno, RFC 6582).
    case newReno = "new-reno"
}
