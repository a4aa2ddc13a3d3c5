/// Why a datagram was refused. Nothing of a refused datagram has been applied.
public enum KCPError: Error, Equatable, Sendable {
    /// The datagram, or what follows its last whole segment, is shorter than a segment's header of 24 bytes.
    ///
    /// The single zero byte with which kamune 0.7 opens a NAT ends here too.
    case truncatedHeader(remaining: Int)
    /// A segment announces more payload bytes than the datagram still has.
    case truncatedPayload(announced: Int, remaining: Int)
    /// The command is none of 81 to 84.
    case unknownCommand(UInt8)
    /// A segment belongs to another conversation.
    case conversationMismatch(UInt32)
    /// A segment acknowledges what was never sent.
    case acknowledgesUnsent(sequenceNumber: UInt32)
    /// The datagram exceeds ``KCPConfiguration/maximumReceivedDatagramSize``.
    case datagramTooLarge(size: Int)
}
