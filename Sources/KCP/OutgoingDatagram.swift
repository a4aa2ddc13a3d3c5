/// A datagram under construction.
struct OutgoingDatagram {
    /// What all headers of a datagram say alike.
    struct Stamp {
        let conversationID: UInt32
        /// What we can take in, in segments.
        let window: Int
        /// The next number that we expect: `una`.
        let unacknowledged: UInt32
        /// `ts` for now.
        let timestamp: UInt32
    }

    let buffer: UnsafeMutableRawBufferPointer
    let stamp: Stamp
    /// How large it may become, in bytes.
    private(set) var limit: Int
    private(set) var size = 0

    init(buffer: UnsafeMutableRawBufferPointer, stamp: Stamp, limit: Int) {
        self.buffer = buffer
        self.stamp = stamp
        self.limit = limit
    }

    func hasRoom(for count: Int) -> Bool { size + count <= limit }

    /// Appends a header; there must be room for it.
    ///
    /// - Parameter timestamp: another one than that of now.
    mutating func append(
        _ command: KCPCommand, sequenceNumber: UInt32, timestamp: UInt32? = nil, payloadSize: Int32 = 0
    ) {
        let header = KCPHeader(
            conversationID: stamp.conversationID,
            command: command,
            window: UInt16(clamping: stamp.window),
            timestamp: timestamp ?? stamp.timestamp,
            sequenceNumber: sequenceNumber,
            unacknowledged: stamp.unacknowledged,
            payloadSize: UInt32(payloadSize)
        )
        header.write(to: buffer, at: size)
        size += KCPHeader.size
    }

    mutating func append(_ acknowledgement: AcknowledgementQueue.Acknowledgement) {
        append(
            .acknowledge, sequenceNumber: acknowledgement.sequenceNumber, timestamp: acknowledgement.timestamp)
    }

    /// Appends a segment with its payload; there must be room for it.
    mutating func append(_ segment: OutgoingSegment, number: UInt32) {
        append(.push, sequenceNumber: number, timestamp: segment.timestamp, payloadSize: segment.payloadSize)
        segment.payload.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(rebasing: buffer[size...]).copyMemory(from: source)
        }
        size += segment.payload.count
    }
}
