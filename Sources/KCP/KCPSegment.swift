/// One segment of a datagram: a header and its payload.
public struct KCPSegment: Hashable, Sendable {
    /// The header; its `payloadSize` is that of ``payload``.
    public let header: KCPHeader
    /// The bytes carried; only a push has any reason to carry some.
    public let payload: [UInt8]

    /// Makes a segment; the size in the header is taken from the payload.
    ///
    /// - Precondition: the payload is smaller than 4 GiB.
    public init(header: KCPHeader, payload: [UInt8] = []) {
        var header = header
        header.payloadSize = UInt32(payload.count)
        self.header = header
        self.payload = payload
    }

    /// Takes a datagram apart into its segments, which must fill it exactly.
    ///
    /// - Throws: `truncatedHeader`, `truncatedPayload` or `unknownCommand`.
    public static func parse(_ datagram: [UInt8]) throws(KCPError) -> [KCPSegment] {
        let bytes = datagram.span.bytes
        var segments: [KCPSegment] = []
        var offset = 0
        repeat {
            let header = try KCPHeader(reading: bytes, at: offset)
            offset += KCPHeader.size
            let end = offset + Int(header.payloadSize)
            segments.append(KCPSegment(header: header, payload: Array(datagram[offset..<end])))
            offset = end
        } while offset < datagram.count
        return segments
    }

    /// Appends the segment's wire form.
    public func encode(into datagram: inout [UInt8]) {
        let start = datagram.count
        datagram.append(contentsOf: repeatElement(0, count: KCPHeader.size))
        datagram.withUnsafeMutableBytes { header.write(to: $0, at: start) }
        datagram.append(contentsOf: payload)
    }

    /// Reads the first header of a datagram, without looking at what follows its payload.
    ///
    /// For a listener that has to find a datagram's conversation before it keeps any state for it.
    ///
    /// - Throws: `truncatedHeader`, `truncatedPayload` or `unknownCommand`.
    public static func peek(_ datagram: RawSpan) throws(KCPError) -> KCPHeader {
        try KCPHeader(reading: datagram, at: 0)
    }

    /// The number of the conversation that a datagram from an unknown address may open, or `nil`.
    ///
    /// An opening datagram is well formed from end to end, belongs to one conversation, acknowledges nothing, and begins
    /// with a push of sequence number 0 that carries payload. That is the first thing that any sender of KCP has to
    /// get through, kcp-go included: its congestion window lets only number 0 out until that is acknowledged. All else
    /// is a remnant of an earlier conversation, or noise, and deserves no state.
    public static func conversationOpened(by datagram: RawSpan) -> UInt32? {
        guard let first = try? KCPHeader(reading: datagram, at: 0),
            first.command == .push, first.sequenceNumber == 0, first.payloadSize > 0
        else { return nil }
        var offset = 0
        while offset < datagram.byteCount {
            guard let header = try? KCPHeader(reading: datagram, at: offset),
                header.conversationID == first.conversationID, header.unacknowledged == 0,
                header.command != .acknowledge
            else { return nil }
            offset += KCPHeader.size + Int(header.payloadSize)
        }
        return first.conversationID
    }
}
