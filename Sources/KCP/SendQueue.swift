/// A segment on its way out.
struct OutgoingSegment {
    enum State: UInt8 {
        case unsent, inFlight, lost, acknowledged
    }

    var payload: [UInt8] = []
    /// The payload's size, also after the payload is gone because it was acknowledged ahead of others.
    var payloadSize: Int32 = 0
    var state = State.unsent
    /// Whether no more bytes may join.
    var isSealed = false
    /// Whether the queue of segments to repeat has it, perhaps out of date.
    var isQueuedAgain = false
    /// Whether the congestion controller was told that this was lost.
    var wasDeclaredLost = false
    var wasApplicationLimited = false
    var transmissions: UInt32 = 0
    /// `ts` of the last transmission.
    var timestamp: UInt32 = 0
    /// `ts` of the first transmission.
    var firstTimestamp: UInt32 = 0
    /// The number of the datagram that last carried it.
    var datagramNumber: UInt64 = 0
    var sentAt: UInt64 = 0
    /// The state of ``DeliveryRate`` when it was sent.
    var delivered: UInt64 = 0
    var deliveredAt: UInt64 = 0
    var firstSentAt: UInt64 = 0

    /// What the segment takes of a datagram.
    var wireSize: Int { Int(payloadSize) + KCPHeader.size }
}

/// All segments that are not acknowledged, in order: those sent, then those not sent yet.
///
/// A ring indexed by the sequence number modulo its size, so that looking one up costs the same however many there are.
struct SendQueue {
    /// The number of the first segment of all.
    let first: UInt32
    private var slots: [OutgoingSegment] = []
    /// The oldest that is not acknowledged: `snd_una`.
    private(set) var oldest: UInt32
    /// The first that was never sent: `snd_nxt`.
    private(set) var next: UInt32
    /// One after the last.
    private var end: UInt32
    /// The payload bytes of all that is queued and not acknowledged.
    private(set) var byteCount = 0

    init(firstSequenceNumber: UInt32) {
        first = firstSequenceNumber
        oldest = firstSequenceNumber
        next = firstSequenceNumber
        end = firstSequenceNumber
    }

    /// How many numbers lie between the oldest and the next: what the peer's window limits.
    var sentCount: Int { Int(next &- oldest) }
    var unsentCount: Int { Int(end &- next) }
    var isEmpty: Bool { oldest == end }
    /// Whether nothing was ever sent.
    var isUntouched: Bool { next == first }
    /// The segments for which there is memory.
    var capacity: Int { slots.count }

    /// Whether a number was sent and is not yet passed by `una`.
    func isOutstanding(_ sequenceNumber: UInt32) -> Bool {
        sequenceNumber &- oldest < next &- oldest
    }

    /// The segment of a number between `oldest` and the end; the caller has checked that.
    subscript(sequenceNumber: UInt32) -> OutgoingSegment {
        get { slots[Int(sequenceNumber) & (slots.count - 1)] }
        _modify { yield &slots[Int(sequenceNumber) & (slots.count - 1)] }
    }

    /// Queues bytes, filling up the last segment if it was not sent, in segments of at most `segmentSize` bytes.
    mutating func append(_ bytes: UnsafeRawBufferPointer, segmentSize: Int) {
        var offset = 0
        if end != next, !self[end &- 1].isSealed {
            let last = end &- 1
            let room = min(segmentSize - Int(self[last].payloadSize), bytes.count)
            if room > 0 {
                self[last].payload.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[..<room]))
                self[last].payloadSize += Int32(room)
                offset = room
            }
        }
        while offset < bytes.count {
            let stop = min(offset + segmentSize, bytes.count)
            if Int(end &- oldest) == slots.count { grow() }
            self[end] = OutgoingSegment(
                payload: Array(bytes[offset..<stop]),
                payloadSize: Int32(stop - offset)
            )
            end &+= 1
            offset = stop
        }
        byteCount += bytes.count
    }

    /// Lets no more bytes join the last segment, which must exist and be unsent.
    mutating func sealLast() {
        self[end &- 1].isSealed = true
    }

    /// Counts the first unsent segment as sent.
    mutating func advanceNext() {
        next &+= 1
    }

    /// Frees the bytes of a segment that has arrived while older ones have not.
    mutating func markAcknowledged(_ sequenceNumber: UInt32) {
        byteCount -= Int(self[sequenceNumber].payloadSize)
        self[sequenceNumber].payload = []
        self[sequenceNumber].state = .acknowledged
    }

    /// Removes the oldest segment, which must be acknowledged.
    mutating func removeOldest() {
        self[oldest] = OutgoingSegment()
        oldest &+= 1
        if oldest == end, slots.count > 32 { slots = [] }
    }

    private mutating func grow() {
        let size = max(8, slots.count * 2)
        var larger = [OutgoingSegment](repeating: OutgoingSegment(), count: size)
        var number = oldest
        while number != end {
            larger[Int(number) & (size - 1)] = self[number]
            number &+= 1
        }
        slots = larger
    }
}
