internal import KCP

/// What a listener makes of a datagram that belongs to no conversation: a pure rule, since its sender may be anybody, and
/// may have forged its address.
///
/// Memory is given only for what a datagram has paid for in bytes. When the size of the first frame is known, a datagram
/// that brings nothing but the frame's length is acknowledged and forgotten: what it brought is known. That is how kcp-go
/// opens a conversation; the rest comes with its next segment, which opens the conversation here.
enum UDPOpening: Equatable {
    /// Noise, or a remnant of an earlier conversation.
    case nothing
    /// To be answered by this datagram, which is no larger, and forgotten.
    case answer([UInt8])
    /// The begin of a conversation.
    ///
    /// - Parameter forgotten: The datagram that was answered and forgotten before this one, if one must have been.
    case conversation(UInt32, forgotten: [UInt8]?)

    /// The first frame that every conversation begins with.
    struct FirstFrame: Hashable, Sendable {
        /// Its size in bytes, without its length.
        let size: Int

        /// So much of it opens a conversation: what every IPv4 path carries without fragments, 576 bytes, with room for
        /// the headers of IP, UDP and KCP (RFC 791).
        static let leastPart = 512

        fileprivate var length: [UInt8] { [UInt8(truncatingIfNeeded: size >> 8), UInt8(truncatingIfNeeded: size)] }
    }

    /// - Parameters:
    ///   - datagram: From a place with which there is no conversation of its number.
    ///   - firstFrame: What conversations begin with, if that is known.
    ///   - window: How many segments we take, to tell whoever is answered.
    init(_ datagram: [UInt8], firstFrame: FirstFrame?, window: Int) {
        guard let firstFrame else {
            let opened = KCPSegment.conversationOpened(by: datagram.span.bytes)
            self = opened.map { .conversation($0, forgotten: nil) } ?? .nothing
            return
        }
        guard let segments = Self.segments(of: datagram), let first = segments.first else {
            self = .nothing
            return
        }
        let size = segments.reduce(0) { $0 + $1.payload.count }
        switch (first.header.sequenceNumber, first.payload.prefix(2)) {
        case (0, firstFrame.length[...]) where size >= FirstFrame.leastPart:
            self = .conversation(first.header.conversationID, forgotten: nil)
        case (0, firstFrame.length[...]) where size == firstFrame.length.count:
            self = .answer(Self.acknowledgement(of: first.header, window: window))
        case (1, _) where size >= FirstFrame.leastPart:
            self = .conversation(
                first.header.conversationID, forgotten: Self.lengthAlone(firstFrame, before: first.header))
        default:
            self = .nothing
        }
    }

    /// The segments of a datagram that is well formed, belongs to one conversation, begins with data and acknowledges
    /// nothing.
    private static func segments(of datagram: [UInt8]) -> [KCPSegment]? {
        guard let segments = try? KCPSegment.parse(datagram), let first = segments.first?.header,
            first.command == .push,
            segments.allSatisfy({
                $0.header.conversationID == first.conversationID && $0.header.unacknowledged == 0
                    && $0.header.command != .acknowledge
            })
        else { return nil }
        return segments
    }

    private static func acknowledgement(of header: KCPHeader, window: Int) -> [UInt8] {
        var answer = header
        answer.command = .acknowledge
        answer.window = UInt16(clamping: window)
        answer.unacknowledged = header.sequenceNumber &+ 1
        var datagram: [UInt8] = []
        KCPSegment(header: answer).encode(into: &datagram)
        return datagram
    }

    private static func lengthAlone(_ firstFrame: FirstFrame, before header: KCPHeader) -> [UInt8] {
        var forgotten = header
        forgotten.sequenceNumber = 0
        var datagram: [UInt8] = []
        KCPSegment(header: forgotten, payload: firstFrame.length).encode(into: &datagram)
        return datagram
    }
}
